//! A network of real processes for tests: key-value ledger only, in a temporary directory.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use development::{LedgerKind, NodeFile, Plan, Signing};
use serde_json::Value;
use tempfile::TempDir;

/// Long enough for a loaded machine; what is waited for usually takes a second.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Network {
    dir: TempDir,
    nodes: Vec<Node>,
}

pub struct Node {
    dir: PathBuf,
    pub http: SocketAddr,
    pub keyvalue: SocketAddr,
    process: Option<Child>,
}

impl Network {
    pub fn start(nodes: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let plan = Plan { nodes, rpc_port: 0, signing: Signing::Cose, genesis: None, base_fee: 0, blobs: false };
        development::create(dir.path(), &plan).unwrap();
        let nodes = (1..=nodes).map(|number| Node::new(dir.path().join(format!("node{number}")))).collect();
        let mut network = Self { dir, nodes };
        (1..=network.nodes.len()).for_each(|number| network.start_node(number));
        network
    }

    pub fn node(&self, number: usize) -> &Node {
        &self.nodes[number - 1]
    }

    pub fn ledger(&self, number: usize) -> PathBuf {
        self.dir.path().join(format!("node{number}/ledger"))
    }

    pub fn start_node(&mut self, number: usize) {
        let node = &mut self.nodes[number - 1];
        let log = File::options().create(true).append(true).open(node.dir.join("node.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_coco-node"));
        command.arg(&node.dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        node.process = Some(command.spawn().unwrap());
    }

    /// Like a power cut of the process: no warning.
    pub fn kill(&mut self, number: usize) {
        let mut process = self.nodes[number - 1].process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// SIGTERM; the node must end by itself and call it a success.
    pub fn stop(&mut self, number: usize) {
        let mut process = self.nodes[number - 1].process.take().unwrap();
        let asked = Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap();
        assert!(asked.success());
        let status = process.wait().unwrap();
        assert!(status.success(), "node {number} ended with {status}:\n{}", self.log(number));
    }

    /// The number of the primary, once one is known to `node`.
    pub fn primary(&self, node: usize) -> usize {
        wait(&format!("node {node} to know a primary"), || {
            let status = self.node(node).status()?;
            (status["serving"] == true).then(|| status["primary"].as_u64())?.map(|number| number as usize)
        })
        .unwrap_or_else(|| panic!("no primary; node {node} says:\n{}", self.log(node)))
    }

    pub fn log(&self, number: usize) -> String {
        std::fs::read_to_string(self.nodes[number - 1].dir.join("node.log")).unwrap_or_default()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for process in self.nodes.iter_mut().filter_map(|node| node.process.as_mut()) {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Node {
    fn new(dir: PathBuf) -> Self {
        let mut file = NodeFile::read(&dir).unwrap();
        file.ledgers.retain(|ledger| ledger.kind == LedgerKind::Keyvalue);
        file.write(&dir).unwrap();
        Self { dir, http: file.http, keyvalue: file.ledgers[0].listen, process: None }
    }

    pub fn status(&self) -> Option<Value> {
        let (code, body) = request(self.http, "GET", "/node/status", b"")?;
        (code == 200).then(|| serde_json::from_slice(&body).unwrap())
    }

    pub fn metrics(&self) -> String {
        String::from_utf8(request(self.http, "GET", "/node/metrics", b"").unwrap().1).unwrap()
    }

    /// Writes, and asks again while the network is without a primary.
    pub fn put(&self, key: &str, value: &[u8]) {
        let put = wait(&format!("{key} to be written"), || {
            let (code, _) = request(self.keyvalue, "PUT", &format!("/kv/{key}"), value)?;
            (code == 200).then_some(())
        });
        assert!(put.is_some(), "{key} was not written");
    }

    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        match request(self.keyvalue, "GET", &format!("/kv/{key}"), b"")? {
            (200, body) => Some(body),
            _ => None,
        }
    }

    /// Waits until the node shows the value: it may have to catch up first.
    pub fn shows(&self, key: &str, value: &[u8]) {
        let shown = wait(&format!("{key} to be shown"), || (self.get(key).as_deref() == Some(value)).then_some(()));
        assert!(shown.is_some(), "{key} is not shown");
    }
}

/// Asks until there is an answer.
pub fn wait<T>(_what: &str, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

/// One HTTP request on a connection of its own; `None` if there is no whole answer.
pub fn request(address: SocketAddr, method: &str, path: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let code = std::str::from_utf8(&answer[..end]).ok()?.split(' ').nth(1)?.parse().ok()?;
    Some((code, answer[end + 4..].to_vec()))
}
