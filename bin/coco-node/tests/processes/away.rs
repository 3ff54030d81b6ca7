//! Nodes that were away, and what a crash leaves of their files.

use std::fs::{self, OpenOptions};
use std::thread;

use crate::network::Network;

const MEGABYTE: usize = 1 << 20;

/// More than the primary keeps of its log in memory (32 MiB).
const WRITTEN_MEANWHILE: usize = 44;

fn value(number: usize) -> Vec<u8> {
    (0..MEGABYTE - 64).map(|place| ((place * 31) ^ number) as u8).collect()
}

/// Cuts bytes off the end of a file.
fn tear(path: &std::path::Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(bytes)).unwrap();
}

#[test]
fn a_node_that_was_away_for_long_takes_the_ledger_from_a_peer() {
    let mut network = Network::start(3);
    let primary = network.primary(1);
    let away = primary % 3 + 1;
    network.node(away).put("before", b"1");
    network.kill(away);
    thread::scope(|scope| {
        for writer in 0..4 {
            let node = network.node(primary);
            scope.spawn(move || {
                (0..WRITTEN_MEANWHILE)
                    .filter(|n| n % 4 == writer)
                    .for_each(|n| node.put(&format!("big{n}"), &value(n)));
            });
        }
    });
    network.start_node(away);
    network.node(away).shows(&format!("big{}", WRITTEN_MEANWHILE - 1), &value(WRITTEN_MEANWHILE - 1));
    (0..WRITTEN_MEANWHILE).for_each(|n| network.node(away).shows(&format!("big{n}"), &value(n)));
    assert!(network.log(away).contains("it takes the ledger from a peer"), "{}", network.log(away));
    // It is a full member again: with it, one other may be away.
    network.kill(primary);
    network.node(away).put("after", b"2");
    network.start_node(primary);
    network.node(primary).shows("after", b"2");
    network.assert_same_ledgers();
}

#[test]
fn a_node_that_died_while_it_caught_up_goes_on() {
    let mut network = Network::start(3);
    let primary = network.primary(1);
    let away = primary % 3 + 1;
    network.node(away).put("before", b"1");
    network.kill(away);
    (0..WRITTEN_MEANWHILE).for_each(|n| network.node(primary).put(&format!("big{n}"), &value(n)));
    for _ in 0..6 {
        network.start_node(away);
        let far = network.newest(away, "ledger");
        crate::network::wait("some of the ledger to arrive", || (network.newest(away, "ledger") != far).then_some(()));
        network.kill(away);
    }
    // Whoever leads next has read its whole log back, and so has what the other one had let go.
    network.kill(primary);
    network.start_node(primary);
    network.start_node(away);
    network.node(away).shows(&format!("big{}", WRITTEN_MEANWHILE - 1), &value(WRITTEN_MEANWHILE - 1));
    network.node(away).put("after", b"2");
    network.assert_same_ledgers();
}

#[test]
fn torn_tails_come_back() {
    let mut network = Network::start(3);
    network.primary(1);
    for round in 0..4_u64 {
        (0..20).for_each(|n| network.node(1).put(&format!("k{round}-{n}"), &[b'v'; 300]));
        let torn = round as usize % 3 + 1;
        network.kill(torn);
        // What was not synced is gone; a quorum of the others has it.
        tear(&network.newest(torn, "ledger"), 100 + 700 * round);
        network.start_node(torn);
        (0..20).for_each(|n| network.node(torn).shows(&format!("k{round}-{n}"), &[b'v'; 300]));
    }
    network.assert_same_ledgers();
}

#[test]
fn a_node_shows_nothing_older_than_what_it_showed_before() {
    let mut network = Network::start(3);
    network.primary(1);
    (0..20).for_each(|n| network.node(1).put("k", &[n]));
    (1..=3).for_each(|number| network.kill(number));
    // What the ledger file lost is in the log, and only another node can say that it was committed.
    tear(&network.newest(1, "ledger"), 100);
    network.start_node(1);
    assert!(crate::network::wait("the node to be up", || network.node(1).status()).is_some());
    network.start_node(2);
    let first = crate::network::wait("the first answer", || network.node(1).try_get("k"));
    assert_eq!(first, Some((200, vec![19])));
}

#[test]
fn a_write_that_was_torn_by_the_crash_is_cut_off_the_log() {
    let mut network = Network::start(3);
    network.primary(1);
    (0..20).for_each(|n| network.node(1).put(&format!("k{n}"), b"v"));
    network.kill(2);
    // Half a record behind everything that was acknowledged.
    let path = network.newest(2, "log");
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(&[0x40, 0, 0, 0, 1, 2, 3, 4, 5]);
    fs::write(&path, bytes).unwrap();
    network.start_node(2);
    network.node(2).put("after", b"1");
    network.assert_same_ledgers();
}

#[test]
fn an_index_that_was_deleted_is_built_again() {
    let mut network = Network::start(1);
    network.primary(1);
    (0..20).for_each(|n| network.node(1).put(&format!("k{n}"), b"v"));
    network.kill(1);
    fs::remove_dir_all(network.dir(1).join("index")).unwrap();
    network.start_node(1);
    (0..20).for_each(|n| network.node(1).shows(&format!("k{n}"), b"v"));
    network.stop(1);
    assert!(network.dir(1).join("index").is_dir());
}
