//! Where rows of history tables are once they have left memory.

use std::error::Error;

use base::Seqno;

use crate::{Blob, TableId};

/// Reads a history row back. Implemented over the index and the ledger file by the node.
pub trait History: Send + Sync {
    /// The row and the seqno that wrote it. Called by readers of any thread, often; may read a file.
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<(Seqno, Blob)>, HistoryError>;
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
