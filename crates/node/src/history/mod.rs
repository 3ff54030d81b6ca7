//! What is committed goes to disk for good, off the road: into the ledger file, and into an index that finds it again.
//!
//! ```text
//!   publisher ─▶ ledger file (append; fsync now and then) ─▶ index ─▶ the store may forget history rows up to here
//!                     │                                       │
//!                     ├──── row ◀── entry seqno ◀── PRF(table, key) ──── a reader asks for an old row
//!                     └─ entries ◀── entry seqnos ◀── PRF(group, term) ─ a reader asks for what carries a term
//! ```
//!
//! The index holds no value, no key and no term: only keyed hashes, and the seqnos of entries. What is read is read out of
//! the ledger file, opened, and so authenticated. A lost index is built again.

mod index;
mod keeper;
mod room;

use std::path::Path;
use std::sync::Arc;

use adapter::Fault;
use base::{Seqno, TxId};
use kv::{Blob, Found, History, HistoryError, TableId, Tables, Wanted, WriteSet};
use ledger::{Disk, Files, LedgerKeys, RawEntry};

use crate::hosting::Hosting;
pub use index::{Index, IndexError};
pub use keeper::{Keep, Keeper};
pub use room::{Room, Taken};

/// Reads history back. Shared by all readers of the store.
pub struct Archive {
    pub files: Files<Disk>,
    pub index: Index,
    pub keys: Arc<LedgerKeys>,
    pub tables: Arc<Tables>,
    /// Their adapters say by what entries are found.
    pub hosting: Arc<Hosting>,
}

impl Archive {
    /// Opens what is on disk.
    pub fn open(
        ledger: &Path,
        index: &Path,
        keys: Arc<LedgerKeys>,
        tables: Arc<Tables>,
        index_key: crypto::MacKey,
        hosting: Arc<Hosting>,
    ) -> Result<(Self, ledger::Recovered), Fault> {
        let directory = Disk::open(ledger).map_err(Fault::new)?;
        let (files, recovered) = Files::open(directory, Some(&keys)).map_err(Fault::new)?;
        let index = Index::open(index, index_key, tables.clone()).map_err(Fault::new)?;
        Ok((Self { files, index, keys, tables, hosting }, recovered))
    }

    /// Notes what is in these entries, which are in the ledger file and follow on those before. What is noted already
    /// is left alone.
    pub fn index(&self, entries: &[(Seqno, WriteSet)], last: Seqno) -> Result<(), IndexError> {
        let ledgers = self.hosting.ledgers();
        self.index.add(&self.tables, entries, last, |writes, each| {
            ledgers.iter().filter_map(|ledger| ledger.adapter()).for_each(|adapter| adapter.terms(writes, each));
        })
    }

    /// Whether the ledger file has this very entry.
    pub fn has(&self, txid: TxId) -> bool {
        let bytes = self.files.read(txid.seqno);
        bytes.is_ok_and(|bytes| RawEntry::parse(&bytes).is_ok_and(|entry| entry.txid == txid))
    }
}

impl History for Archive {
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<(Seqno, Blob)>, HistoryError> {
        let found = self.index.row(table, key).map_err(HistoryError::new)?;
        // After a crash the index may be ahead of the ledger file; what that lost comes again.
        let Some(seqno) = found.filter(|seqno| *seqno <= self.files.end()) else { return Ok(None) };
        let bytes = self.files.read(seqno).map_err(HistoryError::new)?;
        let entry = RawEntry::parse(&bytes).map_err(HistoryError::new)?;
        let name = &self.tables.get(table).name;
        let row = ledger::find_row(&entry, name, key, &self.keys).map_err(HistoryError::new)?;
        // Not found under this key: two keys with one hash, which is as good as impossible, or a foreign index.
        Ok(row.map(|value| (seqno, value)))
    }

    fn find(&self, wanted: &Wanted, from: Seqno, to: Seqno) -> Result<Found, HistoryError> {
        self.index.find(wanted, from, to.min(self.files.end())).map_err(HistoryError::new)
    }

    fn entry(&self, seqno: Seqno) -> Result<Option<WriteSet>, HistoryError> {
        if seqno > self.files.end() {
            return Ok(None);
        }
        let bytes = self.files.read(seqno).map_err(HistoryError::new)?;
        let entry = RawEntry::parse(&bytes).map_err(HistoryError::new)?;
        ledger::open(&entry, &self.tables, &self.keys).map(Some).map_err(HistoryError::new)
    }
}
