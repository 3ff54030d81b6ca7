//! The store: ordered tables of bytes, in versions.
//!
//! ```text
//!   Store ── head ──▶ State          what the executor reads and writes next
//!     │        ▲
//!     │      apply(WriteSet) ◀── Tx  one transaction: reads, writes, savepoints
//!     │
//!     ├─ close ──▶ State             end of a batch, on its way to the ledger
//!     └─ commit ─▶ Snapshot          what readers see: the newest committed State and a window of older ones
//! ```
//!
//! A [`State`] is a set of persistent ordered maps: a clone costs a few reference counts, so a version is kept by
//! keeping a clone, and rolling back is taking an older clone again. Nothing is ever undone row by row.
//!
//! A table keeps either *state* (the current value stays in memory) or *history* (written once; after commit the row
//! leaves memory and is read back through [`History`]). So memory grows with state and not with what happened.
//!
//! Not here: bytes on disk (`ledger`, `node`), who may write (`adapter`), when a batch ends (`node`).

mod blob;
mod history;
mod map;
mod recent;
mod restore;
mod state;
mod store;
mod table;
mod tx;
mod writes;

pub use blob::Blob;
pub use history::{Found, History, HistoryError, NoHistory, Wanted};
pub use restore::Restore;
pub use state::{Derived, Snapshot, State};
pub use store::Store;
pub use table::{Kind, Privacy, Table, TableError, TableId, Tables};
pub use tx::{Finished, Reads, Savepoint, Tx};
pub use writes::{Section, WriteSet};
