//! Files that a node gives to nodes that begin with them: chunks of the ledger, and snapshots of the state.
//!
//! What they mean, and whether they are to be believed, is for whoever takes them to say.

use std::io;

use base::Seqno;

/// What a node has on its disk for others. Every call may take as long as a disk takes.
pub trait Files: Send + Sync {
    /// The name of the chunk that has the entry `since`, or of the newest snapshot of what is behind it.
    fn find(&self, kind: FileKind, since: Seqno) -> io::Result<Option<String>>;

    /// Opens a file that [`Files::find`] names, now or a moment ago; no other.
    fn open(&self, kind: FileKind, name: &str) -> io::Result<Option<Stored>>;
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FileKind {
    Chunk,
    Snapshot,
}

/// An open file. It stays what it is, whatever becomes of its name.
pub struct Stored {
    /// How much of it there is to read.
    pub bytes: u64,
    /// Whether a file of this name never changes.
    pub fixed: bool,
    /// Fills a buffer from an offset on; what is asked for lies within `bytes`.
    pub read: Read,
}

/// See [`Stored::read`].
pub type Read = Box<dyn Fn(u64, &mut [u8]) -> io::Result<()> + Send + Sync>;

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored").field("bytes", &self.bytes).field("fixed", &self.fixed).finish_non_exhaustive()
    }
}
