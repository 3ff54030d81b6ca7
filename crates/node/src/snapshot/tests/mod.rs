//! Snapshots that come back, and everything else that must not.

mod content;
mod failures;
mod restart;
mod world;

use std::sync::Arc;

use base::Seqno;
use crypto::KeyPair;
use kv::{Kind, Tables};

use super::header::HEADER_BYTES;
use super::parts::PART_BYTES;
use super::{Folder, Opened, Pace, SnapshotError};
use crate::log::tests::disk::ForgetfulDisk;
use world::{World, ground, rows, tables};

type Small = World<ForgetfulDisk>;

/// A service and a snapshot of it.
fn taken(batches: usize, bytes: usize) -> (Small, ForgetfulDisk, String) {
    let mut world = World::new(ForgetfulDisk::default());
    (0..batches).for_each(|_| world.batch(2, bytes));
    let disk = ForgetfulDisk::default();
    take(&world, &disk);
    let name = format!("snapshot_{}", world.head.seqno());
    (world, disk, name)
}

fn take(world: &Small, disk: &ForgetfulDisk) -> u64 {
    Folder::on(disk.clone()).take(world.store.head(), &world.head, &world.keys, Pace::Quick).unwrap()
}

fn read(world: &Small, disk: &ForgetfulDisk, seqno: Seqno) -> Result<Opened, SnapshotError> {
    let service = world.signer.service.public();
    Folder::on(disk.clone()).read(seqno, &world.files, &world.keys, service, ground(&world.tables))
}

/// As [`read`], of the newest that is of use.
fn newest(world: &Small, disk: &ForgetfulDisk) -> Option<Opened> {
    let service = world.signer.service.public();
    Folder::on(disk.clone()).newest(&world.files, &world.keys, service, || ground(&world.tables))
}

#[test]
fn what_is_read_back_is_what_was_taken() {
    // From a state that fits a part by far to one that takes several, with a value as long as a part and longer.
    for (batches, bytes) in [(1, 0), (5, 50), (8, 200_000), (3, PART_BYTES), (2, 3 * PART_BYTES + 1)] {
        let (world, disk, name) = taken(batches, bytes);
        let Opened { state, head, bytes } = read(&world, &disk, world.head.seqno()).unwrap();
        assert_eq!(rows(&state), rows(world.store.head()));
        assert!(rows(&state)["z.accounts"].len() > 1 && rows(&state)["empty"].is_empty());
        assert_eq!((head, state.seqno()), (world.head.clone(), world.head.seqno()));
        assert_eq!(bytes, disk.content(&name).len() as u64);
    }
}

#[test]
fn no_two_snapshots_have_a_byte_of_their_bodies_in_common_but_by_chance() {
    let (world, disk, name) = taken(3, 500);
    let first = disk.content(&name);
    take(&world, &disk);
    let second = disk.content(&name);
    assert_eq!(first.len(), second.len());
    let body = |bytes: &[u8]| bytes[HEADER_BYTES + 5..].to_vec();
    let same = body(&first).iter().zip(body(&second)).filter(|(a, b)| **a == *b).count();
    assert!(same < first.len() / 50, "{same} of {}: a key was used twice", first.len());
}

#[test]
fn nothing_of_it_is_in_clear() {
    let mut world: Small = World::new(ForgetfulDisk::default());
    let secret = b"nobody may read this on a disk";
    let accounts = world.table("z.accounts");
    let mut tx = world.store.tx();
    tx.put(accounts, *secret, *secret);
    let writes = tx.finish().writes;
    world.batch(2, 10);
    world.store.apply(world.head.seqno().next(), &writes);
    let disk = ForgetfulDisk::default();
    take(&world, &disk);
    let content = disk.content(&format!("snapshot_{}", world.head.seqno()));
    let shows = |what: &[u8]| content.windows(what.len()).any(|window| window == what);
    assert!(content.len() > 2 * secret.len() && !shows(&secret[..8]) && !shows(b"accounts"));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let (world, disk, name) = taken(1, 3);
    let good = disk.content(&name);
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&world, &disk.with(&name, bad), world.head.seqno()).is_err(), "bit {bit} of {}", good.len() * 8);
    }
}

#[test]
fn it_is_whole_or_of_no_use() {
    let (world, disk, name) = taken(1, 3);
    let good = disk.content(&name);
    for length in 0..good.len() {
        let torn = disk.with(&name, good[..length].to_vec());
        assert!(read(&world, &torn, world.head.seqno()).is_err(), "{length} of {}", good.len());
    }
    for more in [vec![0], good.clone()] {
        let longer = disk.with(&name, [good.clone(), more].concat());
        assert!(read(&world, &longer, world.head.seqno()).is_err());
    }
}

#[test]
fn parts_stay_in_their_place_and_in_their_file() {
    let (world, disk, name) = taken(12, 200_000);
    let parts = |bytes: &[u8]| -> Vec<Vec<u8>> {
        let (mut rest, mut parts) = (&bytes[HEADER_BYTES..], Vec::new());
        while !rest.is_empty() {
            let length = u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
            let (part, more) = rest.split_at(4 + 1 + 16 + length);
            parts.push(part.to_vec());
            rest = more;
        }
        parts
    };
    let first = disk.content(&name);
    take(&world, &disk);
    let second = disk.content(&name);
    let (header, own, other) = (second[..HEADER_BYTES].to_vec(), parts(&second), parts(&first));
    assert!(own.len() > 2, "{} parts", own.len());
    let last = own.len() - 1;
    let with = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut parts = own.clone();
        change(&mut parts);
        let content = [header.clone(), parts.concat()].concat();
        read(&world, &disk.with(&name, content), world.head.seqno()).map(|opened| rows(&opened.state))
    };
    assert_eq!(with(&|_| ()).unwrap(), rows(world.store.head()));
    assert!(matches!(with(&|parts| parts.swap(0, 1)), Err(SnapshotError::Sealed(0))));
    assert!(matches!(with(&|parts| parts[1] = own[0].clone()), Err(SnapshotError::Sealed(1))));
    assert!(matches!(with(&|parts| parts.insert(1, own[0].clone())), Err(SnapshotError::Sealed(1))));
    assert!(matches!(with(&|parts| drop(parts.remove(1))), Err(SnapshotError::Sealed(1))));
    // The last one goes, and the one before it says that it is the last.
    let forged = with(&|parts| {
        parts.pop();
        parts[last - 1][4] = 1;
    });
    assert!(matches!(forged, Err(SnapshotError::Sealed(part)) if part == last as u64 - 1));
    for place in 0..=last {
        let mixed = with(&|parts| parts[place] = other[place].clone());
        assert!(matches!(mixed, Err(SnapshotError::Sealed(part)) if part == place as u64));
    }
    // The other file's header with this one's parts.
    let mixed = disk.with(&name, [&first[..HEADER_BYTES], &second[HEADER_BYTES..]].concat());
    assert!(matches!(read(&world, &mixed, world.head.seqno()), Err(SnapshotError::Sealed(0))));
}

#[test]
fn another_secret_opens_nothing() {
    let (mut world, disk, name) = taken(2, 30);
    let seqno = world.head.seqno();
    // The ledger's own signature does not open, or what stands there was sealed anew under the other secret.
    world.keys = world::keys(8);
    assert!(matches!(read(&world, &disk, seqno), Err(SnapshotError::Ledger(_))));
    let content = disk.content(&name);
    let header: &[u8; HEADER_BYTES] = content[..HEADER_BYTES].try_into().unwrap();
    let header = super::header::Header::read(header).unwrap();
    let mut opener = super::parts::Opener::new(&disk, &name, &header, &world.keys).unwrap();
    assert!(matches!(opener.take(1, &mut Vec::new()), Err(SnapshotError::Sealed(0))));
}

#[test]
fn a_snapshot_of_another_ledger_is_passed_over() {
    let (world, disk, _) = taken(4, 30);
    let seqno = world.head.seqno();
    // Another service of the same secret; its ledger has a signature at the same place.
    let mut other: Small = World::new(ForgetfulDisk::default());
    (0..4).for_each(|_| other.batch(2, 30));
    assert_eq!(other.head.txid, world.head.txid);
    assert!(matches!(read(&other, &disk, seqno), Err(SnapshotError::Foreign)));
    // The same service in another view, in which the place was written anew.
    let mut later: Small = World::of(ForgetfulDisk::default(), world.signer.clone());
    (0..4).for_each(|_| later.batch(3, 30));
    assert!(matches!(read(&later, &disk, seqno), Err(SnapshotError::Foreign)));
    // No signature stands there.
    let mut shifted: Small = World::of(ForgetfulDisk::default(), world.signer.clone());
    (0..4).for_each(|_| shifted.batch(2, 30));
    let named = disk.with(&format!("snapshot_{}", seqno.0 - 1), disk.content(&format!("snapshot_{seqno}")));
    assert!(matches!(read(&shifted, &named, Seqno(seqno.0 - 1)), Err(SnapshotError::Format(_))));
    // A ledger that this node's service did not sign is not this node's.
    let service = KeyPair::generate().unwrap();
    let folder = Folder::on(disk);
    let opened = folder.read(seqno, &world.files, &world.keys, service.public(), ground(&world.tables)).map(|_| ());
    assert!(matches!(opened, Err(SnapshotError::Ledger(_))));
}

#[test]
fn what_is_newer_than_the_ledger_is_left_and_the_older_one_taken() {
    let (mut world, disk, _) = taken(2, 30);
    let older = (world.head.seqno(), rows(world.store.head()));
    world.batch(2, 30);
    take(&world, &disk);
    // A ledger file that lost its last batch in a crash: the same signatures, one less.
    let shorter = ForgetfulDisk::default();
    let (cut, _) = ledger::Files::open(shorter, Some(&world.keys)).unwrap();
    let batches: Vec<_> = world.files.batches(Seqno(1)).map(Result::unwrap).collect();
    batches[..2].iter().for_each(|batch| cut.append(batch).unwrap());
    let newest_seqno = world.head.seqno();
    let whole = std::mem::replace(&mut world.files, cut);
    assert!(matches!(read(&world, &disk, newest_seqno), Err(SnapshotError::Newer(_))));
    let opened = newest(&world, &disk).unwrap();
    assert_eq!((opened.head.seqno(), rows(&opened.state)), older);
    world.files = whole;
    assert_eq!(newest(&world, &disk).unwrap().head.seqno(), newest_seqno);
}

#[test]
fn a_node_with_other_tables_reads_its_whole_ledger() {
    let (mut world, disk, _) = taken(2, 30);
    let seqno = world.head.seqno();
    let mut with = |more: &[(&str, Kind)]| {
        world.tables = tables(more);
        read(&world, &disk, seqno).map(|_| ())
    };
    assert!(with(&[("empty", Kind::State)]).is_ok());
    assert!(with(&[("empty", Kind::State), ("more", Kind::History)]).is_ok());
    // What has no rows is no part of a version: a ledger that opened later may have brought it, or it went.
    assert!(with(&[]).is_ok() && with(&[("a", Kind::State), ("zz", Kind::State)]).is_ok());
    world.tables = Arc::new(Tables::new());
    for (name, kind) in [("public:settings", Kind::State), ("z.accounts", Kind::History)] {
        world.tables.add(name, kind).unwrap();
        let unknown = read(&world, &disk, seqno).map(|_| ());
        assert!(matches!(unknown, Err(SnapshotError::Table(name)) if name == "z.accounts"));
    }
}
