//! Rows of history tables that cannot be read back from disk yet.
//!
//! ```text
//!   oldest  [ batch ] [ batch ] [ batch ]  ( batch in the making )  newest
//!              └─ leaves once it is on disk        └─ grows entry by entry
//! ```
//!
//! They are written once and leave soon, in the order they came. So they are not in the maps, where each would be put in and
//! taken out again at the price of a copied path, but in the batches they came with, which versions share.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Seqno;
use imbl::Vector;

use crate::map::Row;
use crate::{Blob, Section, TableId};

/// What one version has of them. A clone costs two reference counts.
#[derive(Clone, Default)]
pub(crate) struct Recent {
    closed: Vector<Arc<Batch>>,
    open: Arc<Batch>,
}

/// Rows that leave together.
#[derive(Clone, Default)]
struct Batch {
    /// The last entry that wrote one of them.
    last: Seqno,
    tables: BTreeMap<TableId, BTreeMap<Blob, Row>>,
}

impl Recent {
    pub(crate) fn get(&self, table: TableId, key: &[u8]) -> Option<&Row> {
        let newest_first = [&self.open].into_iter().chain(self.closed.iter().rev());
        newest_first.filter_map(|batch| batch.tables.get(&table)).find_map(|rows| rows.get(key))
    }

    /// Adds what an entry wrote to one table.
    pub(crate) fn put(&mut self, entry: Seqno, section: &Section) {
        Arc::make_mut(&mut self.open).put(entry, section);
    }

    /// The batch in the making is complete.
    pub(crate) fn close(&mut self) {
        if !self.open.tables.is_empty() {
            self.closed.push_back(std::mem::take(&mut self.open));
        }
    }

    /// Adds what an entry of a batch that is closed brought late.
    pub(crate) fn amend(&mut self, entry: Seqno, sections: &[&Section]) {
        if !sections.is_empty() {
            let mut late = Batch::default();
            sections.iter().for_each(|section| late.put(entry, section));
            self.closed.push_back(Arc::new(late));
        }
    }

    /// Lets batches leave of which nothing was written after `seqno`.
    pub(crate) fn forget(&mut self, seqno: Seqno) {
        while self.closed.front().is_some_and(|batch| batch.last <= seqno) {
            self.closed.pop_front();
        }
    }

    /// Rows of a table.
    pub(crate) fn len(&self, table: TableId) -> usize {
        let batches = self.closed.iter().chain([&self.open]);
        batches.filter_map(|batch| batch.tables.get(&table)).map(BTreeMap::len).sum()
    }
}

impl Batch {
    fn put(&mut self, entry: Seqno, Section { table, puts, .. }: &Section) {
        self.last = self.last.max(entry);
        let rows = self.tables.entry(*table).or_default();
        for (key, value) in puts {
            rows.insert(key.clone(), Row { version: entry, value: value.clone() });
        }
    }
}
