//! Hosted ledgers: what members' row of one says to every node, and who makes adapters of rows.
//!
//! ```text
//!   members decide ─▶ check ─▶ row, committed ─▶ make (tables are registered) ─▶ Adapter::open ─▶ doors
//!                     one node                   every node                      primary          every node
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use base::limits::ENTRY_BYTES_MAX;
use kv::Tables;
use serde::Deserialize;

use crate::{Adapter, Fault, LedgerId, Prefix};

/// The hosted ledgers: key = name, value = JSON, a [`LedgerRow`] and what its kind adds to that.
pub const LEDGERS: &str = "public:coco.gov.ledgers";

/// Ledgers that a network may have opened in its life, closed ones included.
pub const LEDGERS_MAX: u16 = 1_000;

/// What [`Adapter::open`] may write, in bytes of keys and values: it is one entry, which may not be larger than any.
pub const OPENING_BYTES_MAX: usize = ENTRY_BYTES_MAX / 2;

/// Which ledgers this program can host.
pub trait Host: Send + Sync {
    /// Why no ledger can be opened from this row, if so: the sentence is for members. What passes is opened by every node, so
    /// this tries all that [`Host::make`] and [`Adapter::open`] will do. May take its time.
    fn check(&self, name: &str, row: &[u8]) -> Result<(), String>;

    /// The adapter of a ledger whose row is committed; registers its tables. Once for a ledger in the life of a process, on every
    /// node, before anything else of the ledger is met. It may not depend on more than the row for which tables there are.
    fn make(&self, name: &str, id: LedgerId, row: &[u8], tables: &Tables) -> Result<Arc<dyn Adapter>, Fault>;
}

/// A hosted ledger, as far as it concerns the node and not its adapter.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct LedgerRow {
    /// Its [`LedgerId`] on every node, from 1 on in the order in which ledgers were opened; never used twice.
    pub number: u16,
    pub kind: String,
    pub status: LedgerStatus,
    /// On which port nodes open which of its listeners, unless their own configuration says otherwise.
    #[serde(default)]
    pub listeners: Option<BTreeMap<String, u16>>,
    #[serde(default)]
    pub policy: Option<LedgerPolicy>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub enum LedgerStatus {
    Open,
    /// It takes no work until members resume it.
    Paused,
    /// It takes no work any more.
    Closed,
}

/// What nodes enforce for a ledger. Nothing else may stand in it: nobody shall believe in a rule that no node keeps.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerPolicy {
    /// From where clients may connect; absent: from anywhere.
    #[serde(default)]
    pub connect: Option<Vec<Prefix>>,
}

impl LedgerRow {
    pub fn read(row: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(row).map_err(|error| error.to_string())
    }
}

/// Hosts nothing: governance by itself, in a test of it.
pub struct NoHost;

impl Host for NoHost {
    fn check(&self, _: &str, _: &[u8]) -> Result<(), String> {
        Err("this node hosts no ledger of any kind".to_owned())
    }

    fn make(&self, _: &str, _: LedgerId, _: &[u8], _: &Tables) -> Result<Arc<dyn Adapter>, Fault> {
        Err(Fault::new("this node hosts no ledger of any kind"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_nodes_keep_and_nothing_that_they_do_not() {
        let row = LedgerRow::read(
            br#"{"number": 3, "kind": "keyvalue", "status": "Paused", "genesis": {"any": [1]}, "listeners": null,
                 "policy": {"connect": ["10.0.0.0/8"]}}"#,
        );
        let row = row.unwrap();
        assert_eq!((row.number, row.status, row.listeners), (3, LedgerStatus::Paused, None));
        assert!(row.policy.unwrap().connect.unwrap()[0].has("10.9.9.9".parse().unwrap()));
        let refused = |row: &str| LedgerRow::read(row.as_bytes()).unwrap_err();
        let strict = |policy: &str| refused(&format!(r#"{{"number":1,"kind":"k","status":"Open","policy":{policy}}}"#));
        assert!(strict(r#"{"read": ["org1"]}"#).contains("read"));
        assert!(strict(r#"{"connect": ["10.0.0.1/8"]}"#).contains("10.0.0.1/8"));
        assert!(refused(r#"{"kind":"k","status":"Open"}"#).contains("number"));
        assert!(refused(r#"{"number":70000,"kind":"k","status":"Open"}"#).contains("70000"));
    }
}
