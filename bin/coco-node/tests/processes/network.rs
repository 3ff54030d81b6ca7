//! A network of real processes for tests, in a temporary directory. Its members open its ledgers, as anybody's would.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use development::{Joining, JoiningState, Layout, LedgerFile, LedgerKind, Newcomer, NodeFile, Plan, Ports};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::govern::Members;

/// Long enough for a loaded machine; what is waited for usually takes a second.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Network {
    /// Deleted with the network.
    dir: TempDir,
    nodes: Vec<Node>,
    members: Members,
    /// The ledgers that it is to host from the beginning.
    kinds: &'static [LedgerKind],
}

pub struct Node {
    dir: PathBuf,
    pub http: SocketAddr,
    pub keyvalue: SocketAddr,
    /// Set if the network hosts it.
    pub ethereum: Option<SocketAddr>,
    pub peer: SocketAddr,
    pub governance: SocketAddr,
    process: Option<Child>,
}

impl Network {
    pub fn start(nodes: u64) -> Self {
        let mut network = Self::make(nodes);
        network.start_all();
        network
    }

    /// With Ethereum on it too.
    pub fn start_with_ethereum(nodes: u64) -> Self {
        let mut network = Self::make_hosting(nodes, &[LedgerKind::Ethereum, LedgerKind::Keyvalue]);
        network.start_all();
        network
    }

    /// Everything but processes.
    pub fn make(nodes: u64) -> Self {
        Self::make_hosting(nodes, &[LedgerKind::Keyvalue])
    }

    fn make_hosting(nodes: u64, kinds: &'static [LedgerKind]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        development::create(dir.path(), &Plan::new(nodes)).unwrap();
        let nodes = (1..=nodes).map(|number| Node::new(dir.path().join(format!("node{number}")), kinds)).collect();
        let members = Members::of(dir.path());
        Self { dir, nodes, members, kinds }
    }

    /// Nodes have doors for these ledgers, too, once they are open.
    pub fn with_doors(self, names: &[&str]) -> Self {
        let mut ports = Ports::new([127, 0, 0, 1].into());
        for node in &self.nodes {
            let file = NodeFile::read(&node.dir).unwrap();
            let taken = [file.http, file.governance, file.peer].into_iter();
            taken.chain(file.ledgers.iter().map(|it| it.listen)).for_each(|door| ports.reserve(door.port()));
        }
        self.nodes.iter().for_each(|node| node.add_doors(names, &mut ports));
        self
    }

    /// Starts every node, and lets the members open the ledgers that the network is for.
    pub fn start_all(&mut self) {
        (1..=self.nodes.len()).for_each(|number| self.start_node(number));
        self.open_ledgers();
    }

    /// For those who started the nodes in their own way.
    pub fn open_ledgers(&self) {
        self.primary(1);
        let door = self.node(1).governance;
        self.members.acknowledge(door);
        let action = |kind: &LedgerKind| {
            let mut args = json!({ "name": kind.name(), "kind": kind.name() });
            if *kind == LedgerKind::Ethereum {
                let genesis = std::fs::read(Layout::new(self.dir.path()).genesis()).unwrap();
                args["genesis"] = serde_json::from_slice(&genesis).unwrap();
            }
            json!({ "name": "open_ledger", "args": args })
        };
        self.members.pass(door, &self.kinds.iter().map(action).collect());
        self.serves(&self.kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>());
    }

    /// Waits until every node that has doors for these ledgers serves them.
    pub fn serves(&self, names: &[&str]) {
        for (node, name) in self.nodes.iter().flat_map(|node| names.iter().map(move |name| (node, *name))) {
            let named = NodeFile::read(&node.dir).unwrap().ledgers.iter().any(|ledger| ledger.name == name);
            let served = || {
                let status = node.status()?;
                let ledger = status["ledgers"].as_array()?.iter().find(|ledger| ledger["name"] == name)?;
                ledger["listeners"][0]["address"].as_str().map(drop)
            };
            if named && node.process.is_some() && wait("a ledger to be served", served).is_none() {
                panic!(
                    "{name} is not served: {:?}\n{}",
                    node.status(),
                    std::fs::read_to_string(node.dir.join("node.log")).unwrap()
                );
            }
        }
    }

    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Starts one more node, which asks to be let in and has doors for these ledgers; its number here.
    pub fn join(&mut self, doors: &[&str]) -> usize {
        let number = self.nodes.len() + 1;
        let dir = self.dir.path().join(format!("node{number}"));
        let new = Newcomer {
            network: vec![format!("https://{}", self.node(1).governance)],
            service_certificate: std::fs::read_to_string(Layout::new(self.dir.path()).service_certificate()).unwrap(),
            listen: [127, 0, 0, 1].into(),
            governance_port: None,
            published: None,
            constitution: None,
            node_data: None,
            endorsements: development::EndorsementServices::default(),
        };
        let file = development::newcomer(&dir, &new).unwrap();
        let mut ports = Ports::new([127, 0, 0, 1].into());
        [file.http, file.governance, file.peer].into_iter().for_each(|door| ports.reserve(door.port()));
        add_doors(&dir, doors, &mut ports);
        self.nodes.push(Node::new(dir, &[LedgerKind::Keyvalue]));
        self.start_node(number);
        number
    }

    /// Waits until a node that asks to be let in is known to the network, and gives its id.
    pub fn joins(&self, number: usize) -> String {
        let asked = wait("the network to know the node", || {
            let joining = Joining::read(self.dir(number)).unwrap()?;
            (joining.state == JoiningState::Pending).then(|| joining.id.to_string())
        });
        asked.unwrap_or_else(|| panic!("node {number} is not known:\n{}", self.log(number)))
    }

    pub fn node(&self, number: usize) -> &Node {
        &self.nodes[number - 1]
    }

    /// A node's directory.
    pub fn dir(&self, number: usize) -> &Path {
        &self.nodes[number - 1].dir
    }

    pub fn ledger(&self, number: usize) -> PathBuf {
        self.dir(number).join("ledger")
    }

    /// The file of a node's `folder` that is written now: the one with the highest number in its name.
    pub fn newest(&self, number: usize, folder: &str) -> PathBuf {
        let files = std::fs::read_dir(self.dir(number).join(folder)).unwrap().map(|file| file.unwrap().path());
        let first = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let digits = name.split(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty());
            digits.and_then(|digits| digits.parse::<u64>().ok())
        };
        files.max_by_key(first).unwrap()
    }

    pub fn start_node(&mut self, number: usize) {
        let node = &mut self.nodes[number - 1];
        let log = File::options().create(true).append(true).open(node.dir.join("node.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_coco-node"));
        command.arg(&node.dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        node.process = Some(command.spawn().unwrap());
    }

    /// A second process for a node that runs already; waits for its end.
    pub fn start_another(&self, number: usize) -> Output {
        Command::new(env!("CARGO_BIN_EXE_coco-node")).arg(self.dir(number)).stdin(Stdio::null()).output().unwrap()
    }

    /// Like a power cut of the process: no warning.
    pub fn kill(&mut self, number: usize) {
        let mut process = self.nodes[number - 1].process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Sends a signal that a node need not obey at once: STOP, CONT.
    pub fn signal(&self, number: usize, signal: &str) {
        let process = self.nodes[number - 1].process.as_ref().unwrap().id();
        assert!(Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status().unwrap().success());
    }

    /// Waits until a node ends by itself, which must be a failure, and gives what it said last.
    pub fn fails(&mut self, number: usize) -> String {
        let mut process = self.nodes[number - 1].process.take().unwrap();
        let status = wait("the node to stop", || process.try_wait().unwrap());
        if status.is_none() {
            let _ = process.kill();
            let _ = process.wait();
        }
        let status = status.unwrap_or_else(|| panic!("node {number} goes on:\n{}", self.log(number)));
        assert_eq!(status.code(), Some(1), "{}", self.log(number));
        let log = self.log(number);
        let said: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        assert_eq!(said["level"], "ERROR", "{said}");
        said["fields"]["error"].as_str().unwrap().to_owned()
    }

    /// Bytes of memory that a node's process holds.
    pub fn resident_bytes(&self, number: usize) -> u64 {
        let process = self.nodes[number - 1].process.as_ref().unwrap().id();
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
    }

    /// Stops every node and compares their ledgers: what one has, all have, byte for byte.
    pub fn assert_same_ledgers(&mut self) {
        let running: Vec<usize> = (1..=self.nodes.len()).filter(|n| self.nodes[n - 1].process.is_some()).collect();
        let seqnos = || running.iter().map(|number| self.node(*number).status()?["seqno"].as_u64()).collect();
        let level = wait("all nodes to be level", || {
            let seqnos: Option<Vec<u64>> = seqnos();
            seqnos.filter(|seqnos| seqnos.windows(2).all(|pair| pair[0] == pair[1]))
        });
        assert!(level.is_some(), "the nodes never stood at the same place: {:?}", seqnos());
        running.iter().for_each(|number| self.stop(*number));
        let first = self.entries(running[0]);
        assert!(!first.is_empty());
        for number in &running[1..] {
            let other = self.entries(*number);
            let same = first.iter().zip(&other).take_while(|(a, b)| a == b).count();
            // A handover may leave a mark in the log, but never an entry: the ledgers end at the same place, too.
            assert_eq!((same, first.len()), (other.len(), other.len()), "nodes {} and {number} differ", running[0]);
        }
    }

    /// Every entry of a node's ledger, raw.
    fn entries(&self, number: usize) -> Vec<Vec<u8>> {
        let mut entries = Vec::new();
        let scanned = ledger::scan(&self.ledger(number), base::Seqno(1), |entry| {
            entries.push(entry.bytes.to_vec());
            std::ops::ControlFlow::Continue(())
        });
        scanned.unwrap();
        entries
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
    fn new(dir: PathBuf, kinds: &[LedgerKind]) -> Self {
        let mut file = NodeFile::read(&dir).unwrap();
        // Those that the network is for; what a test adds has names of its own.
        file.ledgers.retain(|ledger| LedgerKind::parse(&ledger.name).is_none_or(|kind| kinds.contains(&kind)));
        file.write(&dir).unwrap();
        let listens = |kind: LedgerKind| file.ledger(kind.name()).map(|ledger| ledger.listen);
        let keyvalue = listens(LedgerKind::Keyvalue).unwrap();
        let ethereum = listens(LedgerKind::Ethereum);
        let (http, peer, governance) = (file.http, file.peer, file.governance);
        Self { dir, http, keyvalue, ethereum, peer, governance, process: None }
    }

    fn add_doors(&self, names: &[&str], ports: &mut Ports) {
        add_doors(&self.dir, names, ports);
    }

    /// Where it serves a ledger.
    pub fn door(&self, name: &str) -> SocketAddr {
        NodeFile::read(&self.dir).unwrap().ledgers.iter().find(|ledger| ledger.name == name).unwrap().listen
    }

    /// One call of JSON-RPC that must succeed.
    pub fn ethereum(&self, method: &str, params: &Value) -> Value {
        let call = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let called = wait(&format!("{method} to be answered"), || {
            let json = [("content-type", "application/json")];
            let (_, body) = request_with(self.ethereum?, "POST", "/", &json, call.to_string().as_bytes())?;
            let mut answer: Value = serde_json::from_slice(&body).ok()?;
            answer.get("result")?;
            Some(answer["result"].take())
        });
        called.unwrap_or_else(|| panic!("{method} {params} did not succeed"))
    }

    pub fn status(&self) -> Option<Value> {
        let (code, body) = request(self.http, "GET", "/node/status", b"")?;
        (code == 200).then(|| serde_json::from_slice(&body).unwrap())
    }

    pub fn metrics(&self) -> String {
        String::from_utf8(request(self.http, "GET", "/node/metrics", b"").unwrap().1).unwrap()
    }

    /// Writes once: the status, or `None` if there was no answer.
    pub fn try_put(&self, key: &str, value: &[u8]) -> Option<u16> {
        request(self.keyvalue, "PUT", &format!("/kv/{key}"), value).map(|(code, _)| code)
    }

    /// As [`Node::try_put`], but only if the key is new.
    pub fn try_put_new(&self, key: &str, value: &[u8]) -> Option<u16> {
        let only_new = [("if-none-match", "*")];
        request_with(self.keyvalue, "PUT", &format!("/kv/{key}"), &only_new, value).map(|(code, _)| code)
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
        match self.try_get(key)? {
            (200, body) => Some(body),
            _ => None,
        }
    }

    /// Reads once: the status and the value, or `None` if there was no answer.
    pub fn try_get(&self, key: &str) -> Option<(u16, Vec<u8>)> {
        request(self.keyvalue, "GET", &format!("/kv/{key}"), b"")
    }

    /// Waits until the node shows the value: it may have to catch up first.
    pub fn shows(&self, key: &str, value: &[u8]) {
        let shown = wait(&format!("{key} to be shown"), || (self.get(key).as_deref() == Some(value)).then_some(()));
        assert!(shown.is_some(), "{key} is not shown");
    }
}

fn add_doors(dir: &Path, names: &[&str], ports: &mut Ports) {
    let mut file = NodeFile::read(dir).unwrap();
    for name in names {
        file.ledgers.push(LedgerFile { name: (*name).to_owned(), listen: ports.take(dir).unwrap(), accounts: None });
    }
    file.write(dir).unwrap();
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
    request_with(address, method, path, &[], body)
}

/// As [`request`], with headers of the caller's.
fn request_with(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{more}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    // Who is told to go need not listen first: the answer may be there all the same.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let code = std::str::from_utf8(&answer[..end]).ok()?.split(' ').nth(1)?.parse().ok()?;
    Some((code, answer[end + 4..].to_vec()))
}
