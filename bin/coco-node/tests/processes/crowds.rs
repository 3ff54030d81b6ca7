//! Many clients, slow clients, and more work than there is room for.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::network::{Network, request, wait};

const SLOW_CLIENTS: usize = 10_000;

/// Opens connections that say this and then nothing.
fn crowd(address: SocketAddr, says: &str, clients: usize) -> Vec<TcpStream> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let room = limit.maximum.map_or(clients, |most| clients.min((most as usize).saturating_sub(500)));
    if room < clients {
        println!("only {room} slow clients: this process may not open more files");
    }
    let mut crowd = Vec::new();
    for _ in 0..room {
        // The node may have closed older ones already, or be slow to accept.
        let Ok(mut stream) = TcpStream::connect(address) else { continue };
        let _ = stream.write_all(says.as_bytes());
        crowd.push(stream);
    }
    crowd
}

#[test]
fn ten_thousand_slow_clients_keep_nobody_out() {
    let network = Network::start(3);
    let primary = network.primary(1);
    let (node, view) = (network.node(primary), network.node(primary).status().unwrap()["view"].clone());
    let _heads = crowd(node.keyvalue, "GET /kv/x HTTP/1.1\r\nhos", SLOW_CLIENTS);
    assert_eq!(node.try_put("honest", b"1"), Some(200), "at the first attempt");
    assert_eq!(node.get("honest").as_deref(), Some(&b"1"[..]));
    let _bodies =
        crowd(node.keyvalue, "PUT /kv/x HTTP/1.1\r\nhost: t\r\ncontent-length: 9\r\n\r\nhal", SLOW_CLIENTS / 2);
    for n in 0..20 {
        assert_eq!(node.try_put(&format!("honest{n}"), b"1"), Some(200));
    }
    assert_eq!(node.get("x"), None, "half a request changes nothing");
    assert_eq!(node.status().unwrap()["view"], view, "no election was needed");
}

#[test]
fn strangers_at_the_peers_port_keep_no_node_out() {
    let mut network = Network::start(3);
    let primary = network.primary(1);
    let backup = primary % 3 + 1;
    network.kill(backup);
    let _strangers: Vec<_> =
        (1..=3).filter(|n| *n != backup).map(|n| crowd(network.node(n).peer, "who knows", 2_000)).collect();
    network.start_node(backup);
    // With it and one other a majority is there, so it must have been let in.
    let other = 6 - primary - backup;
    network.node(backup).put("let-in", b"1");
    network.kill(other);
    network.node(backup).put("counted", b"1");
}

#[test]
fn past_the_queue_everyone_is_answered() {
    let network = Network::start(3);
    let primary = network.primary(1);
    let backup = primary % 3 + 1;
    network.node(backup).put("warm", b"1");
    let before: Vec<u64> = (1..=3).map(|number| network.resident_bytes(number)).collect();
    // 3,000 requests of 100 kB at once, through the primary and a backup: more than the 64 MiB that may be on their way.
    let value = vec![7; 100_000];
    let (mut done, mut busy) = (0, 0);
    for _ in 0..2 {
        let answers: Vec<u16> = thread::scope(|scope| {
            let asking = |client: usize| {
                let (network, value) = (&network, &value);
                let node = if client.is_multiple_of(2) { primary } else { backup };
                let address = network.node(node).keyvalue;
                move || (0..2).map(|n| burst(address, &format!("k{client}-{n}"), value)).collect::<Vec<u16>>()
            };
            let clients: Vec<_> = (0..750)
                .map(|client| thread::Builder::new().stack_size(128 << 10).spawn_scoped(scope, asking(client)).unwrap())
                .collect();
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
        });
        done += answers.iter().filter(|code| **code == 200).count();
        busy += answers.iter().filter(|code| **code == 503).count();
        assert_eq!(answers.len(), 1_500);
        let other: Vec<&u16> = answers.iter().filter(|code| !matches!(code, 200 | 503)).collect();
        assert!(other.is_empty(), "{other:?}");
    }
    println!("{done} done, {busy} told that the node is busy");
    assert!(done > 100);
    for number in 1..=3 {
        let grown = network.resident_bytes(number).saturating_sub(before[number - 1]) >> 20;
        println!("node {number} grew by {grown} MiB");
        assert!(grown < 1_024, "node {number} grew by {grown} MiB");
    }
    // And then it serves as before.
    network.node(backup).put("after", b"1");
}

/// One request; every one must be answered.
fn burst(address: SocketAddr, key: &str, value: &[u8]) -> u16 {
    request(address, "PUT", &format!("/kv/{key}"), value).map_or(0, |(code, _)| code)
}

#[test]
fn a_request_is_cut_short_and_the_next_is_served() {
    let network = Network::start(1);
    network.primary(1);
    for says in
        ["\0\0\0\0", "GET", "PUT /kv/a HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", "PUT /kv/a HTTP/9.9\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(network.node(1).keyvalue).unwrap();
        stream.write_all(says.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{says:?}");
    }
    assert_eq!(network.node(1).get("a"), None);
    assert!(wait("an answer", || network.node(1).try_put("b", b"1").filter(|code| *code == 200)).is_some());
}
