//! Networks of real processes, sockets and disks, most with the key-value ledger alone on them.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

mod away;
mod crowds;
mod disks;
mod govern;
mod ledgers;
mod network;
mod offices;
mod secrets;
mod snapshots;

use network::Network;

#[test]
fn what_one_node_acknowledged_every_node_shows() {
    let network = Network::start(3);
    network.primary(1);
    for number in 1..=3 {
        let value = format!("written through node {number}");
        network.node(number).put(&format!("key{number}"), value.as_bytes());
        // The node that was asked shows it at once.
        assert_eq!(network.node(number).get(&format!("key{number}")).as_deref(), Some(value.as_bytes()));
        (1..=3).for_each(|other| network.node(other).shows(&format!("key{number}"), value.as_bytes()));
    }
    assert!(network.node(1).metrics().contains("coco_committed_seqno"));
}

#[test]
fn a_network_survives_its_primary() {
    let mut network = Network::start(3);
    let first = network.primary(1);
    let other = first % 3 + 1;
    network.node(other).put("before", b"1");
    network.kill(first);
    network.node(other).put("after", b"2");
    assert_ne!(network.primary(other), first);
    network.start_node(first);
    network.node(first).shows("before", b"1");
    network.node(first).shows("after", b"2");
}

#[test]
fn a_network_comes_back_whole_after_all_its_nodes_died() {
    let mut network = Network::start(3);
    network.primary(1);
    (0..20).for_each(|n| network.node(1).put(&format!("k{n}"), format!("{n}").as_bytes()));
    (1..=3).for_each(|number| network.kill(number));
    (1..=3).for_each(|number| network.start_node(number));
    for number in 1..=3 {
        (0..20).for_each(|n| network.node(number).shows(&format!("k{n}"), format!("{n}").as_bytes()));
    }
    network.node(2).put("again", b"x");
}

#[test]
fn a_planned_stop_hands_over_and_ends_well() {
    let mut network = Network::start(3);
    let first = network.primary(1);
    network.node(first).put("k", b"v");
    network.stop(first);
    let other = first % 3 + 1;
    network.node(other).put("k2", b"v2");
    network.start_node(first);
    network.node(first).shows("k2", b"v2");
    (1..=3).for_each(|number| network.stop(number));
}

#[test]
fn one_node_alone_is_a_network() {
    let mut network = Network::start(1);
    network.primary(1);
    network.node(1).put("k", b"v");
    network.stop(1);
    network.start_node(1);
    network.node(1).shows("k", b"v");
    assert!(std::fs::read_dir(network.ledger(1)).unwrap().count() > 0);
}
