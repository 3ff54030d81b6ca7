//! Snapshots: the committed state on disk, so that a restart reads the ledger from there on and not from its beginning.
//!
//! ```text
//!   readers' version ─▶ rows ─▶ parts of 1 MiB, sealed ─▶ snapshots/snapshot_N        now and then, off the road
//!   snapshots/snapshot_N ─▶ opens whole? ends at a signature of this ledger? ─▶ store ─▶ ledger behind it
//! ```
//!
//! A snapshot saves time and nothing else. Everything in it is in the ledger too, so one that is torn, foreign or damaged is
//! passed over, and a disk that does not take one costs a line in the log. Byte layout: docs/formats/snapshot.md.
//!
//! Not here: rows of history tables, which are read back out of the ledger file; what adapters derive, which they build
//! anew.

mod folder;
mod header;
mod parts;
mod rows;
mod taker;
#[cfg(test)]
mod tests;

use std::io;

pub use folder::{Folder, Opened};
pub use parts::Pace;
pub use rows::Ground;
pub use taker::{Last, Taker};

/// Why a snapshot is not there, or of no use.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("it could not be {doing}: {source}")]
    Io { doing: &'static str, source: io::Error },
    #[error("it is no snapshot that this program can read: {0}")]
    Format(&'static str),
    #[error("part {0} does not open: it was changed, moved, torn off, or sealed under another ledger secret")]
    Sealed(u64),
    #[error("its content is broken: {0}")]
    Content(&'static str),
    #[error("it has a table {0:?}, which is none of this node's state: was it written by another version?")]
    Table(String),
    #[error("it is newer than the ledger file, which ends at {0}")]
    Newer(base::Seqno),
    #[error("it is not of this ledger: another entry stands at its place, or the service did not sign it")]
    Foreign,
    #[error("the ledger file does not say where it stood there: {0}")]
    Ledger(#[from] ledger::FilesError),
    #[error("no ledger secret is valid at its seqno")]
    NoKey,
    #[error("it could not be sealed: {0}")]
    Crypto(#[from] crypto::Error),
}

fn io_error(doing: &'static str) -> impl Fn(io::Error) -> SnapshotError {
    move |source| SnapshotError::Io { doing, source }
}
