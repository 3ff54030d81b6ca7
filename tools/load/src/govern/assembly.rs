//! The members of a network, ready to vote.

use std::cell::RefCell;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::Doors;
use super::clock::{Clock, now};
use crate::Error;
use crate::calls::{BREATH, PATIENCE};
use crate::http::Connection;

/// A node decides within a minute, or says that it could not.
const DEADLINE: Duration = Duration::from_secs(70);

/// What a signed request asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    Proposal,
    Ballot,
    Withdrawal,
    StateDigest,
    Ack,
}

/// What a member signs.
pub struct Statement<'a> {
    pub purpose: Purpose,
    /// Seconds since 1970.
    pub created_at: u64,
    /// Of ballots and withdrawals.
    pub proposal_id: Option<&'a str>,
    pub payload: &'a [u8],
}

pub type Seal = Box<dyn Fn(&Statement<'_>) -> Result<Vec<u8>, String>>;

/// Someone whose key is at hand.
pub struct Member {
    pub id: String,
    /// Signs a statement: a whole request as the service wants it.
    pub seal: Seal,
}

pub struct Assembly {
    pub(super) doors: Doors,
    pub(super) seats: Vec<Seat>,
    clock: RefCell<Clock>,
}

/// A member that votes, and what the service keeps about it.
pub(super) struct Seat {
    member: Member,
    /// As a proposal that changes nothing.
    proposal: String,
}

/// What a service says to a request.
pub(super) enum Said {
    Done(Value),
    /// It is too busy, or has no primary, or was too slow. What was asked for may be done all the same.
    Later,
    Refused {
        code: String,
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    status: String,
    #[serde(default)]
    member_data: Value,
}

impl Assembly {
    /// Lets every member sign the state that has not yet.
    pub async fn gather(doors: Doors, members: Vec<Member>) -> Result<Self, Error> {
        let first = *doors.nodes.first().ok_or_else(|| Error::Load("governance needs a node".into()))?;
        let mut connection = Connection::open_secured(first, &doors.trust).await?;
        let mut seats = Vec::new();
        for member in members {
            let known = known(&mut connection, &member).await?;
            match known.status.as_str() {
                "Active" => {}
                "Accepted" => member.acknowledge(&mut connection).await?,
                other => return Err(Error::Load(format!("member {} cannot vote: it is {other}", member.id))),
            }
            seats.push(Seat::new(member, known.member_data));
        }
        if seats.is_empty() {
            return Err(Error::Load("governance needs a member whose key is at hand".into()));
        }
        Ok(Self { doors, seats, clock: RefCell::default() })
    }

    /// Of the next proposal.
    pub(super) fn created_at(&self) -> u64 {
        self.clock.borrow_mut().next()
    }
}

impl Seat {
    fn new(member: Member, data: Value) -> Self {
        let data = if data.is_object() { data } else { json!({}) };
        let args = json!({ "member_id": member.id, "member_data": data });
        let proposal = json!({ "actions": [{ "name": "set_member_data", "args": args }] }).to_string();
        Self { member, proposal }
    }

    pub fn id(&self) -> &str {
        &self.member.id
    }

    pub fn propose(&self, created_at: u64) -> Result<Vec<u8>, Error> {
        let payload = self.proposal.as_bytes();
        self.member.sign(&Statement { purpose: Purpose::Proposal, created_at, proposal_id: None, payload })
    }

    pub fn vote(&self, proposal: &str, script: &str) -> Result<Vec<u8>, Error> {
        let payload = json!({ "ballot": script }).to_string();
        self.about(Purpose::Ballot, proposal, payload.as_bytes())
    }

    pub fn withdraw(&self, proposal: &str) -> Result<Vec<u8>, Error> {
        self.about(Purpose::Withdrawal, proposal, &[])
    }

    fn about(&self, purpose: Purpose, proposal: &str, payload: &[u8]) -> Result<Vec<u8>, Error> {
        self.member.sign(&Statement { purpose, created_at: now(), proposal_id: Some(proposal), payload })
    }
}

impl Member {
    fn sign(&self, statement: &Statement<'_>) -> Result<Vec<u8>, Error> {
        (self.seal)(statement).map_err(|why| Error::Load(format!("member {} cannot sign: {why}", self.id)))
    }

    /// Asks for the state to sign, and gives it back signed. The first time this makes it active.
    async fn acknowledge(&self, connection: &mut Connection) -> Result<(), Error> {
        let digests = format!("gov/members/state-digests/{}", self.id);
        let say = |purpose, payload: &str| {
            self.sign(&Statement { purpose, created_at: now(), proposal_id: None, payload: payload.as_bytes() })
        };
        let request = say(Purpose::StateDigest, "")?;
        let given = insist(connection, &format!("{digests}:update"), &request).await?;
        let ack = json!({ "stateDigest": given["stateDigest"] }).to_string();
        insist(connection, &format!("{digests}:ack"), &say(Purpose::Ack, &ack)?).await?;
        Ok(())
    }
}

/// Sends a signed request.
pub(super) async fn tell(connection: &mut Connection, path: &str, request: &[u8]) -> Result<Said, Error> {
    const TYPE: &str = "application/cose";
    let at = connection.at().to_owned();
    let asked = timeout(DEADLINE, connection.post_as(TYPE, path, request)).await;
    let (status, body) = asked.map_err(|_| Error::Late { at: at.clone(), what: path.into() })??;
    said(status, body).map_err(|what| Error::Foreign { at, what })
}

fn said(status: u16, body: &[u8]) -> Result<Said, String> {
    const NO_CONTENT: u16 = 204;
    const TIMEOUT: u16 = 408;
    const UNAVAILABLE: u16 = 503;
    match status {
        NO_CONTENT => return Ok(Said::Done(Value::Null)),
        TIMEOUT | UNAVAILABLE => return Ok(Said::Later),
        _ => {}
    }
    let answer: Value = serde_json::from_slice(body).map_err(|e| format!("status {status} and no JSON: {e}"))?;
    if (200..300).contains(&status) {
        return Ok(Said::Done(answer));
    }
    let text = |name: &str| answer["error"][name].as_str().unwrap_or_default().to_owned();
    Ok(Said::Refused { code: text("code"), message: text("message") })
}

/// Sends a signed request until the service has time for it. It counts once however often it is sent.
pub(super) async fn insist(connection: &mut Connection, path: &str, request: &[u8]) -> Result<Value, Error> {
    let begun = Instant::now();
    loop {
        match tell(connection, path, request).await? {
            Said::Done(answer) => return Ok(answer),
            Said::Refused { code, message } => return Err(denied(connection, path, &code, &message)),
            Said::Later if begun.elapsed() > PATIENCE => {
                return Err(Error::Late { at: connection.at().into(), what: path.into() });
            }
            Said::Later => sleep(BREATH).await,
        }
    }
}

pub(super) fn denied(connection: &Connection, path: &str, code: &str, message: &str) -> Error {
    Error::Denied { at: connection.at().into(), what: path.into(), why: format!("{message} ({code})") }
}

async fn known(connection: &mut Connection, member: &Member) -> Result<Known, Error> {
    const OK: u16 = 200;
    let at = connection.at().to_owned();
    let path = format!("gov/service/members/{}", member.id);
    let asked = timeout(DEADLINE, connection.request("GET", &path, &[])).await;
    let (status, body) = asked.map_err(|_| Error::Late { at: at.clone(), what: path.clone() })??;
    if status != OK {
        return Err(Error::Denied { at, what: path, why: format!("status {status}: is it a member of this network?") });
    }
    serde_json::from_slice(body).map_err(|e| Error::Foreign { at, what: format!("its answer to {path}: {e}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_proposed_is_what_stands() {
        let seat = |data| {
            let seal = |statement: &Statement<'_>| Ok(statement.payload.to_vec());
            Seat::new(Member { id: "ab".into(), seal: Box::new(seal) }, data)
        };
        let proposed = |data| -> Value { serde_json::from_slice(&seat(data).propose(1).unwrap()).unwrap() };
        let args = |data| proposed(data)["actions"][0]["args"].clone();
        assert_eq!(args(json!({ "name": "Ann" })), json!({ "member_id": "ab", "member_data": { "name": "Ann" } }));
        assert_eq!(args(Value::Null)["member_data"], json!({}));
    }

    #[test]
    fn answers_are_told_apart() {
        let refused = br#"{"error": {"code": "ProposalNotOpen", "message": "It is closed."}}"#;
        assert!(matches!(said(204, b""), Ok(Said::Done(Value::Null))));
        assert!(matches!(said(200, br#"{"proposalState": "Open"}"#), Ok(Said::Done(_))));
        assert!([408, 503].into_iter().all(|status| matches!(said(status, b"anything"), Ok(Said::Later))));
        let Ok(Said::Refused { code, message }) = said(400, refused) else { panic!("not refused") };
        assert_eq!((code.as_str(), message.as_str()), ("ProposalNotOpen", "It is closed."));
        assert!(said(500, b"<html>").is_err());
    }
}
