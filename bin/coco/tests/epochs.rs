//! New ledger secrets on a real network: by vote, by entries and because somebody leaves, while nodes die, are away and join.
//! Needs `coco-node` beside `coco`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod place;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base::Seqno;
use development::NodeFile;
use ledger::secrets::{FOR_NODES, ForNodes};
use place::Place;
use serde_json::{Value, json};

/// Long enough for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn wait<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "still waiting: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn agent() -> ureq::Agent {
    let config =
        ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(20))).http_status_as_error(false);
    config.build().into()
}

/// Writes until it is told to stop: each key once, through all nodes in turn.
struct Load {
    stop: std::sync::Arc<AtomicBool>,
    writers: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(doors: &[String]) -> Self {
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let writer = |writer: usize| {
            let (doors, stop) = (doors.to_vec(), stop.clone());
            thread::spawn(move || {
                let (agent, mut acknowledged) = (agent(), Vec::new());
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let key = format!("{writer}-{number}");
                    let url = format!("{}/{key}", doors[(writer + number) % doors.len()]);
                    // Where the node is down it is neither here nor there: the next one goes elsewhere.
                    if agent.put(&url).send(&key).is_ok_and(|answer| answer.status() == 200) {
                        acknowledged.push(key);
                    }
                    thread::sleep(Duration::from_millis(10));
                }
                acknowledged
            })
        };
        Self { writers: (0..3).map(writer).collect(), stop }
    }

    /// What was acknowledged.
    fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    }
}

/// A node that this test started by itself.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Network {
    place: Place,
    started: Vec<Started>,
}

impl Network {
    fn new() -> Option<Self> {
        let place = Place::new("3")?;
        place.ok(&["member", "ack", "--all"]);
        Some(Self { place, started: Vec::new() })
    }

    fn dir(&self, number: usize) -> PathBuf {
        self.place.network().join(format!("node{number}"))
    }

    fn door(&self, number: usize) -> String {
        door(&self.dir(number))
    }

    /// Like a power cut of the process.
    fn kill(&mut self, number: usize) {
        let pid = fs::read_to_string(self.dir(number).join("node.pid")).unwrap();
        // Behind it stands when the process was started.
        let pid = pid.split_whitespace().next().unwrap();
        assert!(Command::new("kill").args(["-9", pid]).status().unwrap().success());
        let door = self.door(number);
        wait("the node's end", || agent().get(format!("{door}/x")).call().err());
    }

    fn start(&mut self, number: usize) {
        let node = std::env::var_os("COCO_NODE")
            .map_or_else(|| Path::new(env!("CARGO_BIN_EXE_coco")).with_file_name("coco-node"), PathBuf::from);
        let log = fs::File::options().append(true).create(true).open(self.dir(number).join("node.log")).unwrap();
        let child = Command::new(node).arg(self.dir(number)).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.started.push(Started(child));
    }

    fn vote(&self, action: &str, args: &Value) {
        let id = self.place.propose(&json!([{ "name": action, "args": args }]), "member0");
        self.place.ok(&["proposal", "vote", &id, "--yes", "--as", "member1"]);
        self.place.ok(&["proposal", "vote", &id, "--yes", "--as", "member2"]);
    }

    /// Members ask for a new secret, and get it.
    fn rekey(&self, reader: usize) {
        let before = brought(&self.dir(reader)).len();
        self.vote("trigger_ledger_rekey", &Value::Null);
        wait("a new secret", || (brought(&self.dir(reader)).len() > before).then_some(()));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let node4 = self.place.file("node4");
        let _ = Command::new(env!("CARGO_BIN_EXE_coco")).args(["down", "--dir"]).arg(node4).output();
    }
}

fn door(dir: &Path) -> String {
    let file = NodeFile::read(dir).unwrap();
    let listen = match file.ledger("keyvalue") {
        Some(ledger) => ledger.listen.to_string(),
        None => {
            // There once the node is let in.
            let joined = || serde_json::from_slice::<Value>(&fs::read(dir.join("joined.json")).ok()?).ok();
            let joined = wait("the node to be let in", joined);
            let ledgers = joined["ledgers"].as_array().unwrap().clone();
            let ledger = ledgers.into_iter().find(|ledger| ledger["kind"] == "keyvalue").unwrap();
            ledger["listen"].as_str().unwrap().to_owned()
        }
    };
    format!("http://{listen}/kv")
}

/// The entries that brought a secret, and for how many nodes.
fn brought(dir: &Path) -> Vec<(Seqno, usize)> {
    let mut found = Vec::new();
    let visit = |entry: &ledger::RawEntry<'_>| {
        for section in entry.public().map(Result::unwrap).filter(|section| section.name == FOR_NODES) {
            let nodes: ForNodes = serde_json::from_slice(section.get(&[0; 8]).unwrap()).unwrap();
            found.push((entry.txid.seqno, nodes.len()));
        }
        ControlFlow::Continue(())
    };
    ledger::scan(&dir.join("ledger"), Seqno(1), visit).unwrap();
    found
}

fn shown(door: &str, keys: &[String]) {
    let agent = agent();
    for key in keys {
        wait(&format!("{key} at {door}"), || {
            let mut answer = agent.get(format!("{door}/{key}")).call().ok()?;
            (answer.status() == 200 && answer.body_mut().read_to_string().ok()? == *key).then_some(())
        });
    }
}

#[test]
fn a_network_goes_on_under_new_secrets_and_loses_nothing() {
    let Some(mut network) = Network::new() else { return };
    let doors: Vec<String> = (1..=3).map(|number| network.door(number)).collect();
    let load = Load::start(&doors);
    network.rekey(1);
    // One is away while a secret comes, and comes back.
    network.kill(3);
    network.rekey(1);
    network.start(3);
    // One dies, whoever leads, right after members asked.
    network.vote("trigger_ledger_rekey", &Value::Null);
    network.kill(2);
    wait("a new secret", || (brought(&network.dir(1)).len() >= 3).then_some(()));
    network.start(2);
    // The epoch ends by itself.
    network.vote("set_epoch", &json!({ "entries": 1_000 }));
    let before = brought(&network.dir(1)).len();
    wait("the end of the epoch", || (brought(&network.dir(1)).len() > before).then_some(()));
    network.vote("set_epoch", &json!({}));
    let acknowledged = load.end();
    assert!(acknowledged.len() > 100, "{} writes", acknowledged.len());
    doors.iter().for_each(|door| shown(door, &acknowledged));
    assert!(brought(&network.dir(1)).iter().all(|(_, nodes)| *nodes == 3), "those that were away, too");

    // A node joins, and reads all of it.
    let place = &network.place;
    let service = place.ready["service_certificate"].as_str().unwrap();
    let url = place.ready["nodes"][0]["governance"].as_str().unwrap();
    let node4 = place.file("node4");
    let coco = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_coco")).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", place::text(&output.stderr));
        place::text(&output.stdout)
    };
    let dir = node4.to_str().unwrap();
    let said =
        coco(&["node", "join", "--dir", dir, "--network", url, "--service-certificate", service, "--detach", "--json"]);
    let asked: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    let id = asked["id"].as_str().unwrap();
    let trust = place.json(&["node", "trust", id]);
    for member in ["member1", "member2"] {
        place.ok(&["proposal", "vote", trust["id"].as_str().unwrap(), "--yes", "--as", member]);
    }
    coco(&["node", "join", "--dir", dir, "--detach"]);
    let some: Vec<String> = acknowledged.iter().step_by(7).cloned().collect();
    shown(&door(&node4), &some);
    network.rekey(1);
    assert_eq!(brought(&network.dir(1)).last().unwrap().1, 4);

    // It leaves, and has no part in what comes.
    let before = brought(&network.dir(1)).len();
    network.vote("remove_node", &json!({ "node_id": id }));
    let last = wait("a secret without it", || brought(&network.dir(1)).get(before).copied());
    assert_eq!(last.1, 3);

    // All start again, with what they kept; and the ledger is what it must be.
    network.started.clear();
    network.kill(1);
    (1..=3).for_each(|number| network.start(number));
    doors.iter().for_each(|door| shown(door, &some));
    drop(std::mem::take(&mut network.started));
    let ledger = network.dir(1).join("ledger");
    let ledger = ledger.to_str().unwrap();
    let log = coco(&["governance", "log", ledger]);
    assert_eq!(log.matches("the ledger has a new secret").count(), brought(&network.dir(1)).len(), "{log}");
    assert!(!log.contains("DOES NOT FOLLOW"), "{log}");
    coco(&["ledger", "verify", ledger]);
}
