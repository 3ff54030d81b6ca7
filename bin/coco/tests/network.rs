//! A development network's life as a user lives it, with a fake node (tests/fake) in place of the real one.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A directory for a network whose nodes end with the test.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn network(&self) -> PathBuf {
        self.dir.path().join("network")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coco"));
        let fake = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake/coco-node");
        command.args(args).arg("--dir").arg(self.network()).env("COCO_NODE", fake);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that must succeed; what it printed.
    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs a command that must fail; what it said.
    fn fails(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stderr)
    }

    /// Starts the network, and gives its ready file.
    fn up(&self, more: &[&str]) -> Value {
        let ready = self.file("ready.json");
        let ready_name = ready.to_str().unwrap();
        self.ok(&[&["up", "--detach", "--ready-file", ready_name][..], more].concat());
        serde_json::from_slice(&fs::read(ready).unwrap()).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.run(&["down"]);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn pids(ready: &Value) -> Vec<i32> {
    ready["nodes"].as_array().unwrap().iter().map(|node| node["pid"].as_i64().unwrap() as i32).collect()
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

fn gone(pid: i32) -> bool {
    // Nobody may have asked after it yet: then it is a zombie, with an empty memory map.
    let memory = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    memory.is_empty() || memory.starts_with("0 ")
}

#[test]
fn up_describes_a_network_that_serves_and_down_ends_it() {
    let place = Place::new();
    let ready = place.up(&["--rpc-port", "0"]);
    assert_eq!(ready["chain_id"], 1337);
    assert_eq!(ready["accounts"].as_array().unwrap().len(), 10);
    assert_eq!(ready["accounts"][0]["address"], "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    assert_eq!(ready["ethereum"]["http"], ready["nodes"][0]["ethereum"]);
    assert!(ready["ethereum"]["ws"].as_str().unwrap().starts_with("ws://127.0.0.1:"));
    let primaries: Vec<bool> =
        ready["nodes"].as_array().unwrap().iter().map(|node| node["primary"].as_bool().unwrap()).collect();
    assert_eq!(primaries, [false, false, true]);
    for member in ready["members"].as_array().unwrap() {
        assert!(Path::new(member["certificate"].as_str().unwrap()).is_file());
        assert!(Path::new(member["key"].as_str().unwrap()).is_file());
    }
    assert!(Path::new(ready["service_certificate"].as_str().unwrap()).is_file());
    assert_eq!(ready["ledger_dirs"][2].as_str().unwrap(), place.network().join("node3/ledger").to_str().unwrap());

    let status: Value = serde_json::from_str(&place.ok(&["status", "--json"])).unwrap();
    assert_eq!(status["serving"], true);
    assert_eq!(status["primary"], 3);
    assert_eq!(status["nodes"][1]["committed"], "2.7");
    let table = place.ok(&["status"]);
    assert!(table.contains("COMMITTED") && table.contains("serving, node 3 is primary"), "{table}");

    place.ok(&["down"]);
    assert!(pids(&ready).into_iter().all(gone));
    place.ok(&["down"]);
    let status = place.run(&["status"]);
    assert_eq!(status.status.code(), Some(1));
    assert!(text(&status.stdout).contains("not serving: 0 of 3 nodes run"));
}

#[test]
fn up_again_starts_only_what_is_missing() {
    let place = Place::new();
    let before = place.up(&["--rpc-port", "0"]);
    signal(pids(&before)[1], Signal::KILL);
    let after = place.up(&[]);
    assert_eq!(pids(&before)[0], pids(&after)[0]);
    assert_eq!(pids(&before)[2], pids(&after)[2]);
    assert_ne!(pids(&before)[1], pids(&after)[1]);
    assert_eq!(before["ethereum"], after["ethereum"]);
}

#[test]
fn a_network_is_not_changed_by_a_flag() {
    let place = Place::new();
    place.up(&["--rpc-port", "0", "--nodes", "1", "--base-fee", "7"]);
    let genesis = place.file("genesis.json");
    fs::write(&genesis, r#"{"config":{"chainId":5}}"#).unwrap();
    for (args, said) in [
        (["--nodes", "3"], "was made with one node, not 3"),
        (["--signing", "dual"], "signs its ledger in the form cose, not dual"),
        (["--base-fee", "8"], "base fee of 7 wei, not 8"),
        (["--rpc-port", "9"], "runs already"),
        (["--genesis", genesis.to_str().unwrap()], "was made with another genesis"),
    ] {
        let error = place.fails(&["up", "--detach", args[0], args[1]]);
        assert!(error.contains(said) && error.contains("hint: leave"), "{error}");
    }
    place.up(&["--nodes", "1", "--base-fee", "7", "--signing", "cose"]);
}

#[test]
fn node_1_moves_to_another_port_while_it_is_stopped() {
    let place = Place::new();
    let ready = place.up(&["--rpc-port", "0", "--nodes", "1"]);
    place.ok(&["down"]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let moved = place.up(&["--rpc-port", &free]);
    assert_ne!(ready["ethereum"], moved["ethereum"]);
    assert!(moved["ethereum"]["http"].as_str().unwrap().ends_with(&free));
}

#[test]
fn a_port_in_use_is_named_before_anything_is_made() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let error = place.fails(&["up", "--detach", "--rpc-port", &port]);
    assert!(error.contains(&port) && error.contains("--rpc-port"), "{error}");
    assert!(!place.network().join("network.json").exists());
}

#[test]
fn a_node_that_dies_at_its_start_is_reported_with_its_last_words() {
    let place = Place::new();
    let ready = place.up(&["--rpc-port", "0"]);
    place.ok(&["down"]);
    fs::write(place.network().join("node2/die"), "the disk is full").unwrap();
    let error = place.fails(&["up", "--detach"]);
    assert!(error.contains("node 2 ended while starting (exit status: 3)"), "{error}");
    assert!(error.contains("ERROR the disk is full") && error.contains("hint:"), "{error}");
    fs::remove_file(place.network().join("node2/die")).unwrap();
    assert_eq!(ready["ethereum"], place.up(&[])["ethereum"]);
}

fn block(number: u8, root: u8) -> Vec<u8> {
    let mut fields: Vec<u8> = (0..8).flat_map(|i| [&[0xa0_u8][..], &[i ^ root; 32]].concat()).collect();
    fields.push(number);
    let header = [&[0xf9, (fields.len() >> 8) as u8, fields.len() as u8][..], &fields].concat();
    let body = [&header[..], &[0xc0, 0xc0]].concat();
    [&[0xf9, (body.len() >> 8) as u8, body.len() as u8][..], &body].concat()
}

#[test]
fn an_import_goes_on_where_it_stopped_and_names_what_was_refused() {
    let place = Place::new();
    let ready = place.up(&["--rpc-port", "0", "--nodes", "1"]);
    let chain = place.file("chain.rlp");
    fs::write(&chain, (1..=5).flat_map(|n| block(n, 0x40)).collect::<Vec<u8>>()).unwrap();
    let chain_name = chain.to_str().unwrap();
    let refuse = place.network().join("node1/refuse");
    fs::write(&refuse, "4").unwrap();
    let error = place.fails(&["up", "--detach", "--import", chain_name]);
    assert!(error.contains("block 4 of") && error.contains("stateRoot differs"), "{error}");
    let status: Value = serde_json::from_str(&place.ok(&["status", "--json"])).unwrap();
    assert_eq!(status["nodes"][0]["pid"], pids(&ready)[0], "what ran before still runs");

    fs::remove_file(refuse).unwrap();
    let output = place.run(&["up", "--detach", "--import", chain_name]);
    assert!(text(&output.stderr).contains("imported 2 blocks"), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("3 were there already"), "{}", text(&output.stderr));

    fs::write(&chain, (1..=9).flat_map(|n| block(n, 0x20)).collect::<Vec<u8>>()).unwrap();
    let error = place.fails(&["up", "--detach", "--import", chain_name]);
    assert!(error.contains("block 5 of the ledger is not that of") && error.contains("parentHash"), "{error}");
    fs::write(&chain, block(8, 0)).unwrap();
    let error = place.fails(&["up", "--detach", "--import", chain_name]);
    assert!(error.contains("goes on with block 8, but the ledger is at block 5"), "{error}");
}

#[test]
fn an_import_looks_up_a_block_whose_outcome_is_unknown() {
    let place = Place::new();
    place.up(&["--rpc-port", "0", "--nodes", "1"]);
    let chain = place.file("chain.rlp");
    for (fate, first) in [("taken", 1), ("lost", 4)] {
        fs::write(place.network().join("node1/doubt"), format!("{fate} {}", first + 1)).unwrap();
        fs::write(&chain, (1..first + 3).flat_map(|n| block(n, 0x40)).collect::<Vec<u8>>()).unwrap();
        let output = place.run(&["up", "--detach", "--import", chain.to_str().unwrap()]);
        assert!(output.status.success(), "{fate}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains("imported 3 blocks"), "{fate}: {}", text(&output.stderr));
    }
}

/// A foreground `up`, once it serves.
fn foreground(place: &Place) -> (Child, Value) {
    let ready = place.file("foreground.json");
    let mut child = place
        .command(&["up", "--rpc-port", "0", "--ready-file", ready.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !ready.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    (child, serde_json::from_slice(&fs::read(ready).unwrap()).unwrap())
}

fn finish(mut child: Child) -> (Option<i32>, String) {
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

#[test]
fn ctrl_c_stops_a_network_in_the_foreground() {
    let place = Place::new();
    let (child, ready) = foreground(&place);
    signal(child.id() as i32, Signal::INT);
    let (code, said) = finish(child);
    assert_eq!(code, Some(0), "{said}");
    assert!(pids(&ready).into_iter().all(gone));
}

#[test]
fn a_node_that_dies_is_reported_and_the_network_goes_on_until_none_is_left() {
    let place = Place::new();
    let (child, ready) = foreground(&place);
    for pid in pids(&ready) {
        signal(pid, Signal::KILL);
    }
    let (code, said) = finish(child);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("node 2 is gone (signal: 9 (SIGKILL))") && said.contains("no node is left"), "{said}");
}

#[test]
fn down_from_elsewhere_ends_the_foreground_without_an_error() {
    let place = Place::new();
    let (child, _) = foreground(&place);
    place.ok(&["down"]);
    let (code, said) = finish(child);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("all nodes were stopped"), "{said}");
}

#[test]
fn two_ups_at_once_make_one_network() {
    let place = Place::new();
    let mut both: Vec<Child> = (0..2)
        .map(|_| {
            let mut command = place.command(&["up", "--detach", "--rpc-port", "0"]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    assert!(both.iter_mut().all(|child| child.wait().unwrap().success()));
    let first = place.up(&[]);
    assert_eq!(pids(&first), pids(&place.up(&[])));
}
