//! How members govern a network: signed requests, proposals, ballots, and the constitution that judges and carries them out.
//!
//! ```text
//!   envelope ─verify▶ Signed ─┬ create ──▶ validate ─▶ store ─▶ resolve ┬─▶ Open
//!                             ├ ballot ──▶ store ─▶ vote, vote … resolve ┼─▶ Rejected
//!                             ├ withdraw                                 └─▶ Accepted ─▶ apply ─▶ rows, effects
//!                             └ update, ack ─▶ a member becomes active
//! ```
//!
//! Everything happens in one transaction of the store, and either all of it or nothing: a step that fails undoes what the
//! request did. The scripts (the constitution's, and members' ballots) run in [`engine`]; rows are typed in [`state`]; the
//! constitution of our own, whose rules are rows that members change by vote, is [`constitution::DEFAULT`]. What anybody may
//! ask is in [`views`].
//!
//! Tables, rows and errors are as CCF has them, so that its tools and its constitutions work unchanged.
//!
//! Not here: HTTP, threads of the node, clocks, randomness, keys. What a request is judged against is handed in as [`At`].
#![forbid(unsafe_code)]

mod acks;
pub mod audit;
pub mod constitution;
pub mod engine;
pub mod envelope;
mod error;
mod founding;
pub mod join;
mod member;
pub mod nodes;
pub mod organisations;
mod proposals;
pub mod state;
pub mod tables;
pub mod validity;
pub mod views;

use std::sync::Arc;

use base::Digest;
use kv::{Savepoint, Section, State, TableError, Tables, Tx, WriteSet};

use engine::{Compiled, Effect, Given, Runner, Service};

pub use acks::StateDigest;
pub use envelope::{Kind, Signed};
pub use error::{Refusal, Trouble};
pub use founding::{Founding, FoundingMember};
pub use member::MemberId;
pub use proposals::Proposal;
pub use state::decisions::Decision;
pub use state::proposals::ProposalState;
pub use tables::GovernanceTables;

/// Governance of one network.
#[derive(Clone)]
pub struct Governance {
    tables: GovernanceTables,
    given: Given,
    /// The constitution, and those before it.
    compiled: Compiled,
}

/// What a request is judged against, beside the store.
pub struct At<'a> {
    /// The root of the ledger at the version that the transaction reads. Absent before the first signature.
    pub root: Option<Digest>,
    /// Milliseconds since 1970, by the ledger's clock: it never goes back.
    pub time: u64,
    /// Where scripts' random numbers start from.
    pub seed: u64,
    pub service: Arc<dyn Service>,
    pub runner: &'a dyn Runner,
}

/// What a request left beside rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome<T> {
    /// What the client is told.
    pub answer: T,
    /// What the node does once the transaction is committed, in this order.
    pub effects: Vec<Effect>,
    /// What scripts said on their consoles.
    pub log: Vec<String>,
}

impl<T> Outcome<T> {
    fn plain(answer: T) -> Self {
        Self { answer, effects: Vec::new(), log: Vec::new() }
    }
}

impl Governance {
    /// Registers the tables of governance, those that the node has registered before left as they are. `given` are names of public application tables that `apply` may write to; they
    /// are registered too. A constitution that writes to tables of its own needs them here.
    pub fn register(tables: &Tables, given: &[&str]) -> Result<Self, TableError> {
        let of_governance = GovernanceTables::register(tables)?;
        for name in given {
            if tables.find(name).is_none() {
                tables.add(*name, kv::Kind::State)?;
            }
        }
        let given = given.iter().filter(|name| name.starts_with("public:")).map(|name| (*name).to_owned());
        Ok(Self { tables: of_governance, given: Arc::new(given.collect()), compiled: Compiled::default() })
    }

    #[must_use]
    pub fn tables(&self) -> &GovernanceTables {
        &self.tables
    }

    /// A version as scripts see it: with the row that a node's signature of it is. Constitutions read the root there that new
    /// members are to sign. The store has no rows of signatures, and a service whose nodes do not sign has none in its ledger.
    #[must_use]
    pub fn signed(&self, version: &State, root: Option<Digest>) -> State {
        let mut version = version.clone();
        if let (Some(root), Some(table)) = (root, version.tables().find(tables::SIGNATURES)) {
            let row = serde_json::json!({ "root": root.to_string() }).to_string();
            let section =
                Section { table, puts: vec![(tables::SINGLETON[..].into(), row.as_bytes().into())], removes: vec![] };
            version.apply(version.seqno().next(), &WriteSet { sections: vec![section] });
        }
        version
    }

    /// Reads a request of a member and verifies who signed it, and that it is of this kind.
    pub fn verify<'a>(&self, tx: &Tx<'_>, kind: Kind, envelope: &'a [u8]) -> Result<Signed<'a>, Refusal> {
        envelope::verify(&self.tables, tx, kind, envelope)
    }

    /// The same where any kind will do.
    pub fn verify_any<'a>(&self, tx: &Tx<'_>, envelope: &'a [u8]) -> Result<Signed<'a>, Refusal> {
        let kind =
            envelope::kind(envelope).ok_or(Refusal::InvalidAuthenticationInfo("the message is of no known type"))?;
        self.verify(tx, kind, envelope)
    }
}

/// Does all of something or nothing.
fn whole<T>(tx: &mut Tx<'_>, act: impl FnOnce(&mut Tx<'_>) -> Result<T, Refusal>) -> Result<T, Refusal> {
    let before: Savepoint = tx.savepoint();
    let result = act(tx);
    if result.is_err() {
        tx.rollback(before);
    }
    result
}
