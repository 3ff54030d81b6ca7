//! Why something could not be read.

use kv::HistoryError;
use revm::database_interface::DBErrorMarker;

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("header not found: block {number} is after the newest one, {head}")]
    Future { number: u64, head: u64 },
    #[error(
        "the state of block {number} is no longer kept: this node keeps the newest versions only, unless it runs as an archive"
    )]
    Pruned { number: u64 },
    #[error("this ledger has no genesis yet: the network is starting")]
    NotOpen,
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The store handed out bytes that this program never wrote.
    #[error("a stored row cannot be read: {0}")]
    Corrupt(&'static str),
}

impl DBErrorMarker for ReadError {}

impl From<ReadError> for adapter::Fault {
    fn from(error: ReadError) -> Self {
        Self::new(error)
    }
}
