//! A decision on its way to the primary: rows, and its number, which must be the next one.
//!
//! CBOR: `[number, time, [[table, [[key, value or null], …]], …]]`. Tables go by name: their numbers are a process' own.

use adapter::{Blame, Reject};
use bytes::Bytes;
use governance::Decision;
use kv::{Section, TableId, Tx, WriteSet};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::at_fault;

#[derive(Encode, Decode, Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Its number: one more than that of the last decision that it knows of.
    #[n(0)]
    number: u64,
    #[n(1)]
    time: u64,
    #[n(2)]
    tables: Vec<Rows>,
}

#[derive(Encode, Decode, Clone, PartialEq, Eq, Debug)]
struct Rows {
    #[n(0)]
    table: String,
    /// Absent values are removals.
    #[n(1)]
    rows: Vec<(ByteVec, Option<ByteVec>)>,
}

impl Change {
    /// `writes` is what the request left on the version that it was judged on.
    pub fn new(decision: Decision, writes: &WriteSet, tables: &kv::Tables) -> Self {
        let rows = |Section { table, puts, removes }: &Section| {
            let bytes = |blob: &kv::Blob| ByteVec::from(blob.to_vec());
            let puts = puts.iter().map(|(key, value)| (bytes(key), Some(bytes(value))));
            let removes = removes.iter().map(|key| (bytes(key), None));
            Rows { table: tables.get(*table).name.clone(), rows: puts.chain(removes).collect() }
        };
        Self { number: decision.number, time: decision.time, tables: writes.sections.iter().map(rows).collect() }
    }

    /// Its number among all decisions.
    pub fn number(&self) -> u64 {
        self.number
    }

    pub fn encode(&self) -> Bytes {
        minicbor::to_vec(self).expect("writing to memory does not fail").into()
    }

    pub fn decode(bytes: &Bytes) -> Result<Self, Reject> {
        minicbor::decode(bytes).map_err(|_| at_fault("a node of this network forwarded a decision that cannot be read"))
    }

    /// Writes the rows, if the decision was made on the last one before it.
    pub fn apply(self, decisions: TableId, tx: &mut Tx<'_>) -> Result<(), Reject> {
        if Decision::last(decisions, tx).map_err(at_fault)?.number.checked_add(1) != Some(self.number) {
            return Err(Reject::new(Blame::Conflict, 0, "something else was decided meanwhile"));
        }
        let ids: Result<Vec<TableId>, Reject> = self.tables.iter().map(|rows| table(&rows.table, tx)).collect();
        for (table, Rows { rows, .. }) in ids?.into_iter().zip(self.tables) {
            for (key, value) in rows {
                match value {
                    Some(value) => tx.put(table, key.as_slice(), value.as_slice()),
                    None => tx.remove(table, key.as_slice()),
                }
            }
        }
        Decision { number: self.number, time: self.time }.write(decisions, tx);
        Ok(())
    }
}

/// Decisions are public, all of them.
fn table(name: &str, tx: &Tx<'_>) -> Result<TableId, Reject> {
    let id = tx.base().tables().find(name).filter(|_| name.starts_with("public:"));
    id.ok_or_else(|| at_fault("a node of this network decided on rows of a table that governance does not have"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kv::{Kind, NoHistory, State, Tables};

    use super::*;

    fn state() -> (State, TableId, TableId) {
        let tables = Tables::new();
        let decisions = tables.add("public:decisions", Kind::State).unwrap();
        let rows = tables.add("public:rows", Kind::State).unwrap();
        tables.add("secret", Kind::State).unwrap();
        (State::new(Arc::new(tables), Arc::new(NoHistory)), decisions, rows)
    }

    fn decided(number: u64, table: &str) -> Change {
        let row = |key: &[u8], value: Option<&[u8]>| (key.to_vec().into(), value.map(|value| value.to_vec().into()));
        let rows = vec![row(b"a", Some(b"1")), row(b"b", None)];
        Change { number, time: 9, tables: vec![Rows { table: table.into(), rows }] }
    }

    #[test]
    fn a_decision_reads_what_it_writes() {
        let change = decided(7, "public:rows");
        let bytes = change.encode();
        assert_eq!(Change::decode(&bytes), Ok(change));
        for cut in 0..bytes.len() {
            assert!(Change::decode(&bytes.slice(..cut)).is_err());
        }
    }

    #[test]
    fn a_decision_counts_only_on_the_last_one() {
        let (mut state, decisions, rows) = state();
        for number in 1..4 {
            let mut tx = Tx::new(&state);
            assert_eq!(
                decided(number + 1, "public:rows").apply(decisions, &mut tx).unwrap_err().blame,
                Blame::Conflict
            );
            decided(number, "public:rows").apply(decisions, &mut tx).unwrap();
            assert_eq!(tx.get(rows, b"a").unwrap().as_deref(), Some(&b"1"[..]));
            let writes = tx.finish().writes;
            state.apply(state.seqno().next(), &writes);
        }
    }

    #[test]
    fn nothing_private_is_decided_on() {
        let (state, decisions, _) = state();
        for table in ["secret", "public:unheard"] {
            let mut tx = Tx::new(&state);
            assert_eq!(decided(1, table).apply(decisions, &mut tx).unwrap_err().blame, Blame::Node);
            assert!(tx.finish().writes.is_empty());
        }
    }
}
