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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use crypto::MacKey;
    use ledger::Disk;

    use super::*;
    use crate::snapshot::tests::world::World;

    fn read(stored: &Stored) -> Vec<u8> {
        let mut bytes = vec![0; stored.bytes as usize];
        let (first, rest) = bytes.split_at_mut(5);
        (stored.read)(0, first).unwrap();
        (stored.read)(5, rest).unwrap();
        bytes
    }

    /// Of a node that has what there is so far of the ledger in `world`.
    fn shelf(dir: &Path, world: &World<Disk>) -> Shelf {
        let (ledger, index) = (dir.join("ledger"), dir.join("index"));
        fs::create_dir(&ledger).unwrap();
        for file in fs::read_dir(dir.join("world")).unwrap() {
            let path = file.unwrap().path();
            fs::copy(&path, ledger.join(path.file_name().unwrap())).unwrap();
        }
        let key = MacKey::new(&[7; 32]);
        let opened = Archive::open(&ledger, &index, world.keys.clone(), world.tables.clone(), key, world.hosting());
        Shelf { archive: Arc::new(opened.unwrap().0), ledger, snapshots: dir.join("snapshots") }
    }

    #[test]
    fn a_chunk_is_given_as_far_as_it_had_grown_and_stays_what_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let mut world = World::new(Disk::open(dir.path().join("world")).unwrap());
        (0..12).for_each(|_| world.batch(2, 200_000));
        let shelf = shelf(dir.path(), &world);
        let first = shelf.find(FileKind::Chunk, Seqno(1)).unwrap().unwrap();
        let closed = shelf.open(FileKind::Chunk, &first).unwrap().unwrap();
        assert!(closed.fixed && first.ends_with(".committed"));
        assert!(read(&closed) == fs::read(dir.path().join("ledger").join(&first)).unwrap());

        let open = shelf.find(FileKind::Chunk, shelf.archive.files.end()).unwrap().unwrap();
        assert_ne!(open, first);
        let grows = shelf.open(FileKind::Chunk, &open).unwrap().unwrap();
        let was = fs::read(dir.path().join("ledger").join(&open)).unwrap();
        assert!(!grows.fixed && read(&grows) == was);
        // It is closed under another name, and what was opened does not know.
        while shelf.open(FileKind::Chunk, &open).unwrap().is_some() {
            let at = world.head.seqno();
            world.batch(2, 200_000);
            let batch = world.files.batches(at.next()).next().unwrap().unwrap();
            shelf.archive.files.append(&batch).unwrap();
        }
        assert!(read(&grows) == was);
        assert_eq!(shelf.find(FileKind::Chunk, shelf.archive.files.end().next()).unwrap(), None);
    }

    #[test]
    fn of_snapshots_the_newest_is_found_and_nothing_else_has_a_name() {
        let dir = tempfile::tempdir().unwrap();
        let world = World::new(Disk::open(dir.path().join("world")).unwrap());
        let shelf = shelf(dir.path(), &world);
        assert_eq!(shelf.find(FileKind::Snapshot, Seqno(0)).unwrap(), None, "there is no folder");
        fs::create_dir(&shelf.snapshots).unwrap();
        for name in ["snapshot_9", "snapshot_10", "snapshot_11.writing", "snapshot_012", "other"] {
            fs::write(shelf.snapshots.join(name), format!("this is {name}")).unwrap();
        }
        let found = |since| shelf.find(FileKind::Snapshot, Seqno(since)).unwrap();
        assert_eq!(found(0).as_deref(), Some("snapshot_10"));
        assert_eq!((found(9).as_deref(), found(10)), (Some("snapshot_10"), None));
        let open = |name: &str| shelf.open(FileKind::Snapshot, name).unwrap();
        assert_eq!(read(&open("snapshot_9").unwrap()), b"this is snapshot_9");
        let names = ["snapshot_8", "snapshot_11.writing", "snapshot_012", "other", "../claim", "", ".", "snapshot_9/"];
        assert!(names.iter().all(|name| open(name).is_none()));
        assert!(shelf.open(FileKind::Chunk, "snapshot_9").unwrap().is_none());
    }
}
