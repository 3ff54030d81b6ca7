//! The ledger: what happened, as bytes that anyone can check.
//!
//! ```text
//!   WriteSet ── seal ──▶ raw entry ┐
//!   WriteSet ── seal ──▶ raw entry ├─ sign ──▶ batch = entries + signature ── Files::append ──▶ chunk files
//!   WriteSet ── seal ──▶ raw entry ┘                  │
//!                                                     └─ check_batch ── open ──▶ WriteSet     (a backup)
//! ```
//!
//! The format is CCF's, byte for byte (docs/formats/), so tools for CCF audit our ledgers. [`verify`] is our own audit: offline,
//! from public information only.
//!
//! All of it is pure but for [`Files`], which reaches the disk through [`Directory`], and [`verify`], which reads a directory.
//! No clock and no randomness: times come as arguments, IVs are transaction ids.
//!
//! Not here: when a batch ends, who signs, what is committed (`node`); what a hosted ledger's rows mean (its adapter).

mod bytes;
mod check;
mod chunk;
mod directory;
mod domain;
mod entry;
mod error;
mod exchange;
mod files;
pub mod genesis;
mod keys;
mod places;
pub mod receipt;
mod recovery;
mod scan;
pub mod secrets;
mod show;
mod signature;
pub mod tables;
mod tree;
pub mod verify;

pub use check::{Checked, CheckedEntry, check_batch};
pub use directory::{Directory, Disk};
pub use domain::{SectionView, Sections};
pub use entry::{RawEntry, find_row, open, seal, split};
pub use error::{Corrupt, SealError};
pub use exchange::Chunk;
pub use files::{Batches, Covered, Files, FilesError, Recovered};
pub use keys::LedgerKeys;
pub use receipt::Receipt;
pub use scan::scan;
pub use show::{Shown, ShownRow, ShownTable, show};
pub use signature::{Head, Signer, sign};
pub use tree::Frontier;
pub use verify::verify;
