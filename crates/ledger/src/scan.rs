//! Reading a ledger directory that may be another process's: nothing is written, nothing is cut.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread;

use base::limits::CHUNK_BYTES_MAX;
use base::{Seqno, TxId};
use crossbeam_channel::{Receiver, bounded};

use crate::chunk::{self, ChunkName, FIRST_OFFSET};
use crate::entry::{RawEntry, split};
use crate::verify::{Broken, Reason};

/// Chunks that are read ahead.
const CHUNKS_AHEAD: usize = 2;

/// Shows every entry from `first` on to `visit`, until it has seen enough or the ledger ends. Frames are checked, nothing else.
/// What is unfinished at the end of the last chunk is left out: its node may be writing it.
pub fn scan(
    directory: &Path,
    first: Seqno,
    mut visit: impl FnMut(&RawEntry<'_>) -> ControlFlow<()>,
) -> Result<(), Broken> {
    let chunks = list(directory)?;
    let start = chunks.partition_point(|chunk| chunk.name.first() <= first.0).saturating_sub(1);
    for chunk in &chunks[start..] {
        let bytes = fs::read(&chunk.path).map_err(|error| chunk.broken(None, Reason::Io(error.into())))?;
        let corrupt = |error| chunk.broken(None, Reason::Corrupt(error));
        let open = matches!(chunk.name, ChunkName::Open { .. });
        let end = if open { bytes.len() as u64 } else { chunk::table_offset(&bytes).map_err(corrupt)? };
        let entries =
            usize::try_from(end).ok().and_then(|end| bytes.get(FIRST_OFFSET as usize..end)).unwrap_or_default();
        for entry in split(entries) {
            let entry = match entry {
                Err(_) if open => return Ok(()),
                entry => entry.map_err(corrupt)?,
            };
            if entry.txid.seqno >= first && visit(&entry).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// A chunk's file.
pub(crate) struct ChunkFile {
    path: PathBuf,
    pub(crate) name: ChunkName,
    pub(crate) bytes: u64,
}

impl ChunkFile {
    pub(crate) fn broken(&self, txid: Option<TxId>, reason: Reason) -> Broken {
        Broken { file: self.name.to_string(), txid, reason }
    }
}

/// The directory's chunks in order, which must join without a gap.
pub(crate) fn list(directory: &Path) -> Result<Vec<ChunkFile>, Broken> {
    let of_directory = |reason| Broken { file: directory.display().to_string(), txid: None, reason };
    let io = |error: std::io::Error| of_directory(Reason::Io(error.into()));
    let mut chunks = Vec::new();
    for file in fs::read_dir(directory).map_err(io)? {
        let file = file.map_err(io)?;
        let name = file.file_name().to_string_lossy().into_owned();
        let Some(parsed) = ChunkName::parse(&name) else {
            if name.ends_with(".ignored") || name.ends_with(".recovery") {
                continue;
            }
            return Err(Broken { file: name, txid: None, reason: Reason::Chunk("it is not a ledger file") });
        };
        // Of the link itself, if it is one: what it leads to may have no end.
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() || metadata.len() > CHUNK_BYTES_MAX {
            return Err(Broken { file: name, txid: None, reason: Reason::Chunk("it is not a plain file below 4 GiB") });
        }
        chunks.push(ChunkFile { path: file.path(), name: parsed, bytes: metadata.len() });
    }
    chunks.sort_unstable_by_key(|chunk| chunk.name.first());
    let mut next = Some(1);
    for chunk in &chunks {
        if next != Some(chunk.name.first()) {
            return Err(chunk.broken(None, Reason::Chunk("a chunk before it is missing, or is there twice")));
        }
        next = match chunk.name {
            ChunkName::Committed { last, .. } => Some(last + 1),
            ChunkName::Open { .. } => None,
        };
    }
    if chunks.is_empty() { Err(of_directory(Reason::Chunk("there is no ledger file in it"))) } else { Ok(chunks) }
}

/// Reads the chunks in order on a thread of its own.
pub(crate) fn read_ahead<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    chunks: &[ChunkFile],
) -> Receiver<std::io::Result<Vec<u8>>> {
    let (sender, receiver) = bounded(CHUNKS_AHEAD);
    let paths: Vec<PathBuf> = chunks.iter().map(|chunk| chunk.path.clone()).collect();
    scope.spawn(move || paths.into_iter().map(fs::read).try_for_each(|bytes| sender.send(bytes)));
    receiver
}
