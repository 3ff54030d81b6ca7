//! Restarts that begin with a snapshot of the state.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::disks::SmallDisk;
use crate::network::{Network, wait};

const BEGAN: &str = "the state begins with a snapshot";
const PASSED_OVER: &str = "a snapshot of the state is of no use and passed over";

/// Enough for a snapshot at a planned stop, of four mebibytes.
fn fill(network: &Network, rounds: usize) {
    for round in 0..rounds {
        network.node(1).put(&format!("k{}", round % 4), &vec![round as u8; 1 << 20]);
    }
}

fn shows(network: &Network, rounds: usize) {
    for round in rounds - 4..rounds {
        network.node(1).shows(&format!("k{}", round % 4), &vec![round as u8; 1 << 20]);
    }
}

fn snapshots(network: &Network) -> Vec<PathBuf> {
    let mut all: Vec<_> =
        fs::read_dir(network.dir(1).join("snapshots")).unwrap().map(|file| file.unwrap().path()).collect();
    // By their seqnos, which have no leading zeros.
    all.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    all
}

/// How often the node's log says it.
fn said(network: &Network, what: &str) -> usize {
    network.log(1).matches(what).count()
}

fn transfer(network: &Network, accounts: &Value) -> Value {
    let call = json!([{ "from": accounts[0], "to": accounts[1], "value": "0x1" }]);
    network.node(1).ethereum("eth_sendTransaction", &call)
}

#[test]
fn a_node_that_was_killed_begins_with_a_snapshot_and_loses_nothing() {
    let mut network = Network::start_with_ethereum(1);
    network.primary(1);
    let accounts = network.node(1).ethereum("eth_accounts", &json!([]));
    let before: Vec<Value> = (0..4).map(|_| transfer(&network, &accounts)).collect();
    fill(&network, 20);
    network.stop(1);
    assert_eq!(snapshots(&network).len(), 1, "{}", network.log(1));
    network.start_node(1);
    network.primary(1);
    assert_eq!(said(&network, BEGAN), 1);
    // More on top of it, which only the log and the ledger have.
    let after = transfer(&network, &accounts);
    network.node(1).put("after", b"1");
    let balance = network.node(1).ethereum("eth_getBalance", &json!([accounts[1], "latest"]));
    let proof = network.node(1).ethereum("eth_getProof", &json!([accounts[1], [], "latest"]));
    network.kill(1);
    // The second time without the index: what is older than the snapshot is found all the same.
    for times in 2..=3 {
        network.start_node(1);
        network.primary(1);
        assert_eq!(said(&network, BEGAN), times);
        network.node(1).shows("after", b"1");
        shows(&network, 20);
        assert_eq!(network.node(1).ethereum("eth_getBalance", &json!([accounts[1], "latest"])), balance);
        assert_eq!(network.node(1).ethereum("eth_getProof", &json!([accounts[1], [], "latest"])), proof);
        for hash in before.iter().chain([&after]) {
            let found = network.node(1).ethereum("eth_getTransactionByHash", &json!([hash]));
            assert_eq!(found["hash"], *hash);
            let receipt = network.node(1).ethereum("eth_getTransactionReceipt", &json!([hash]));
            assert_eq!(receipt["status"], "0x1");
        }
        network.kill(1);
        fs::remove_dir_all(network.dir(1).join("index")).unwrap();
    }
    // And it goes on from there.
    network.start_node(1);
    let more = transfer(&network, &accounts);
    assert_eq!(network.node(1).ethereum("eth_getTransactionReceipt", &json!([more]))["status"], "0x1");
}

#[test]
fn a_snapshot_is_taken_while_the_node_works() {
    let mut network = Network::start(1);
    network.primary(1);
    let taken = |network: &Network| {
        let metrics = network.node(1).metrics();
        metrics.lines().any(|line| line.starts_with("coco_snapshot_seqno ") && !line.ends_with(" 0"))
    };
    let mut rounds = 0;
    while !taken(&network) {
        fill(&network, 10);
        rounds += 10;
        assert!(rounds < 500, "no snapshot after {rounds} MiB: {}", network.log(1));
    }
    assert!(network.node(1).metrics().contains("coco_snapshot_bytes"));
    assert!(network.node(1).metrics().contains("coco_snapshot_seconds"));
    network.node(1).put("after", b"1");
    network.kill(1);
    network.start_node(1);
    network.node(1).shows("after", b"1");
    shows(&network, 10);
    assert_eq!(said(&network, BEGAN), 1);
}

#[test]
fn a_damaged_snapshot_is_passed_over() {
    let mut network = Network::start(1);
    network.primary(1);
    fill(&network, 20);
    network.stop(1);
    network.start_node(1);
    network.primary(1);
    fill(&network, 20);
    network.stop(1);
    let all = snapshots(&network);
    assert_eq!(all.len(), 2);
    for (times, path) in all.iter().rev().enumerate() {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
        network.start_node(1);
        network.primary(1);
        shows(&network, 20);
        // First the older one is taken, then the ledger itself.
        assert_eq!(said(&network, BEGAN), 2, "{}", network.log(1));
        assert_eq!(said(&network, PASSED_OVER), [1, 3][times]);
        network.kill(1);
    }
    // What a crash left half written is cleared away.
    let half = network.dir(1).join("snapshots/snapshot_99.writing");
    fs::write(&half, b"half of it").unwrap();
    network.start_node(1);
    network.primary(1);
    shows(&network, 20);
    assert!(!half.exists());
}

#[test]
fn a_full_disk_costs_a_snapshot_and_nothing_else() {
    let mut network = Network::make(1);
    let folder = network.dir(1).join("snapshots");
    fs::create_dir(&folder).unwrap();
    let Some(disk) = SmallDisk::under(&folder, 1) else {
        println!("SKIPPED: a full disk cannot be had, since this process may not mount a file system");
        return;
    };
    network.start_all();
    fill(&network, 20);
    network.stop(1);
    assert_eq!(said(&network, "no snapshot of the state could be taken"), 1, "{}", network.log(1));
    assert!(network.log(1).contains("No space left on device"));
    assert!(snapshots(&network).is_empty());
    network.start_node(1);
    shows(&network, 20);
    drop(disk);
    let served = wait("the node to serve without it", || network.node(1).get("k0"));
    assert!(served.is_some());
}
