//! One connection, over which proposals are made and decided.

use super::assembly::{Assembly, Said, denied, insist, tell};
use super::course::{Course, Step};
use super::{Ballots, hostile};
use crate::Error;
use crate::calls::Caller;
use crate::http::{Connection, Wire};

const YES: &str = "export function vote() { return true; }";

pub(super) struct Round<'a> {
    assembly: &'a Assembly,
    connection: Connection,
    ballots: Ballots,
    course: Course,
    /// A request that was answered with "later": it may have been done all the same, so the same one goes again.
    waiting: Option<Request>,
}

/// Signed.
struct Request {
    step: Step,
    path: String,
    body: Vec<u8>,
}

impl<'a> Round<'a> {
    pub async fn begin(assembly: &'a Assembly, lane: usize, ballots: Ballots) -> Result<Self, Error> {
        let node = assembly.doors.nodes[lane % assembly.doors.nodes.len()];
        let connection = Connection::open_secured(node, &assembly.doors.trust).await?;
        Ok(Self { assembly, connection, ballots, course: Course::new(assembly.seats.len(), lane), waiting: None })
    }

    fn request(&self, step: Step) -> Result<Request, Error> {
        let seats = &self.assembly.seats;
        let (path, body) = match &step {
            Step::Propose { by } => {
                ("gov/members/proposals:create".into(), seats[*by].propose(self.assembly.created_at())?)
            }
            Step::Vote { id, by, number } => {
                let script = match self.ballots {
                    Ballots::Honest => YES,
                    Ballots::Hostile(attack) => hostile::script(attack, *number),
                };
                let seat = &seats[*by];
                (format!("gov/members/proposals/{id}/ballots/{}:submit", seat.id()), seat.vote(id, script)?)
            }
            Step::Withdraw { id, by } => (format!("gov/members/proposals/{id}:withdraw"), seats[*by].withdraw(id)?),
        };
        Ok(Request { step, path, body })
    }

    /// What a refusal means here; an error if it is nothing that may happen. `again`: the request was sent before.
    fn refused(&mut self, request: Request, code: &str, message: &str, again: bool) -> Result<Option<bool>, Error> {
        match code {
            // It was overtaken on its way: signed anew, it is the newest.
            "ProposalCreatedTooLongAgo" => Ok(None),
            // It was done the first time.
            "ProposalReplay" if again => {
                let id = message.trim_end_matches('.').rsplit(' ').next().unwrap_or_default();
                self.course.done(request.step, id, true);
                Ok(Some(true))
            }
            // Decided: by the same request if that was sent before, else by somebody outside.
            "ProposalNotOpen" | "ProposalNotFound" | "VoteAlreadyExists" => {
                self.course.over();
                Ok(Some(again))
            }
            // A script did not come to its end in time.
            "InternalError" => Ok(Some(false)),
            _ => Err(denied(&self.connection, &request.path, code, message)),
        }
    }
}

impl Caller for Round<'_> {
    async fn call(&mut self, _: usize) -> Result<Option<bool>, Error> {
        let waiting = self.waiting.take();
        let again = waiting.is_some();
        let request = match waiting {
            Some(request) => request,
            None => self.request(self.course.next())?,
        };
        match tell(&mut self.connection, &request.path, &request.body).await? {
            Said::Done(answer) => {
                let text = |name: &str| answer[name].as_str().unwrap_or_default();
                self.course.done(request.step, text("proposalId"), text("proposalState") == "Open");
                Ok(Some(true))
            }
            Said::Refused { code, message } => self.refused(request, &code, &message, again),
            Said::Later => {
                self.waiting = Some(request);
                Ok(None)
            }
        }
    }

    fn wire(&self) -> Wire {
        self.connection.wire()
    }

    /// Leaves nothing open.
    async fn end(&mut self) -> Result<(), Error> {
        let Some(step) = self.course.abandon() else { return Ok(()) };
        let Request { path, body, .. } = self.request(step)?;
        match insist(&mut self.connection, &path, &body).await {
            // It was decided meanwhile.
            Ok(_) | Err(Error::Denied { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
