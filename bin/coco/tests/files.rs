//! A node that joins begins with the files of those that are there, whatever one of them gives it. Needs `coco-node` beside `coco`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]
#![expect(dead_code, reason = "what other tests do with nodes that join")]

mod newcomers;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use newcomers::{Place, ethereum, wait};

const MEGABYTE: usize = 1 << 20;
/// Enough for a snapshot at a planned stop, of four mebibytes.
const WRITTEN: usize = 24;

fn value(number: usize) -> Vec<u8> {
    (0..MEGABYTE - 64).map(|place| ((place * 31) ^ number) as u8).collect()
}

/// A node's files of a kind, by name.
fn files(dir: &Path, folder: &str) -> Vec<PathBuf> {
    let mut all: Vec<_> = fs::read_dir(dir.join(folder)).unwrap().map(|file| file.unwrap().path()).collect();
    all.sort();
    all
}

fn closed(dir: &Path) -> Vec<PathBuf> {
    files(dir, "ledger").into_iter().filter(|path| path.to_string_lossy().ends_with(".committed")).collect()
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// What a node's log says of something: the fields of the lines with this message.
fn said(dir: &Path, message: &str) -> Vec<Value> {
    let log = fs::read_to_string(dir.join("node.log")).unwrap();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.map(|line| line["fields"].clone()).filter(|fields| fields["message"] == message).collect()
}

#[test]
fn a_newcomer_begins_with_files_and_a_snapshot_whatever_one_node_gives_it() {
    let Some(place) = Place::new("3") else { return };
    let dir = |node: usize| PathBuf::from(place.ready["nodes"][node - 1]["dir"].as_str().unwrap());
    let keyvalue = format!(
        "http://{}/kv",
        place.ready["nodes"][0]["ledgers"]["keyvalue"].as_str().unwrap().trim_start_matches("http://")
    );
    let put = |key: &str, value: &[u8]| {
        wait(key, || ureq::put(format!("{keyvalue}/{key}")).send(value).is_ok_and(|answer| answer.status() == 200));
    };
    let (from, to) = (&place.ready["accounts"][0]["address"], "0x00000000000000000000000000000000000000c0");
    let transfer = json!([{ "from": from, "to": to, "value": "0x5" }]);
    let first = ethereum(&place.ready, "eth_sendTransaction", transfer.clone());
    (0..WRITTEN).for_each(|number| put(&format!("k{}", number % 4), &value(number)));
    // A planned stop leaves a snapshot on every node.
    place.ok(&["down"]);
    place.ok(&["up", "--detach"]);
    for node in 1..=3 {
        assert_eq!(files(&dir(node), "snapshots").len(), 1, "node {node}");
    }
    put("after", b"the snapshot");

    // Two of the nodes are not what they should be: one has a bad chunk, both have bad snapshots. All that is true comes from
    // somebody.
    let nodes = place.json(&["node", "list"]);
    let primary =
        nodes["nodes"].as_array().unwrap().iter().find(|node| node["primary"] == true).unwrap()["number"].as_u64();
    let primary = usize::try_from(primary.unwrap()).unwrap();
    let backups: Vec<usize> = (1..=3).filter(|node| *node != primary).collect();
    flip(&closed(&dir(backups[0]))[1]);
    backups.iter().for_each(|node| flip(&files(&dir(*node), "snapshots")[0]));

    let ready = place.joins("node4");
    let own = place.file("node4");
    assert_eq!(said(&own, "this node is of no help with ledger files; another one is asked").len(), 2);
    let here = &said(&own, "the ledger files are here: the node begins with them")[0];
    let began = &said(&own, "the state begins with a snapshot")[0];
    let read = &said(&own, "the ledger is read back")[0];
    assert_eq!((&here["seqno"], &here["snapshot"]), (&read["seqno"], &began["seqno"]));
    // What lies behind the snapshot was applied, and nothing else; but all of it can be found.
    let entries = |fields: &Value, name: &str| fields[name].as_u64().unwrap();
    let behind = entries(read, "seqno") - entries(began, "seqno");
    assert!(entries(read, "applied") > 0 && entries(read, "applied") <= behind, "{began} {read}");
    assert!(entries(read, "indexed") >= entries(read, "applied") + WRITTEN as u64, "{read}");
    // It serves what the others serve: state and history.
    let url = format!(
        "http://{}/kv",
        ready["nodes"][0]["ledgers"]["keyvalue"].as_str().unwrap().trim_start_matches("http://")
    );
    let get = |key: &str| {
        ureq::get(format!("{url}/{key}")).call().ok()?.body_mut().with_config().limit(1 << 24).read_to_vec().ok()
    };
    for number in WRITTEN - 4..WRITTEN {
        assert!(get(&format!("k{}", number % 4)) == Some(value(number)), "k{}", number % 4);
    }
    assert_eq!(get("after").as_deref(), Some(&b"the snapshot"[..]));
    for method in ["eth_getTransactionByHash", "eth_getTransactionReceipt"] {
        assert_eq!(ethereum(&ready, method, json!([first])), ethereum(&place.ready, method, json!([first])));
    }
    let second = ethereum(&place.ready, "eth_sendTransaction", transfer);
    wait("its receipt here", || !ethereum(&ready, "eth_getTransactionReceipt", json!([second])).is_null());
    for call in [json!([to, "latest"]), json!([from, "latest"])] {
        assert_eq!(ethereum(&ready, "eth_getBalance", call.clone()), ethereum(&place.ready, "eth_getBalance", call));
    }
    // Its chunks are everybody's, byte for byte.
    let others = closed(&dir(primary));
    let chunks = closed(&own);
    assert!(others.len() > 2);
    for (other, chunk) in others.iter().zip(&chunks) {
        assert_eq!(other.file_name(), chunk.file_name());
        assert!(fs::read(other).unwrap() == fs::read(chunk).unwrap(), "{}", chunk.display());
    }
    assert_eq!(others.len(), chunks.len());

    // A restart takes nothing from anybody.
    place.ok(&["down", "--dir", "node4"]);
    place.votes("node4");
    assert_eq!(said(&own, "the ledger files are here: the node begins with them").len(), 1);
    assert_eq!(get("after").as_deref(), Some(&b"the snapshot"[..]));
}

#[test]
fn members_decide_that_every_node_ends_its_chunk_and_takes_a_snapshot() {
    let Some(place) = Place::new("3") else { return };
    let dirs = ["network/node1", "network/node2", "network/node3"].map(|dir| place.file(dir));
    let decide = |action: &str| {
        assert_eq!(place.json(&["proposal", "new", "--action", action])["state"], "Open");
        place.vote();
    };
    decide("trigger_ledger_chunk");
    wait("closed chunks", || dirs.iter().all(|dir| closed(dir).len() == 1));
    let first = fs::read(&closed(&dirs[0])[0]).unwrap();
    assert!(first.len() < MEGABYTE, "it was not full");
    for dir in &dirs[1..] {
        let chunk = &closed(dir)[0];
        assert_eq!(chunk.file_name(), closed(&dirs[0])[0].file_name());
        assert!(fs::read(chunk).unwrap() == first);
    }
    decide("trigger_snapshot");
    let there = |dir: &PathBuf| dir.join("snapshots").is_dir() && !files(dir, "snapshots").is_empty();
    wait("snapshots", || {
        dirs.iter().all(|dir| there(dir) && said(dir, "a snapshot of the state is on disk").len() == 1)
    });
    // And each begins with it.
    place.ok(&["down"]);
    place.ok(&["up", "--detach"]);
    for dir in &dirs {
        assert_eq!(said(dir, "the state begins with a snapshot").len(), 1);
        assert_eq!(closed(dir).len(), 1);
    }
    // An audit makes the decisions again, and finds the same rows.
    let ledger = dirs[0].join("ledger");
    let audit = Command::new(env!("CARGO_BIN_EXE_coco")).args(["governance", "log"]).arg(ledger).output().unwrap();
    assert!(audit.status.success(), "{}{}", newcomers::text(&audit.stdout), newcomers::text(&audit.stderr));
}
