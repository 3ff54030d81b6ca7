//! A history on disk, without the disk: what left memory can be read back, and nothing else.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base::Seqno;
use kv::{Blob, History, HistoryError, TableId, WriteSet};

#[derive(Default)]
pub struct Shelf {
    rows: Mutex<BTreeMap<(TableId, Blob), (Seqno, Blob)>>,
    pub asked: AtomicUsize,
}

impl Shelf {
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// What the keeper of a node does with a committed entry, for the history table.
    pub fn keep(&self, table: TableId, seqno: Seqno, writes: &WriteSet) {
        let mut rows = self.rows.lock().unwrap();
        for (key, value) in writes.section(table).into_iter().flat_map(|section| &section.puts) {
            rows.insert((table, key.clone()), (seqno, value.clone()));
        }
    }
}

impl History for Shelf {
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<(Seqno, Blob)>, HistoryError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(self.rows.lock().unwrap().get(&(table, Blob::from(key))).cloned())
    }
}
