//! A network on this machine, and nodes that join it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Long enough for a loaded machine; what is waited for usually takes a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// A network, and nodes that join it, until the test is over.
pub struct Place {
    dir: tempfile::TempDir,
    pub ready: Value,
}

impl Place {
    /// `None`, loudly, if there is no node's program.
    pub fn new(nodes: &str) -> Option<Self> {
        let coco = Path::new(env!("CARGO_BIN_EXE_coco"));
        if std::env::var_os("COCO_NODE").is_none() && !coco.with_file_name("coco-node").is_file() {
            eprintln!("SKIPPED: coco-node is not beside {}; build it first", coco.display());
            return None;
        }
        let mut place = Self { dir: tempfile::tempdir().unwrap(), ready: Value::Null };
        let ready = place.file("ready.json");
        place.ok(&["up", "--detach", "--nodes", nodes, "--rpc-port", "0", "--ready-file", ready.to_str().unwrap()]);
        place.ready = serde_json::from_slice(&fs::read(ready).unwrap()).unwrap();
        place.ok(&["member", "ack", "--all"]);
        Some(place)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// In the network's directory, unless the command names another.
    pub fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coco"));
        command.args(args).current_dir(self.dir.path());
        if !args.contains(&"--dir") {
            command.arg("--dir").arg(self.file("network"));
        }
        command.output().unwrap()
    }

    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    pub fn fails(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stderr)
    }

    pub fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[args, &["--json"]].concat())).unwrap()
    }

    /// A node asks, and waits for members; its id.
    pub fn asks(&self, name: &str, more: &[&str]) -> String {
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
    pub fn votes(&self, name: &str) -> Value {
        let ready = self.file(&format!("{name}.json"));
        self.ok(&["node", "join", "--dir", name, "--detach", "--ready-file", ready.to_str().unwrap()]);
        serde_json::from_slice(&fs::read(ready).unwrap()).unwrap()
    }

    pub fn service(&self) -> String {
        self.ready["service_certificate"].as_str().unwrap().to_owned()
    }

    /// A majority of the members votes for the one proposal that is open.
    pub fn vote(&self) {
        let proposals = self.json(&["proposal", "list"]);
        let open = proposals["proposals"].as_array().unwrap().iter().find(|it| it["state"] == "Open").unwrap();
        let id = open["id"].as_str().unwrap();
        self.ok(&["proposal", "vote", id, "--yes", "--as", "member1"]);
        self.ok(&["proposal", "vote", id, "--yes", "--as", "member2"]);
    }

    /// Trusted, and voting.
    pub fn joins(&self, name: &str) -> Value {
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

    pub fn node(&self, number: u64) -> Value {
        let nodes = self.json(&["node", "list"]);
        nodes["nodes"].as_array().unwrap().iter().find(|node| node["number"] == number).cloned().unwrap_or_default()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for dir in ["node2", "node3", "node4", "other", "network"] {
            self.run(&["down", "--dir", dir]);
        }
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Asks until it is so.
pub fn wait(what: &str, mut ask: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ask() {
        assert!(begun.elapsed() < PATIENCE, "still waiting: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// One call of JSON-RPC.
pub fn ethereum(ready: &Value, method: &str, params: Value) -> Value {
    let url = ready["nodes"][0]["ethereum"].as_str().unwrap();
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let mut answer = ureq::post(url).content_type("application/json").send(call.to_string()).unwrap();
    let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    assert!(answer.get("error").is_none(), "{method}: {answer}");
    answer["result"].clone()
}
