//! A restart from a snapshot ends where a restart from the whole ledger does.

use std::path::Path;
use std::sync::Arc;

use crypto::MacKey;
use kv::{History, Store};
use ledger::{Disk, Head};

use super::super::{Ground, Last};
use super::*;
use crate::executor::{Replayed, replay};
use crate::history::Archive;

struct Node {
    world: World<Disk>,
    dir: tempfile::TempDir,
    folder: Folder,
}

impl Node {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let world = World::new(Disk::open(dir.path().join("ledger")).unwrap());
        let folder = Folder::open(&dir.path().join("snapshots")).unwrap();
        Self { world, dir, folder }
    }

    fn batches(&mut self, count: usize) {
        (0..count).for_each(|_| self.world.batch(2, 40));
        self.world.files.sync().unwrap();
    }

    fn take(&self) -> Last {
        let bytes = self.folder.take(self.world.store.head(), &self.world.head, &self.world.keys, Pace::Quick).unwrap();
        Last { seqno: self.world.head.seqno(), bytes }
    }

    fn archive(&self) -> Arc<Archive> {
        let path = |name: &str| self.dir.path().join(name);
        let (tables, keys) = (self.world.tables.clone(), self.world.keys.clone());
        let key = MacKey::new(b"index");
        let hosting = self.world.hosting();
        let (archive, _) = Archive::open(&path("ledger"), &path("index"), keys, tables, key, hosting).unwrap();
        Arc::new(archive)
    }

    fn lose(&self, folder: &str) {
        let folder: &Path = &self.dir.path().join(folder);
        std::fs::remove_dir_all(folder).unwrap();
        std::fs::create_dir(folder).unwrap();
    }

    /// The store after a restart, and where the snapshot ended that it began from.
    fn restart(&self, archive: &Arc<Archive>) -> (Replayed, Seqno) {
        let history: Arc<dyn History> = archive.clone();
        let service = self.world.signer.service.public();
        let opened = self.folder.newest(&archive.files, &archive.keys, service, || Ground {
            tables: archive.tables.clone(),
            history: history.clone(),
            follow: &|_| {},
        });
        let begun = match opened {
            Some(Opened { state, head, .. }) => Replayed { store: Store::on(state), head },
            None => Replayed { store: Store::new(archive.tables.clone(), history), head: Head::new() },
        };
        let from = begun.head.seqno();
        (replay(archive, begun, service, &|_, _| Ok(())).unwrap(), from)
    }

    /// After a restart everything is there, old history too.
    fn check(&self, from: Seqno) {
        let archive = self.archive();
        let (Replayed { store, head }, began) = self.restart(&archive);
        assert_eq!(began, from);
        assert_eq!(head, self.world.head);
        assert_eq!(store.head().seqno(), head.seqno());
        assert_eq!(rows(store.head()), rows(self.world.store.head()));
        let blocks = self.world.table("blocks");
        let written = |seqno: u64| store.head().get(blocks, &seqno.to_be_bytes()).unwrap();
        for seqno in 1..=head.seqno().0 {
            // Every fourth entry is a signature.
            assert_eq!(written(seqno).is_some(), seqno % 4 != 0, "the row of {seqno}");
        }
        assert!(written(head.seqno().0 + 1).is_none());
    }
}

#[test]
fn the_state_is_the_same_from_a_snapshot_and_from_the_whole_ledger() {
    let mut node = Node::new();
    node.check(Seqno(0));
    node.batches(10);
    node.check(Seqno(0));
    let first = node.take();
    // Nothing is behind it, then something.
    node.check(first.seqno);
    node.batches(7);
    node.check(first.seqno);
    let second = node.take();
    node.batches(3);
    node.check(second.seqno);
    node.folder.keep(&[first.seqno]);
    node.check(first.seqno);
    node.folder.keep(&[]);
    node.check(Seqno(0));
}

#[test]
fn a_lost_index_is_built_for_what_is_older_than_the_snapshot_too() {
    let mut node = Node::new();
    node.batches(6);
    let last = node.take();
    node.batches(4);
    node.check(last.seqno);
    node.lose("index");
    node.check(last.seqno);
}

#[test]
fn an_index_that_lags_behind_the_snapshot_is_completed() {
    let mut node = Node::new();
    node.batches(3);
    node.check(Seqno(0));
    node.batches(5);
    let last = node.take();
    node.batches(2);
    node.check(last.seqno);
}

#[test]
fn a_snapshot_does_not_hide_a_ledger_that_is_damaged_behind_it() {
    let mut node = Node::new();
    node.batches(5);
    node.take();
    node.check(node.world.head.seqno());
    node.batches(2);
    let path = node.dir.path().join("ledger/ledger_1");
    let mut bytes = std::fs::read(&path).unwrap();
    let place = bytes.len() - 10;
    bytes[place] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    // The last batch does not open: it is cut off as if a crash had torn it, and comes again from elsewhere.
    let archive = node.archive();
    assert!(archive.files.end() < node.world.head.seqno());
    let (Replayed { head, .. }, _) = node.restart(&archive);
    assert_eq!(head.seqno(), archive.files.end());
}
