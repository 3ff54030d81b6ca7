//! `/gov/members/state-digests…`: a member signs the state before it counts.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use governance::{Kind, MemberId, Outcome, Refusal};
use kv::Tx;

use super::answer::{Problem, placed, signed, with_place};
use super::{Door, snapshot};

pub async fn state_digest(State(deciding): Door, Path(member): Path<String>) -> Result<Response, Problem> {
    let id = MemberId::parse(&member).ok_or(Refusal::NoAckRecord(member))?;
    let snapshot = snapshot(&deciding);
    Ok(placed(&deciding.gov.governance.state_digest(&Tx::new(snapshot.state()), &id)?, None))
}

/// `POST …/{member}:update`
pub async fn update(
    State(deciding): Door,
    Path(member): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    signed(&headers)?;
    let act = move |gov: &crate::Gov, tx: &mut Tx<'_>, at: &governance::At<'_>, body: &[u8]| {
        let request = gov.governance.verify(tx, Kind::StateDigest, body)?;
        let answer = gov.governance.update_state_digest(tx, &request, &member, at)?;
        Ok(Outcome { answer, effects: Vec::new(), log: Vec::new() })
    };
    let (digest, place) = deciding.request(body, act).await?;
    Ok(placed(&digest, place))
}

/// `POST …/{member}:ack`
pub async fn acknowledge(
    State(deciding): Door,
    Path(member): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    signed(&headers)?;
    let act = move |gov: &crate::Gov, tx: &mut Tx<'_>, _: &governance::At<'_>, body: &[u8]| {
        let request = gov.governance.verify(tx, Kind::Ack, body)?;
        gov.governance.acknowledge(tx, &request, &member)
    };
    let ((), place) = deciding.request(body, act).await?;
    Ok(with_place(StatusCode::NO_CONTENT.into_response(), place))
}
