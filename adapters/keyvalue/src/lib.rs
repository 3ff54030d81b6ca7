//! A small ledger of keys and values over REST: the smallest adapter that is of use, and the example to start from.
//!
//! ```text
//!   PUT    /kv/KEY   body = value      200 {"transaction":"2.17"}      committed, and visible on the node that was asked
//!   DELETE /kv/KEY                     200 {"transaction":"2.18"}
//!   GET    /kv/KEY                     200 value │ 404
//!   GET    /kv?prefix=P&after=K&limit=N   200 {"keys":["…"],"more":false}
//! ```
//!
//! A write may be conditional: `If-None-Match: *` asks that the key be new. `docs/adding-an-adapter.md` walks through it.

mod rest;
mod work;

use std::sync::Arc;

use adapter::{
    Adapter, Batch, Blame, Closed, Committed, Fault, LedgerId, Listener, Node, Opening, Outcome, Reject, Verdict, Work,
};
use kv::{Derived, Kind, Snapshot, State, TableError, TableId, Tables, Tx, WriteSet};

pub use rest::LISTENER;
pub use work::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

/// A hosted key-value ledger.
pub struct KeyValue {
    name: String,
    ledger: LedgerId,
    rows: TableId,
}

impl KeyValue {
    /// Registers the ledger's table, `<name>.rows`: private, since its name does not begin with `public:`.
    pub fn new(name: impl Into<String>, ledger: LedgerId, tables: &Tables) -> Result<Self, TableError> {
        let name = name.into();
        let rows = tables.add(format!("{name}.rows"), Kind::State)?;
        Ok(Self { name, ledger, rows })
    }

    /// Any node: checks what can be checked without a write.
    fn admit(&self, change: &work::Change) -> Result<Work, Reject> {
        Ok(Work { ledger: self.ledger, body: change.encode()? })
    }
}

impl Adapter for KeyValue {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self, _: &mut Tx<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn begin(&self, _: &State, _: &Opening) -> Result<Box<dyn Batch>, Fault> {
        Ok(Box::new(Executing { rows: self.rows }))
    }

    fn derive(&self, _: Option<&Derived>, _: &State, _: &[WriteSet]) -> Result<Option<Derived>, Fault> {
        Ok(None)
    }

    fn published(&self, _: &Snapshot, _: &Committed) {}

    fn listeners(self: Arc<Self>, node: Node) -> Vec<Listener> {
        vec![rest::listener(self, node)]
    }
}

/// A batch in the making. This ledger closes it without an entry of its own.
struct Executing {
    rows: TableId,
}

impl Batch for Executing {
    fn execute(&mut self, tx: &mut Tx<'_>, work: &Work) -> Verdict {
        match run(self.rows, tx, work) {
            Ok(()) => Verdict::Keep(Outcome::default()),
            Err(reject) => Verdict::Drop(reject),
        }
    }

    fn close(self: Box<Self>, _: &mut Tx<'_>) -> Result<Closed, Fault> {
        Ok(Closed { derived: None, seal: None })
    }
}

fn run(rows: TableId, tx: &mut Tx<'_>, work: &Work) -> Result<(), Reject> {
    let node = |message: String| Reject::new(Blame::Node, 0, message);
    let change = work::Change::decode(&work.body)
        .ok_or_else(|| node("a node of this network forwarded a change that cannot be read".into()))?;
    match change {
        work::Change::Put { key, value, only_new } => {
            let taken = only_new && tx.get(rows, &key).map_err(|error| node(error.to_string()))?.is_some();
            if taken {
                return Err(Reject::new(Blame::Conflict, 0, "the key is taken, and the request asked for a new one"));
            }
            tx.put(rows, &key[..], &value[..]);
        }
        work::Change::Delete { key } => tx.remove(rows, &key[..]),
    }
    Ok(())
}
