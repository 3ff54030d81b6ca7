//! A join policy of members' own: a script that is asked about each node, after their tables were.
//!
//! ```js
//! export function apply(statements, node) { return node.evidence.debug ? "no debugging" : true; }
//! ```
//!
//! As in CCF, exactly `true` lets the node in, a text says why it is not, and anything else is a refusal, too. Where CCF asks it in place
//! of its table of host data, here it is asked beside all tables: it can only refuse.

use kv::Tx;

use crate::engine::{Answer, Call, Failure, Job, NoService, OVERRUN, Runner};
use crate::state::service;
use crate::tables::{NODE_JOIN_POLICY, SINGLETON};
use crate::{Governance, Refusal};

/// What a join policy is told, and on what it runs.
pub struct Candidate<'a> {
    /// JSON: signed statements about the node's code that it showed, as CCF has them. Coco's nodes show none: an empty list.
    pub statements: String,
    /// JSON: what its evidence was found to say. Not in CCF.
    pub node: String,
    /// Milliseconds since 1970.
    pub time: u64,
    pub runner: &'a dyn Runner,
}

impl Governance {
    /// The script, if members set one.
    pub fn node_join_policy(&self, tx: &Tx<'_>) -> Result<Option<String>, Refusal> {
        let Some(table) = tx.base().tables().find(NODE_JOIN_POLICY) else { return Ok(None) };
        let Some(row) = tx.get(table, &SINGLETON)? else { return Ok(None) };
        let unreadable =
            || Refusal::InternalError(format!("{NODE_JOIN_POLICY} is no text, and members must set it anew."));
        String::from_utf8(row.to_vec()).map(Some).map_err(|_| unreadable())
    }

    /// Asks the policy, if there is one. Gives what it said on its console.
    pub fn ask_join_policy(&self, tx: &Tx<'_>, candidate: Candidate<'_>) -> Result<Vec<String>, Refusal> {
        let Some(script) = self.node_join_policy(tx)? else { return Ok(Vec::new()) };
        let Candidate { statements, node, time, runner } = candidate;
        let state = tx.base().clone();
        let done = runner.run(Job {
            script: script.into(),
            author: None,
            call: Call::Join { statements, node },
            before: state.clone(),
            state,
            bounds: service::bounds(&self.tables, tx)?,
            time,
            seed: time,
            service: std::sync::Arc::new(NoService),
            given: self.given.clone(),
            compiled: None,
        });
        match done {
            Ok(done) if done.answer == Answer::Admission(None) => Ok(done.log),
            Ok(done) => match done.answer {
                Answer::Admission(Some(reason)) => Err(refused(&reason)),
                _ => Err(refused("it answered another question")),
            },
            Err(Failure::Thrown { reason, .. }) => Err(refused(&format!("it threw {reason}"))),
            Err(Failure::Overrun) => Err(refused(OVERRUN)),
            Err(Failure::Busy) => Err(Refusal::Busy),
        }
    }
}

fn refused(reason: &str) -> Refusal {
    Refusal::InvalidQuote(format!("The join policy of members ({NODE_JOIN_POLICY}) does not let the node in: {reason}"))
}
