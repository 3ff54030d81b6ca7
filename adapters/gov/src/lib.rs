//! Governance as an adapter: members' requests over HTTPS, on the road that every transaction takes.
//!
//! ```text
//!   any node:  request ─▶ verify ─▶ scripts, on a version that is committed ─▶ Change: what it writes, and what it saw
//!   primary:                                             nothing was decided meanwhile? ─▶ an entry
//! ```
//!
//! Scripts take time and may be hostile, so they run where the request came in and never on the road. What they decided counts
//! only if no other decision came between: each one writes the next number into a row, and a change made on an
//! older number is refused and made again. So decisions are in one order, and each was judged by the rules in force.
//!
//! The API is that of CCF's `/gov`; what is behind it is the crate `governance`.

mod change;
mod decide;
mod founding;
mod http;
mod joining;
mod ledgers;
mod patience;
mod scripts;
mod settle;
mod views;

use std::sync::Arc;

use adapter::{
    Adapter, Batch, Blame, Closed, Committed, Fault, Host, LedgerId, Listener, NoHost, Node, Opening, Outcome, Reject,
    Verdict, Work,
};
use governance::Governance;
use kv::{Derived, Snapshot, State, TableError, TableId, Tables, Tx, WriteSet};

use change::Change;
pub use founding::{Founder, Founding};
pub use joining::{Attester, Joining, quote_info};
pub use scripts::{Scripts, apart, script_process, watched};
use views::Views;

/// A network's governance, on one node.
pub struct Gov {
    ledger: LedgerId,
    governance: Governance,
    founding: Founding,
    joining: Joining,
    scripts: Scripts,
    /// Which ledgers members can open.
    host: Arc<dyn Host>,
    views: Views,
}

impl Gov {
    /// Registers the tables of governance. What `founding` says is written once, in the service's first batch.
    pub fn new(
        ledger: LedgerId,
        founding: Founding,
        joining: Joining,
        scripts: Scripts,
        tables: &Tables,
    ) -> Result<Self, TableError> {
        let governance = Governance::register(tables, &[])?;
        Ok(Self { ledger, governance, founding, joining, scripts, host: Arc::new(NoHost), views: Views::default() })
    }

    /// Members can open ledgers that this one hosts; without it none.
    #[must_use]
    pub fn hosting(self, host: Arc<dyn Host>) -> Self {
        Self { host, ..self }
    }

    fn decisions(&self) -> TableId {
        self.governance.tables().decisions
    }
}

impl Adapter for Gov {
    fn name(&self) -> &str {
        "governance"
    }

    fn open(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        self.founding.write(&self.governance, tx)
    }

    fn begin(&self, _: &State, _: &Opening) -> Result<Box<dyn Batch>, Fault> {
        Ok(Box::new(Executing { decisions: self.decisions() }))
    }

    fn derive(&self, _: Option<&Derived>, _: &State, _: &[WriteSet]) -> Result<Option<Derived>, Fault> {
        Ok(None)
    }

    fn published(&self, _: &Snapshot, batch: &Committed) {
        let first = batch.entries.first().map_or(batch.last.seqno, |(seqno, _)| *seqno);
        self.views.note(batch.view(), first, batch.last.seqno);
    }

    fn listeners(self: Arc<Self>, node: Node) -> Vec<Listener> {
        vec![http::listener(self, node)]
    }
}

/// A batch in the making.
struct Executing {
    decisions: TableId,
}

impl Batch for Executing {
    fn execute(&mut self, tx: &mut Tx<'_>, work: &Work) -> Verdict {
        let decided = Change::decode(&work.body).and_then(|change| change.apply(self.decisions, tx));
        match decided {
            Ok(()) => Verdict::Keep(Outcome::default()),
            Err(reject) => Verdict::Drop(reject),
        }
    }

    fn close(self: Box<Self>, _: &mut Tx<'_>) -> Result<Closed, Fault> {
        Ok(Closed { derived: None, seal: None })
    }
}

fn at_fault(error: impl std::fmt::Display) -> Reject {
    Reject::new(Blame::Node, 0, error.to_string())
}
