//! Runs the scripts of governance: the constitution's `validate`, `resolve` and `apply`, the ballots' `vote`, and the `apply` of a
//! policy for nodes that join.
//!
//! ```text
//!   Job { script, call, state, bounds … } ──run──▶ Done { answer, writes, effects, log }   or   Failure
//! ```
//!
//! A call is a function of its job: it owns a version of the store, reads and writes that, and gives back what it wrote.
//! Each call has a fresh runtime of the engine (QuickJS), which sees no clock, no file and no other call; time and chance
//! are numbers in the job. Nothing of a failed call is kept, so there is nothing to undo.
//!
//! Bounds: heap, stack, steps, time, size of the script, rows and bytes written. Not bounded by the engine is the time of a
//! single built-in function between two looks at the meter: see [`Apart`] and [`Watched`].

mod apart;
mod ask;
mod binding;
mod bounds;
mod chance;
mod compiled;
mod effect;
mod host;
mod jwt;
mod keys;
mod log;
mod rights;
mod runner;
mod sandbox;
mod snp;
mod walks;

use std::sync::Arc;

use kv::{Blob, State, TableId};
use minicbor::{Decode, Encode};

use crate::MemberId;

pub use apart::{Apart, PROCESS, serve};
pub use bounds::{Bounds, Late};
pub use compiled::Compiled;
pub use effect::{Effect, NoService, Service};
pub use rights::Given;
pub use runner::{Clock, Inline, Runner, Watched};
pub use sandbox::check_constitution;

/// What a client reads when a call took longer than its bounds allow.
pub const OVERRUN: &str = "Operation took too long to complete.";

/// The steps in which a script speaks: of a proposal's life, and of a node's that joins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Validate,
    Ballot,
    Resolve,
    Apply,
    Join,
}

/// The function to call, with its arguments.
#[derive(Encode, Decode, Clone, Debug)]
pub enum Call {
    /// `validate(text)`
    #[n(0)]
    Validate {
        #[cbor(n(0), with = "ask::shared")]
        proposal: Arc<str>,
    },
    /// `vote(text, proposerId)`
    #[n(1)]
    Vote {
        #[cbor(n(0), with = "ask::shared")]
        proposal: Arc<str>,
        #[n(1)]
        proposer: String,
    },
    /// `resolve(text, proposerId, [{member_id, vote}], proposalId)`
    #[n(2)]
    Resolve {
        #[cbor(n(0), with = "ask::shared")]
        proposal: Arc<str>,
        #[n(1)]
        proposer: String,
        #[n(2)]
        votes: Vec<(String, bool)>,
        #[n(3)]
        proposal_id: String,
    },
    /// `apply(text, proposalId)`
    #[n(3)]
    Apply {
        #[cbor(n(0), with = "ask::shared")]
        proposal: Arc<str>,
        #[n(1)]
        proposal_id: String,
    },
    /// `apply(statements, node)` of a join policy. Both are JSON here, and values there.
    #[n(4)]
    Join {
        #[n(0)]
        statements: String,
        #[n(1)]
        node: String,
    },
}

impl Call {
    #[must_use]
    pub fn step(&self) -> Step {
        match self {
            Self::Validate { .. } => Step::Validate,
            Self::Vote { .. } => Step::Ballot,
            Self::Resolve { .. } => Step::Resolve,
            Self::Apply { .. } => Step::Apply,
            Self::Join { .. } => Step::Join,
        }
    }

    /// The name of the function.
    #[must_use]
    pub fn function(&self) -> &'static str {
        match self.step() {
            Step::Validate => "validate",
            Step::Ballot => "vote",
            Step::Resolve => "resolve",
            Step::Apply | Step::Join => "apply",
        }
    }
}

/// One call of one script, with all that it may see. It can be sent to another thread.
pub struct Job {
    pub script: Arc<str>,
    /// The member whose script it is. Absent for the constitution, which is everybody's.
    pub author: Option<MemberId>,
    pub call: Call,
    /// What the script reads.
    pub state: State,
    /// The version before the transaction: says which entry wrote a row last.
    pub before: State,
    pub bounds: Bounds,
    /// What `Date.now()` says: milliseconds since 1970.
    pub time: u64,
    /// Where `Math.random()` starts from.
    pub seed: u64,
    pub service: Arc<dyn Service>,
    pub given: Given,
    /// Where the script is kept compiled, if it will be called again.
    pub compiled: Option<Compiled>,
}

/// What a call leaves.
#[derive(Debug)]
pub struct Done {
    pub answer: Answer,
    /// In the order in which they were made; absent values are removals. Only `apply` writes.
    pub writes: Vec<Write>,
    pub effects: Vec<Effect>,
    /// What the script said on its console.
    pub log: Vec<String>,
}

/// A row that a script wrote, or removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Write {
    pub table: TableId,
    pub key: Blob,
    pub value: Option<Blob>,
}

/// What a function returned, as far as its step cares.
#[derive(Encode, Decode, Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    #[n(0)]
    Validity {
        #[n(0)]
        valid: bool,
        #[n(1)]
        description: String,
    },
    #[n(1)]
    Vote(#[n(0)] bool),
    /// The text that `resolve` returned.
    #[n(2)]
    Resolution(#[n(0)] String),
    #[n(3)]
    Applied,
    /// Why a node is not let in. Absent if it is.
    #[n(4)]
    Admission(#[n(0)] Option<String>),
}

/// Why a call came to nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The script threw, or is none, or ran out of memory.
    Thrown { reason: String, trace: Option<String> },
    /// It ran out of steps or time.
    Overrun,
    /// It was not started: too many run already, or there was no process ready for it in time.
    Busy,
}

impl Failure {
    pub(crate) fn thrown(reason: impl Into<String>) -> Self {
        Self::Thrown { reason: reason.into(), trace: None }
    }

    /// An answer beyond the bounds of output.
    pub(crate) fn too_long() -> Self {
        Self::thrown("Error: the answer is too long")
    }
}
