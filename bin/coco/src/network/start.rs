//! Starting the nodes that do not run, and waiting until every node serves.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};
use std::{fs, thread};

use super::http::Client;
use super::node::{Node, Role, Status};
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

/// Starts a node that does not run.
pub fn start(node: &Node, program: &Program) -> Result<Started, Failure> {
    for (purpose, address) in node.addresses() {
        if development::in_use(address) {
            let what = format!("node {} cannot serve {purpose} at {address}: the port is in use", node.number);
            let other = match node.number {
                1 => "give node 1 another one with --rpc-port (0 = any free)".to_owned(),
                _ => format!("choose another one in {}", node.layout.file().display()),
            };
            return Err(
                Failure::new(what).hint(format!("stop the program that uses port {}, or {other}", address.port()))
            );
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

/// Nodes that are to serve, and what it takes to get them there.
pub struct Starting<'a> {
    pub nodes: &'a [Node],
    pub program: &'a Program,
    pub client: &'a Client,
    pub printer: &'a Printer,
    /// Whether somebody wants no more of it.
    pub stopped: &'a dyn Fn() -> bool,
}

impl Starting<'_> {
    /// Starts the nodes that do not run, waits until every node serves, and has opened its doors for `ledgers`, and returns what
    /// each says.
    ///
    /// What is started is added to `started`. If a node that was started ends, or `stopped` says so, all of `started` are stopped.
    pub fn bring_up(&self, ledgers: &[String], started: &mut Vec<Started>) -> Result<Vec<Status>, Failure> {
        let result = self.wait(ledgers, started);
        if result.is_err() {
            abandon(started);
        }
        result
    }

    fn wait(&self, ledgers: &[String], started: &mut Vec<Started>) -> Result<Vec<Status>, Failure> {
        let begun = Instant::now();
        let mut mentioned = false;
        loop {
            start_missing(self.nodes, self.program, started)?;
            let (serving, waiting) = ask(self.nodes, ledgers, self.client);
            if waiting.is_empty() {
                return Ok(serving);
            }
            if (self.stopped)() {
                return Err(Failure::new("stopped before the network was serving"));
            }
            if begun.elapsed() > PATIENCE {
                let what = format!("after {} s still not serving: {}", PATIENCE.as_secs(), waiting.join(", "));
                return Err(Failure::new(what).hint("the nodes' logs (node.log in each node's directory) may say why"));
            }
            if !mentioned && begun.elapsed() > MENTION {
                mentioned = true;
                self.printer.note(format!("still waiting for {}", waiting.join(", ")));
            }
            thread::sleep(POLL);
        }
    }
}

/// A node that was just killed may look alive for a moment; so this is asked again and again.
fn start_missing(nodes: &[Node], program: &Program, started: &mut Vec<Started>) -> Result<(), Failure> {
    for node in nodes {
        match started.iter_mut().find(|started| started.number == node.number) {
            Some(ours) => {
                if let Some(how) = ours.ended() {
                    return Err(ended_while_starting(node, ours, &how));
                }
            }
            None if node.process().is_none() => started.push(start(node, program)?),
            None => {}
        }
    }
    Ok(())
}

/// What the nodes say that serve under a primary, and which do not yet.
fn ask(nodes: &[Node], ledgers: &[String], client: &Client) -> (Vec<Status>, Vec<String>) {
    let (mut serving, mut waiting) = (Vec::new(), Vec::new());
    for node in nodes {
        match node.status(client) {
            Ok(status) if status.serving && status.primary.is_some() => {
                waiting.extend(ledgers.iter().filter_map(|name| lacks(node, &status, name)));
                serving.push(status);
            }
            Ok(status) if status.serving => waiting.push(format!("node {} (knows no primary)", node.number)),
            Ok(status) => waiting.push(format!("node {} ({})", node.number, status.role.name())),
            Err(_) => waiting.push(format!("node {} (no answer)", node.number)),
        }
    }
    // The one that the others follow may have fallen since; it says so itself.
    if waiting.is_empty() && !serving.iter().any(|status| status.role == Role::Primary) {
        waiting.push("a primary".to_owned());
    }
    (serving, waiting)
}

/// What a node that serves members still has to do for a ledger.
fn lacks(node: &Node, status: &Status, ledger: &str) -> Option<String> {
    let hosted = status.hosted(ledger);
    if hosted.is_some_and(|hosted| hosted.address().is_some()) {
        return None;
    }
    let why = hosted.and_then(|hosted| hosted.trouble.as_ref()).map(|why| format!(": {why}")).unwrap_or_default();
    Some(format!("node {} (to open the ledger {ledger}{why})", node.number))
}

fn ended_while_starting(node: &Node, started: &Started, how: &str) -> Failure {
    let log = node.layout.output();
    let mut message = format!("node {} ended while starting ({how})", node.number);
    for line in last_lines(&log, started.log_began) {
        message.push_str("\n    ");
        message.push_str(&line);
    }
    Failure::new(message).hint(format!("the whole log is {}", log.display()))
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
