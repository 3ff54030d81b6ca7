//! Hosted ledgers that members open, and to whom they let them be served, while the network runs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::network::{Network, request, wait};

const BEGAN: &str = "the state begins with a snapshot";

fn open(name: &str) -> Value {
    json!([{ "name": "open_ledger", "args": { "name": name, "kind": "keyvalue" } }])
}

fn policy(connect: &Value) -> Value {
    json!([{ "name": "set_ledger_policy", "args": { "name": "keyvalue", "policy": { "connect": connect } } }])
}

fn put(door: SocketAddr, key: &str, value: &str) {
    let done = wait("a key to be written", || {
        let (code, _) = request(door, "PUT", &format!("/kv/{key}"), value.as_bytes())?;
        (code == 200).then_some(())
    });
    assert!(done.is_some(), "{key} was not written");
}

fn shows(door: SocketAddr, key: &str, value: &str) {
    let shown = wait("a key to be shown", || {
        let (code, body) = request(door, "GET", &format!("/kv/{key}"), b"")?;
        (code == 200 && body == value.as_bytes()).then_some(())
    });
    assert!(shown.is_some(), "{key} is not shown");
}

/// What a node says of a ledger.
fn told(network: &Network, node: usize, name: &str) -> Option<Value> {
    let status = network.node(node).status()?;
    status["ledgers"].as_array()?.iter().find(|ledger| ledger["name"] == name).cloned()
}

#[test]
fn two_ledgers_of_one_kind_open_by_vote_under_load_and_are_there_after_any_restart() {
    let mut network = Network::make(3).with_doors(&["second", "third"]);
    network.start_all();
    let (stop, written) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for writer in 0..3 {
            let (network, stop, written) = (&network, &stop, &written);
            scope.spawn(move || {
                for n in (0..).take_while(|_| !stop.load(Ordering::Relaxed)) {
                    network.node(writer + 1).put(&format!("w{writer}-{n}"), b"x");
                    written.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let before = wait("some load", || Some(written.load(Ordering::Relaxed)).filter(|count| *count > 30)).unwrap();
        // At a backup's door as well as at the primary's.
        let (one, other) = (network.primary(1), network.primary(1) % 3 + 1);
        network.members().pass(network.node(one).governance, &open("second"));
        network.members().pass(network.node(other).governance, &open("third"));
        network.serves(&["second", "third"]);
        for (node, key) in [(1, "a"), (2, "b"), (3, "c")] {
            for name in ["second", "third"] {
                put(network.node(node).door(name), key, &format!("{key} in {name}"));
            }
        }
        let after = wait("more load", || Some(written.load(Ordering::Relaxed)).filter(|count| *count > before + 30));
        assert!(after.is_some(), "the first ledger goes on");
        stop.store(true, Ordering::Relaxed);
    });
    let all_there = |network: &Network| {
        for node in 1..=3 {
            for (name, key) in [("second", "a"), ("second", "c"), ("third", "b")] {
                shows(network.node(node).door(name), key, &format!("{key} in {name}"));
            }
            assert_eq!(told(network, node, "second").unwrap()["number"], 2);
            assert_eq!(told(network, node, "third").unwrap()["number"], 3);
        }
    };
    all_there(&network);
    (1..=3).for_each(|number| network.kill(number));
    (1..=3).for_each(|number| network.start_node(number));
    all_there(&network);
    put(network.node(2).door("third"), "again", "x");
    network.assert_same_ledgers();
    (1..=3).for_each(|number| network.start_node(number));
    all_there(&network);
}

#[test]
fn a_restart_from_a_snapshot_hosts_what_the_snapshot_has_and_what_came_after() {
    let mut network = Network::make(1).with_doors(&["second", "third"]);
    network.start_all();
    network.members().pass(network.node(1).governance, &open("second"));
    network.serves(&["second"]);
    let large = "x".repeat((1 << 20) - 64);
    (0..20).for_each(|n| put(network.node(1).door("second"), &format!("k{}", n % 4), &format!("{large}{n}")));
    network.stop(1);
    network.start_node(1);
    network.serves(&["second"]);
    assert_eq!(network.log(1).matches(BEGAN).count(), 1, "{}", network.log(1));
    // What is behind the snapshot brings a ledger of its own.
    network.members().pass(network.node(1).governance, &open("third"));
    network.serves(&["third"]);
    put(network.node(1).door("third"), "later", "1");
    network.kill(1);
    network.start_node(1);
    network.serves(&["second", "third"]);
    assert_eq!(network.log(1).matches(BEGAN).count(), 2, "{}", network.log(1));
    shows(network.node(1).door("second"), "k3", &format!("{large}19"));
    shows(network.node(1).door("third"), "later", "1");
}

#[test]
fn a_node_that_joins_later_hosts_them_too() {
    let mut network = Network::make(1).with_doors(&["second"]);
    network.start_all();
    network.members().pass(network.node(1).governance, &open("second"));
    network.serves(&["second"]);
    put(network.node(1).door("second"), "before", "1");
    let joiner = network.join(&["keyvalue", "second", "third"]);
    let id = network.joins(joiner);
    let trust =
        json!([{ "name": "transition_node_to_trusted", "args": { "node_id": id, "valid_from": "20260101000000Z" } }]);
    network.members().pass(network.node(1).governance, &trust);
    shows(network.node(joiner).door("second"), "before", "1");
    put(network.node(joiner).door("second"), "through", "2");
    // And what opens once it is there.
    network.members().pass(network.node(1).governance, &open("third"));
    let third = wait("the joiner to serve it", || {
        told(&network, joiner, "third").filter(|told| told["listeners"][0]["address"].is_string())
    });
    assert!(third.is_some(), "{}", network.log(joiner));
    // The first node's file says nothing of it, nor does the row.
    let trouble = told(&network, 1, "third").unwrap()["trouble"].clone();
    assert!(trouble.as_str().unwrap().contains("no door here"), "{trouble}");
    assert!(network.log(1).contains("a ledger has no door here"));
    put(network.node(joiner).door("third"), "k", "v");
}

#[test]
fn what_no_node_could_host_is_refused_with_the_reason_and_nothing_changes() {
    let mut network = Network::make(3);
    network.start_all();
    let before = told(&network, 2, "keyvalue");
    let args = |args: Value| json!([{ "name": "open_ledger", "args": args }]);
    for (actions, reason) in [
        (args(json!({ "name": "second", "kind": "bitcoin" })), "of the kind bitcoin"),
        (args(json!({ "name": "second", "kind": "ethereum", "genesis": { "config": {} } })), "chainId"),
        (args(json!({ "name": "second", "kind": "keyvalue", "listeners": { "rpc": 8545 } })), "rest"),
        (args(json!({ "name": "governance", "kind": "keyvalue" })), "governance"),
        (args(json!({ "name": "second", "kind": "keyvalue", "policy": { "read": ["a"] } })), "read"),
        (policy(&json!(["127.0.0.1/8"])), "127.0.0.1/8"),
    ] {
        let (status, said) = network.members().decide(network.node(2).governance, &actions);
        let message = said["error"]["message"].as_str().unwrap_or_default();
        assert!(status == 400 && message.contains(reason), "{actions}: {status} {said}");
    }
    // A name that is taken shows only when it is carried out.
    let (status, said) = network.members().decide(network.node(2).governance, &open("keyvalue"));
    assert_eq!(status, 500, "{said}");
    assert_eq!(told(&network, 2, "keyvalue"), before);
    assert_eq!(network.node(2).status().unwrap()["ledgers"].as_array().unwrap().len(), 1);
    network.node(1).put("k", b"v");
    network.assert_same_ledgers();
}

/// A connection that a request was answered on, and that waits for the next.
fn kept(door: SocketAddr) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(door).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(b"GET /kv?limit=1 HTTP/1.1\r\nhost: test\r\n\r\n").ok()?;
    let mut answer = [0; 1_024];
    let read = stream.read(&mut answer).ok()?;
    answer[..read].starts_with(b"HTTP/1.1 200").then_some(stream)
}

#[test]
fn a_policy_ends_connections_and_a_later_one_lets_them_back() {
    let mut network = Network::make(3);
    network.start_all();
    let mut open: Vec<TcpStream> = (1..=3).map(|node| kept(network.node(node).keyvalue).unwrap()).collect();
    network.members().pass(network.node(1).governance, &policy(&json!(["10.0.0.0/8"])));
    for stream in &mut open {
        let mut rest = Vec::new();
        let ended = stream.read_to_end(&mut rest);
        assert!(ended.is_err() || rest.is_empty(), "nothing more comes on it");
    }
    for node in 1..=3 {
        assert!(kept(network.node(node).keyvalue).is_none(), "node {node} takes nobody's connection");
        assert!(network.node(node).status().is_some(), "its own endpoints are another matter");
    }
    network.members().pass(network.node(2).governance, &policy(&json!(["127.0.0.0/8", "10.0.0.0/8"])));
    for node in 1..=3 {
        assert!(wait("the ledger to be served again", || kept(network.node(node).keyvalue)).is_some());
    }
    // It holds after a restart.
    network.members().pass(network.node(3).governance, &policy(&json!([])));
    network.kill(3);
    network.start_node(3);
    network.primary(3);
    assert!(kept(network.node(3).keyvalue).is_none());
}

#[test]
fn the_number_of_a_closed_ledger_is_not_used_again() {
    let mut network = Network::make(1).with_doors(&["second", "third"]);
    network.start_all();
    network.members().pass(network.node(1).governance, &open("second"));
    network.serves(&["second"]);
    put(network.node(1).door("second"), "kept", "1");
    network
        .members()
        .pass(network.node(1).governance, &json!([{ "name": "close_ledger", "args": { "name": "second" } }]));
    let (code, _) = request(network.node(1).door("second"), "PUT", "/kv/more", b"2").unwrap();
    assert_eq!(code, 400);
    network.members().pass(network.node(1).governance, &open("third"));
    network.serves(&["third"]);
    put(network.node(1).door("third"), "kept", "3");
    network.stop(1);
    network.start_node(1);
    network.serves(&["third"]);
    let closed = told(&network, 1, "second").unwrap();
    assert_eq!((&closed["number"], &closed["status"]), (&json!(2), &json!("Closed")));
    assert_eq!(told(&network, 1, "third").unwrap()["number"], 3);
    shows(network.node(1).door("second"), "kept", "1");
    shows(network.node(1).door("third"), "kept", "3");
}
