//! Nodes join a real network, are trusted by its members, take part, and are let go. Needs `coco-node` beside `coco`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Long enough for a loaded machine; what is waited for usually takes a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// A network of one node, and nodes that join it, until the test is over.
struct Place {
    dir: tempfile::TempDir,
    ready: Value,
}

impl Place {
    /// `None`, loudly, if there is no node's program.
    fn new() -> Option<Self> {
        let coco = Path::new(env!("CARGO_BIN_EXE_coco"));
        if std::env::var_os("COCO_NODE").is_none() && !coco.with_file_name("coco-node").is_file() {
            eprintln!("SKIPPED: coco-node is not beside {}; build it first", coco.display());
            return None;
        }
        let mut place = Self { dir: tempfile::tempdir().unwrap(), ready: Value::Null };
        let ready = place.file("ready.json");
        place.ok(&["up", "--detach", "--nodes", "1", "--rpc-port", "0", "--ready-file", ready.to_str().unwrap()]);
        place.ready = serde_json::from_slice(&fs::read(ready).unwrap()).unwrap();
        place.ok(&["member", "ack", "--all"]);
        Some(place)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// In the network's directory, unless the command names another.
    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coco"));
        command.args(args).current_dir(self.dir.path());
        if !args.contains(&"--dir") {
            command.arg("--dir").arg(self.file("network"));
        }
        command.output().unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    fn fails(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stderr)
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[args, &["--json"]].concat())).unwrap()
    }

    /// A node asks, and waits for members; its id.
    fn asks(&self, name: &str, more: &[&str]) -> String {
        let (url, service) = (self.ready["nodes"][0]["governance"].as_str().unwrap(), self.service());
        let args =
            ["node", "join", "--dir", name, "--network", url, "--service-certificate", &service, "--detach", "--json"];
        let said = self.ok(&[&args[..], more].concat());
        let last: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        assert_eq!(last["stage"], "pending", "{said}");
        assert_eq!(last["evidence"], "virtual");
        assert!(last["trust"].as_str().unwrap().contains("transition_node_to_trusted"), "{last}");
        last["id"].as_str().unwrap().to_owned()
    }

    /// It goes on until it votes; its ready file.
    fn votes(&self, name: &str) -> Value {
        let ready = self.file(&format!("{name}.json"));
        self.ok(&["node", "join", "--dir", name, "--detach", "--ready-file", ready.to_str().unwrap()]);
        serde_json::from_slice(&fs::read(ready).unwrap()).unwrap()
    }

    fn service(&self) -> String {
        self.ready["service_certificate"].as_str().unwrap().to_owned()
    }

    /// A majority of the members votes for the one proposal that is open.
    fn vote(&self) {
        let proposals = self.json(&["proposal", "list"]);
        let open = proposals["proposals"].as_array().unwrap().iter().find(|it| it["state"] == "Open").unwrap();
        let id = open["id"].as_str().unwrap();
        self.ok(&["proposal", "vote", id, "--yes", "--as", "member1"]);
        self.ok(&["proposal", "vote", id, "--yes", "--as", "member2"]);
    }

    /// Trusted, and voting.
    fn joins(&self, name: &str) -> Value {
        let id = self.asks(name, &[]);
        let proposed = self.json(&["node", "trust", &id[..12]]);
        assert_eq!(proposed["state"], "Open");
        let twice = self.fails(&["node", "trust", &id]);
        assert!(twice.contains("proposed already"), "{twice}");
        self.vote();
        let ready = self.votes(name);
        assert_eq!(ready["nodes"][0]["id"], id.as_str());
        ready
    }

    fn node(&self, number: u64) -> Value {
        let nodes = self.json(&["node", "list"]);
        nodes["nodes"].as_array().unwrap().iter().find(|node| node["number"] == number).cloned().unwrap_or_default()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for dir in ["node2", "node3", "other", "network"] {
            self.run(&["down", "--dir", dir]);
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Asks until it is so.
fn wait(what: &str, mut ask: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ask() {
        assert!(begun.elapsed() < PATIENCE, "still waiting: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// One call of JSON-RPC.
fn ethereum(ready: &Value, method: &str, params: Value) -> Value {
    let url = ready["nodes"][0]["ethereum"].as_str().unwrap();
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let mut answer = ureq::post(url).content_type("application/json").send(call.to_string()).unwrap();
    let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    assert!(answer.get("error").is_none(), "{method}: {answer}");
    answer["result"].clone()
}

#[test]
fn two_nodes_join_and_one_leaves() {
    let Some(place) = Place::new() else { return };
    let ledgers = place.json(&["ledger", "list"]);
    let (first, rpc) = (&ledgers["ledgers"][0], place.ready["nodes"][0]["ethereum"].as_str().unwrap());
    assert_eq!(
        (&first["name"], &first["kind"], &first["status"]),
        (&json!("ethereum"), &json!("ethereum"), &json!("Open"))
    );
    assert_eq!(first["doors"], json!([{ "node": 1, "address": rpc.trim_start_matches("http://"), "trouble": null }]));

    let second = place.joins("node2");
    let third = place.joins("node3");
    assert_eq!((&second["nodes"][0]["number"], &third["nodes"][0]["number"]), (&json!(2), &json!(3)));
    assert_eq!(third["chain_id"], 1337);
    for number in 1..=3 {
        wait("all three vote", || place.node(number)["counted"] == "voter");
    }
    assert_eq!(place.node(3)["owner"], place.node(2)["owner"]);

    // What is sent to the third is committed, and seen on all.
    let (from, to) = (&place.ready["accounts"][0]["address"], "0x00000000000000000000000000000000000000c0");
    let sent = ethereum(&place.ready, "eth_sendTransaction", json!([{ "from": from, "to": to, "value": "0x5" }]));
    wait("its receipt on the third", || !ethereum(&third, "eth_getTransactionReceipt", json!([sent])).is_null());
    let keyvalue: Value = serde_json::from_slice(&fs::read(place.file("node3/joined.json")).unwrap()).unwrap();
    let keyvalue = keyvalue["ledgers"].as_array().unwrap().iter().find(|ledger| ledger["kind"] == "keyvalue").unwrap();
    let url = format!("http://{}/kv/a", keyvalue["listen"].as_str().unwrap());
    assert_eq!(ureq::put(&url).send("by the third").unwrap().status(), 200);
    wait("the balance on the second", || ethereum(&second, "eth_getBalance", json!([to, "latest"])) == "0x5");

    // A restart asks nobody.
    place.ok(&["down", "--dir", "node3"]);
    assert!(place.ok(&["node", "join", "--dir", "node3", "--detach"]).contains("3 ("));
    let status: Value = serde_json::from_str(&place.ok(&["status", "--dir", "node3", "--json"])).unwrap();
    assert_eq!((&status["nodes"][0]["number"], &status["serving"]), (&json!(3), &json!(true)));

    // The second leaves.
    let proposed = place.json(&["node", "retire", "2"]);
    assert_eq!(proposed["state"], "Open");
    place.vote();
    assert!(place.ok(&["node", "retire", "2"]).contains("it may be stopped now"));
    place.ok(&["down", "--dir", "node2"]);
    let gone = place.node(2);
    assert!(gone.is_null() || (gone["status"] == "retired" && gone["counted"].is_null()), "{gone}");
    assert_eq!(ureq::put(&url).send("without the second").unwrap().status(), 200);
    let table = place.ok(&["node", "list", "--dir", "node3"]);
    assert!(table.contains("primary") && table.contains("let go"), "{table}");
}

#[test]
fn a_node_that_is_not_wanted_is_told_why() {
    let Some(place) = Place::new() else { return };
    let (url, service) = (place.ready["nodes"][0]["governance"].as_str().unwrap(), place.service());
    let args = ["node", "join", "--dir", "node2", "--network", url, "--service-certificate", &service, "--detach"];

    // Another constitution than the one that was read.
    let other = place.fails(&[&args[..], &["--constitution", &"ab".repeat(32)]].concat());
    assert!(other.contains("did not join") && other.contains("insists on abab"), "{other}");
    let changed = place.fails(&[&args[..], &["--constitution", &"cd".repeat(32)]].concat());
    assert!(changed.contains("was made with another --constitution"), "{changed}");

    // A directory with something else in it, and none at all.
    fs::create_dir(place.file("other")).unwrap();
    fs::write(place.file("other/thesis.txt"), "mine").unwrap();
    let full = place.fails(&["node", "join", "--dir", "other", "--network", url, "--service-certificate", &service]);
    assert!(full.contains("holds other files"), "{full}");
    assert!(place.fails(&["node", "join", "--dir", "node3"]).contains("which network shall it join"));
}
