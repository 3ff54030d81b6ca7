//! What this node gives to nodes that begin with it: its ledger files as far as they are committed, and its snapshots.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use adapter::{FileKind, Files, Stored};
use base::Seqno;
use ledger::Chunk;

use super::Archive;
use crate::snapshot;

/// The first bytes of a chunk that grows. They change when it is closed, under the same handle.
const UNFINISHED: [u8; 8] = [0; 8];

pub struct Shelf {
    pub archive: Arc<Archive>,
    /// The folders.
    pub ledger: PathBuf,
    pub snapshots: PathBuf,
}

impl Files for Shelf {
    fn find(&self, kind: FileKind, since: Seqno) -> io::Result<Option<String>> {
        match kind {
            FileKind::Chunk => Ok(self.archive.files.chunk_with(since).map(|chunk| chunk.name)),
            FileKind::Snapshot => Ok(self.newest()?.filter(|newest| *newest > since).map(snapshot::name_of)),
        }
    }

    fn open(&self, kind: FileKind, name: &str) -> io::Result<Option<Stored>> {
        match kind {
            FileKind::Chunk => {
                let chunk = self.archive.files.chunk_named(name);
                chunk.map_or(Ok(None), |chunk| self.chunk(&chunk))
            }
            // Only what has the name of a whole one: never one in the making, nor anything that is no snapshot.
            FileKind::Snapshot if snapshot::seqno_of(name).is_none() => Ok(None),
            FileKind::Snapshot => there(File::open(self.snapshots.join(name)))?.map(whole).transpose(),
        }
    }
}

impl Shelf {
    /// A chunk that grew is read as far as it had grown, and as it was then.
    fn chunk(&self, Chunk { name, grown_to }: &Chunk) -> io::Result<Option<Stored>> {
        // It may have been closed, and have another name, since it was looked up: then whoever asks looks again.
        let Some(file) = there(File::open(self.ledger.join(name)))? else { return Ok(None) };
        let Some(bytes) = *grown_to else { return whole(file).map(Some) };
        let read = move |from: u64, into: &mut [u8]| {
            file.read_exact_at(into, from)?;
            for (place, byte) in (from..).zip(into).take_while(|(place, _)| *place < UNFINISHED.len() as u64) {
                *byte = UNFINISHED[place as usize];
            }
            Ok(())
        };
        Ok(Some(Stored { bytes, fixed: false, read: Box::new(read) }))
    }

    fn newest(&self) -> io::Result<Option<Seqno>> {
        let mut newest = None;
        let Some(folder) = there(std::fs::read_dir(&self.snapshots))? else { return Ok(None) };
        for file in folder {
            newest = newest.max(snapshot::seqno_of(&file?.file_name().to_string_lossy()));
        }
        Ok(newest)
    }
}

/// All of a file that never changes.
fn whole(file: File) -> io::Result<Stored> {
    let bytes = file.metadata()?.len();
    Ok(Stored { bytes, fixed: true, read: Box::new(move |from, into| file.read_exact_at(into, from)) })
}

fn there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}
