//! Where rows of history tables are once they have left memory, and how entries are found by what is in them.
//!
//! A row is found by its key. An entry is found by *terms*: what its adapter says it may be looked for by (the address
//! of a log, the owner of a state). An index of terms gives hints: whoever asks opens the entries that it names and looks
//! for himself, and looks through what is newer than the index.

use std::error::Error;

use base::Seqno;

use crate::{Blob, State, TableId, WriteSet};

/// Reads history back. Implemented over the index and the ledger file by the node.
pub trait History: Send + Sync {
    /// The row and the seqno that wrote it. Called by readers of any thread, often; may read a file.
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<(Seqno, Blob)>, HistoryError>;

    /// Entries from `from` up to `to` that may carry what is wanted, as far as one call goes: see [`Found`].
    fn find(&self, _wanted: &Wanted, _from: Seqno, _to: Seqno) -> Result<Found, HistoryError> {
        Ok(Found::default())
    }

    /// What an entry wrote. `None` if it is not among what can be read back yet.
    fn entry(&self, _seqno: Seqno) -> Result<Option<WriteSet>, HistoryError> {
        Ok(None)
    }
}

/// What entries are looked for by: a term out of each of these groups, all of one table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    pub table: TableId,
    pub groups: Vec<Vec<Vec<u8>>>,
}

/// An answer of the index.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Found {
    /// Every entry that carries what was wanted, and perhaps some that do not; ascending.
    pub entries: Vec<Seqno>,
    /// Up to here. It lies before the end of what was asked for when one call has done enough: ask again for the rest.
    /// Before its beginning (or nowhere) when the index does not reach there.
    pub upto: Seqno,
}

impl State {
    /// Entries of this version, from `from` up to `to`, that may carry what is wanted.
    pub fn entries_with(&self, wanted: &Wanted, from: Seqno, to: Seqno) -> Result<Found, HistoryError> {
        self.history.find(wanted, from, to.min(self.seqno()))
    }

    /// What an entry of this version wrote, if it can be read back yet.
    pub fn entry(&self, seqno: Seqno) -> Result<Option<WriteSet>, HistoryError> {
        if seqno > self.seqno() {
            return Ok(None);
        }
        self.history.entry(seqno)
    }
}

/// A history row could not be read back: this node's disk is to blame, not the caller.
#[derive(Debug, thiserror::Error)]
#[error("history could not be read from this node's disk")]
pub struct HistoryError(#[source] Box<dyn Error + Send + Sync>);

impl HistoryError {
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// For stores that never let a row leave memory, and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHistory;

impl History for NoHistory {
    fn get(&self, _: TableId, _: &[u8]) -> Result<Option<(Seqno, Blob)>, HistoryError> {
        Ok(None)
    }
}
