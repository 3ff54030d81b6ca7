//! Disks that are full, and machines that stop in the middle.

use super::super::folder::Folder;
use super::*;
use crate::log::tests::disk::Luck;

fn writing_left(disk: &ForgetfulDisk) -> bool {
    ledger::Directory::list(disk).unwrap().iter().any(|name| name.ends_with(".writing"))
}

#[test]
fn a_disk_that_fails_costs_the_new_snapshot_and_nothing_else() {
    let (mut world, disk, _) = taken(2, 400_000);
    let older = world.head.seqno();
    world.batch(2, 400_000);
    let folder = Folder::on(disk.clone());
    let mut failures = 0;
    for calls in 0.. {
        disk.fail_in(Some(calls));
        let taken = folder.take(world.store.head(), &world.head, &world.keys, Pace::Quick);
        disk.fail_in(None);
        if taken.is_ok() {
            break;
        }
        failures += 1;
        assert!(matches!(taken, Err(SnapshotError::Io { .. })));
        // Where even deleting fails, the next start does it.
        let folder = Folder::on(disk.clone());
        assert!(!writing_left(&disk));
        // Its names may have been all that was not made durable.
        let seqno = newest(&world, &disk).unwrap().head.seqno();
        assert!(seqno == older || folder.all().contains(&world.head.seqno()));
    }
    assert!(failures > 5, "{failures}");
    assert_eq!(newest(&world, &disk).unwrap().head.seqno(), world.head.seqno());
}

#[test]
fn a_failure_is_cleared_away_at_once() {
    let (mut world, disk, _) = taken(2, 30);
    world.batch(2, 30);
    /// Takes so many writes, then none: deleting always works.
    struct Full(ForgetfulDisk, std::sync::atomic::AtomicI32);
    impl ledger::Directory for Full {
        fn list(&self) -> std::io::Result<Vec<String>> {
            self.0.list()
        }
        fn len(&self, name: &str) -> std::io::Result<u64> {
            self.0.len(name)
        }
        fn read(&self, name: &str, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
            self.0.read(name, offset, into)
        }
        fn write(&self, name: &str, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
            match self.1.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) {
                0 => Err(std::io::ErrorKind::StorageFull.into()),
                _ => self.0.write(name, offset, bytes),
            }
        }
        fn truncate(&self, name: &str, len: u64) -> std::io::Result<()> {
            self.0.truncate(name, len)
        }
        fn sync(&self, name: &str) -> std::io::Result<()> {
            self.0.sync(name)
        }
        fn rename(&self, from: &str, to: &str) -> std::io::Result<()> {
            self.0.rename(from, to)
        }
        fn remove(&self, name: &str) -> std::io::Result<()> {
            self.0.remove(name)
        }
        fn sync_names(&self) -> std::io::Result<()> {
            self.0.sync_names()
        }
    }
    for writes in 0..2 {
        let folder = Folder::on(Full(disk.clone(), std::sync::atomic::AtomicI32::new(writes)));
        assert!(folder.take(world.store.head(), &world.head, &world.keys, Pace::Quick).is_err());
        assert!(!writing_left(&disk));
        // And it works as soon as there is room.
        assert!(folder.take(world.store.head(), &world.head, &world.keys, Pace::Quick).is_ok());
    }
}

#[test]
fn a_crash_at_any_moment_leaves_a_snapshot_of_use() {
    for seed in 0..20 {
        for calls in 0..12 {
            let (mut world, disk, _) = taken(2, 30);
            let older = world.head.seqno();
            world.batch(2, 30);
            disk.fail_in(Some(calls));
            let folder = Folder::on(disk.clone());
            let done = folder.take(world.store.head(), &world.head, &world.keys, Pace::Quick).is_ok();
            disk.crash(&mut Luck(seed));
            let found = newest(&world, &disk).unwrap().head.seqno();
            assert!(!writing_left(&disk));
            if done {
                assert_eq!(found, world.head.seqno(), "it was there for good");
            } else {
                assert!(found == older || found == world.head.seqno());
            }
        }
    }
}

#[test]
fn only_those_that_are_kept_stay() {
    let (mut world, disk, _) = taken(1, 10);
    let folder = Folder::on(disk.clone());
    for _ in 0..4 {
        world.batch(2, 10);
        take(&world, &disk);
    }
    let all = folder.all();
    assert_eq!(all.len(), 5);
    folder.keep(&all[3..]);
    assert_eq!(folder.all(), &all[3..]);
    assert_eq!(newest(&world, &disk).unwrap().head.seqno(), world.head.seqno());
}
