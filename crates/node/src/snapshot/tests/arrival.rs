//! Snapshots that another node took.

use super::*;
use crate::snapshot::Arrival;

/// Takes what comes in pieces, onto a disk of its own.
fn arrives(world: &Small, content: &[u8], piece: usize) -> (ForgetfulDisk, Result<(), SnapshotError>) {
    let disk = ForgetfulDisk::default();
    let mut arrival = Arrival::on(Folder::on(disk.clone()), world.head.seqno());
    content.chunks(piece).for_each(|piece| arrival.write(piece).unwrap());
    assert_eq!(arrival.written(), content.len() as u64);
    let kept = arrival.keep(&world.files, &world.keys, world.signer.service.public());
    (disk, kept)
}

#[test]
fn what_one_node_took_another_begins_with() {
    let (world, disk, name) = taken(8, 200_000);
    let content = disk.content(&name);
    for piece in [content.len(), 65_537, 1_000] {
        let (there, kept) = arrives(&world, &content, piece);
        kept.unwrap();
        assert_eq!(there.names(), std::slice::from_ref(&name), "under its final name, and nothing else");
        let Opened { state, head, .. } = newest(&world, &there).unwrap();
        assert_eq!((rows(&state), head), (rows(world.store.head()), world.head.clone()));
    }
}

#[test]
fn what_is_not_good_leaves_nothing_behind() {
    let (world, disk, name) = taken(1, 3);
    let good = disk.content(&name);
    let refused = |content: &[u8], why: &str| {
        let (disk, kept) = arrives(&world, content, 100);
        assert!(kept.is_err(), "{why}");
        assert!(disk.names().is_empty(), "{why}");
    };
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] ^= 1 << (place % 8);
        refused(&bad, &format!("byte {place} of {}", good.len()));
        refused(&good[..place], &format!("{place} of {} bytes", good.len()));
    }
    refused(&[good.clone(), vec![0]].concat(), "more");
    refused(&[good.clone(), good.clone()].concat(), "twice");
}

#[test]
fn one_that_is_ahead_of_the_ledger_or_of_another_one_is_not_kept() {
    let (world, disk, name) = taken(3, 50);
    let content = disk.content(&name);
    let mut behind: Small = World::of(ForgetfulDisk::default(), world.signer.clone());
    behind.batch(2, 50);
    behind.head = world.head.clone();
    assert!(matches!(arrives(&behind, &content, 100).1, Err(SnapshotError::Newer(_))));
    let mut other: Small = World::new(ForgetfulDisk::default());
    (0..3).for_each(|_| other.batch(2, 50));
    assert_eq!(other.head.seqno(), world.head.seqno());
    assert!(matches!(arrives(&other, &content, 100).1, Err(SnapshotError::Foreign)));
    // Begun and left.
    let disk = ForgetfulDisk::default();
    let mut arrival = Arrival::on(Folder::on(disk.clone()), world.head.seqno());
    arrival.write(&content).unwrap();
    drop(arrival);
    assert!(disk.names().is_empty());
}
