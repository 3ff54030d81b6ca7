//! Starting the nodes that do not run, and waiting until every node serves.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};
use std::{fs, thread};

use super::http::Client;
use super::node::{Node, Status};
use super::output::last_lines;
use super::process::{Process, spawn_node};
use crate::failure::Failure;
use crate::printer::Printer;

/// How often a starting node is asked. A restart takes some tens of milliseconds; waiting should not double that.
const POLL: Duration = Duration::from_millis(10);
/// When waiting is mentioned.
const MENTION: Duration = Duration::from_secs(5);
/// A node reads its whole ledger back if its disk lost the rest; even then it is ready long before.
const PATIENCE: Duration = Duration::from_secs(300);

/// The node's program.
pub struct Program(PathBuf);

impl Program {
    /// `COCO_NODE`, else `coco-node` in the directory of this program.
    pub fn find() -> Result<Self, Failure> {
        let path = match std::env::var_os("COCO_NODE") {
            Some(path) => super::absolute(Path::new(&path))?,
            None => std::env::current_exe()
                .map_err(|e| Failure::from_error("cannot find this program's own file", &e))?
                .with_file_name("coco-node"),
        };
        if path.is_file() {
            return Ok(Self(path));
        }
        Err(Failure::new(format!("the node's program is missing: {}", path.display())).hint(
            "keep coco-node beside coco (`cargo build --release -p coco-node` builds it), or name it in COCO_NODE",
        ))
    }
}

/// A node that this process started.
pub struct Started {
    pub number: u64,
    pub child: Child,
    pub process: Process,
    /// How long its log was before.
    pub log_began: u64,
}

impl Started {
    /// Whether it has ended. Also takes note of it, so that it does not stay as a zombie.
    pub fn ended(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(Some(status)) => Some(status.to_string()),
            Ok(None) => None,
            Err(e) => Some(e.to_string()),
        }
    }
}

/// Starts every node that does not run. If one cannot be started, those before it are stopped again.
pub fn start_missing(nodes: &[Node], program: &Program) -> Result<Vec<Started>, Failure> {
    let mut started = Vec::new();
    for node in nodes.iter().filter(|node| node.process().is_none()) {
        match start(node, program) {
            Ok(child) => started.push(child),
            Err(failure) => {
                abandon(&mut started);
                return Err(failure);
            }
        }
    }
    Ok(started)
}

fn start(node: &Node, program: &Program) -> Result<Started, Failure> {
    for (purpose, address) in node.addresses() {
        if development::in_use(address) {
            let what = format!("node {} cannot serve {purpose} at {address}: the port is in use", node.number);
            return Err(Failure::new(what).hint(format!(
                "stop the program that uses port {}, or give node 1 another one with --rpc-port (0 = any free)",
                address.port()
            )));
        }
    }
    let output = node.layout.output();
    let log_began = fs::metadata(&output).map_or(0, |metadata| metadata.len());
    let child = spawn_node(&program.0, node.layout.dir(), &output)?;
    let process = Process::of(child.id());
    let started = Started { number: node.number, child, process, log_began };
    let note = node.layout.process();
    if let Err(e) = process.write(&note) {
        abandon(&mut [started]);
        return Err(Failure::file("write", &note, &e));
    }
    Ok(started)
}

/// Waits until every node serves, and returns what each says. If one of those
/// just started ends, or `stopped` says so, all of those are stopped.
pub fn wait_until_serving(
    nodes: &[Node],
    started: &mut [Started],
    client: &Client,
    printer: &Printer,
    stopped: impl Fn() -> bool,
) -> Result<Vec<Status>, Failure> {
    let result = poll_until_serving(nodes, started, client, printer, stopped);
    if result.is_err() {
        abandon(started);
    }
    result
}

fn poll_until_serving(
    nodes: &[Node],
    started: &mut [Started],
    client: &Client,
    printer: &Printer,
    stopped: impl Fn() -> bool,
) -> Result<Vec<Status>, Failure> {
    let begun = Instant::now();
    let mut mentioned = false;
    loop {
        let mut serving = Vec::new();
        let mut waiting = Vec::new();
        for node in nodes {
            match node.status(client) {
                Ok(status) if status.serving => serving.push(status),
                Ok(status) => waiting.push(format!("node {} ({})", node.number, status.role.name())),
                Err(_) => waiting.push(format!("node {} (no answer)", node.number)),
            }
        }
        if waiting.is_empty() {
            return Ok(serving);
        }
        for node in started.iter_mut() {
            if let Some(how) = node.ended() {
                return Err(ended_while_starting(nodes, node, &how));
            }
        }
        if let Some(gone) = nodes.iter().find(|node| node.process().is_none()) {
            return Err(Failure::new(format!("node {} ended while the others were starting", gone.number))
                .hint(format!("its log is {}; the same command starts it again", gone.layout.output().display())));
        }
        if stopped() {
            return Err(Failure::new("stopped before the network was serving"));
        }
        if begun.elapsed() > PATIENCE {
            let what = format!("after {} s still not serving: {}", PATIENCE.as_secs(), waiting.join(", "));
            return Err(Failure::new(what).hint("the nodes' logs (node.log in each node's directory) may say why"));
        }
        if !mentioned && begun.elapsed() > MENTION {
            mentioned = true;
            printer.note(format!("still waiting for {}", waiting.join(", ")));
        }
        thread::sleep(POLL);
    }
}

fn ended_while_starting(nodes: &[Node], started: &Started, how: &str) -> Failure {
    let mut message = format!("node {} ended while starting ({how})", started.number);
    let mut hint = String::from("its log may say why");
    if let Some(node) = nodes.iter().find(|node| node.number == started.number) {
        for line in last_lines(&node.layout.output(), started.log_began) {
            message.push_str("\n    ");
            message.push_str(&line);
        }
        hint = format!("the whole log is {}", node.layout.output().display());
    }
    Failure::new(message).hint(hint)
}

/// Stops what was started, because it did not become what was asked for.
pub fn abandon(started: &mut [Started]) {
    for node in started.iter() {
        node.process.terminate();
    }
    let begun = Instant::now();
    for node in started {
        while node.ended().is_none() {
            if begun.elapsed() > super::stop::PATIENCE {
                node.process.kill();
            }
            thread::sleep(POLL);
        }
    }
}
