//! Chunks that go from one node's directory to another's.
//!
//! ```text
//!   the giver:  an entry, or a name ─▶ Chunk: which file, and how much of it is committed
//!   the taker:  bytes ─▶ batches that continue the ledger here, up to a signature of the service ─▶ its own files
//! ```
//!
//! The taker keeps batches and not files: its chunks have the same borders as everybody's anyway, and a position table
//! is made here and not believed.

use base::{Seqno, TxId};
use crypto::PublicKey;

use crate::check::{check_batch, check_prefix};
use crate::chunk::{self, ChunkName, FIRST_OFFSET};
use crate::entry::RawEntry;
use crate::files::{Files, FilesError, Index, corrupt, first_batch};
use crate::signature::Head;
use crate::{Corrupt, Directory, LedgerKeys};

/// A chunk as others are shown it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chunk {
    /// Of the file in the ledger directory.
    pub name: String,
    /// So many bytes of the file are committed, while it grows. `None`: all of it, and it never changes.
    pub grown_to: Option<u64>,
}

impl<D: Directory> Files<D> {
    /// The chunk that has an entry, if there is such an entry.
    #[must_use]
    pub fn chunk_with(&self, seqno: Seqno) -> Option<Chunk> {
        let index = self.read_index();
        let at = index.closed.partition_point(|(_, last)| *last < seqno.0);
        match index.closed.get(at) {
            Some((first, _)) if *first > seqno.0 => None,
            Some((first, last)) => Some(closed(*first, *last)),
            None => open(&index).filter(|_| seqno.0 < index.open.next()),
        }
    }

    /// The chunk with this very name.
    #[must_use]
    pub fn chunk_named(&self, name: &str) -> Option<Chunk> {
        let index = self.read_index();
        match ChunkName::parse(name)? {
            ChunkName::Open { .. } => open(&index).filter(|chunk| chunk.name == name),
            ChunkName::Committed { first, last } => {
                index.closed.binary_search(&(first, last)).is_ok().then(|| closed(first, last))
            }
        }
    }

    /// Takes over what a chunk of another node's has behind `head`, which is the end of these files, and gives the end
    /// after it. All of it must continue the ledger and end in a signature of the service that opens, or none of it
    /// is taken: [`FilesError::Corrupt`] is the giver's fault, anything else this disk's.
    pub fn take_over(
        &self,
        head: &Head,
        name: &str,
        chunk: &[u8],
        keys: &LedgerKeys,
        service: &PublicKey,
    ) -> Result<Head, FilesError> {
        let (entries, head) = arrived(head, chunk, keys, service).map_err(|source| corrupt(name, source))?;
        self.append(entries)?;
        Ok(head)
    }
}

fn closed(first: u64, last: u64) -> Chunk {
    Chunk { name: ChunkName::Committed { first, last }.to_string(), grown_to: None }
}

fn open(index: &Index) -> Option<Chunk> {
    let open = &index.open;
    (!open.positions.is_empty()).then(|| Chunk { name: open.name(), grown_to: Some(open.end.into()) })
}

/// The entries of a chunk that are new behind `head`, and where the ledger stands after them.
fn arrived<'a>(
    head: &Head,
    chunk: &'a [u8],
    keys: &LedgerKeys,
    service: &PublicKey,
) -> Result<(&'a [u8], Head), Corrupt> {
    // While it grows it has no position table; what follows is not looked at.
    let end = match chunk::table_offset(chunk)? {
        0 => chunk.len(),
        table => usize::try_from(table).unwrap_or(usize::MAX).min(chunk.len()),
    };
    let new = behind(head.seqno(), chunk.get(FIRST_OFFSET as usize..end).unwrap_or_default());
    let (mut rest, mut now, mut last) = (new, head.clone(), None);
    while !rest.is_empty() {
        let checked = check_prefix(&now, rest, None)?;
        let (batch, behind) = rest.split_at(checked.bytes());
        let signature = checked.entries.last().map_or(0, |entry| entry.start);
        last = Some((std::mem::replace(&mut now, checked.head), batch, &batch[signature..]));
        rest = behind;
    }
    // The last root covers all entries before it, and what it does not cover of its own entry, the entry's tag does: all but
    // the flags. No entry has any.
    if let Some((before, batch, signature)) = last {
        check_batch(&before, batch, Some(service))?;
        let signature = RawEntry::parse(signature)?;
        signature.open_private(keys)?;
        if signature.flags != 0 {
            return Err(Corrupt::Frame("it has flags, which no entry has"));
        }
    }
    Ok((new, now))
}

/// What lies behind an entry, in whole batches.
fn behind(seqno: Seqno, mut entries: &[u8]) -> &[u8] {
    while let Ok((batch, lengths)) = first_batch(entries)
        && last_of(batch, lengths.len()).is_some_and(|last| last <= seqno)
    {
        entries = &entries[batch.len()..];
    }
    entries
}

fn last_of(batch: &[u8], entries: usize) -> Option<Seqno> {
    let TxId { seqno, .. } = RawEntry::parse(batch).ok()?.txid;
    seqno.0.checked_add(entries as u64).map(|next| Seqno(next - 1))
}
