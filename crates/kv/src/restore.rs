//! A version as rows, and rows as a version: what a node keeps on disk so as not to read its whole ledger again.

use std::sync::Arc;

use base::Seqno;

use crate::map::Row;
use crate::{History, State, TableId, Tables};

impl State {
    /// This version without what adapters derived from it: kept for long, it holds rows in memory and nothing else.
    #[must_use]
    pub fn bare(&self) -> Self {
        let mut bare = self.clone();
        bare.derived.clear();
        bare
    }

    /// The rows of a state table in key order: key, the seqno that wrote the row, value.
    pub fn versioned(&self, table: TableId) -> impl Iterator<Item = (&[u8], Seqno, &[u8])> {
        self.rows::<std::ops::RangeFull>(table, ..).map(|(key, row)| (&key[..], row.version, &row.value[..]))
    }
}

/// Builds a version row by row. Rows may come in any order; a later one replaces an earlier one with its key.
pub struct Restore(State);

impl Restore {
    #[must_use]
    pub fn new(tables: Arc<Tables>, history: Arc<dyn History>) -> Self {
        Self(State::new(tables, history))
    }

    pub fn put(&mut self, table: TableId, key: &[u8], version: Seqno, value: &[u8]) {
        self.0.map_mut(table).insert(key.into(), Row { version, value: value.into() });
    }

    /// What is there so far.
    #[must_use]
    pub fn so_far(&self) -> &State {
        &self.0
    }

    /// The version as of `seqno`: no row is younger.
    #[must_use]
    pub fn finish(mut self, seqno: Seqno) -> State {
        self.0.seqno = seqno;
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, NoHistory, Store};

    #[test]
    fn a_version_is_the_same_after_it_was_taken_apart_and_put_together() {
        let tables = Tables::new();
        let ids = [tables.add("a", Kind::State).unwrap(), tables.add("public:b", Kind::State).unwrap()];
        let tables = Arc::new(tables);
        let mut store = Store::new(tables.clone(), Arc::new(NoHistory));
        for seqno in 1..=300u64 {
            let mut tx = store.tx();
            tx.put(ids[(seqno % 2) as usize], (seqno * 7_919 % 101).to_le_bytes().to_vec(), vec![seqno as u8; 5]);
            tx.remove(ids[0], (seqno % 101).to_le_bytes().to_vec());
            let writes = tx.finish().writes;
            store.apply(Seqno(seqno), &writes);
        }
        let state = store.head();
        let mut restore = Restore::new(tables, Arc::new(NoHistory));
        for id in ids {
            state.versioned(id).for_each(|(key, version, value)| restore.put(id, key, version, value));
        }
        let restored = restore.finish(state.seqno());
        assert_eq!(restored.seqno(), Seqno(300));
        for id in ids {
            assert!(state.len(id) > 10 && state.versioned(id).eq(restored.versioned(id)));
        }
        // It goes on from there.
        let mut store = Store::on(restored);
        let mut tx = store.tx();
        tx.put(ids[0], *b"new", *b"row");
        let writes = tx.finish().writes;
        store.apply(Seqno(301), &writes);
        store.close();
        assert_eq!(store.commit(Seqno(301)).oldest(), Seqno(300));
    }
}
