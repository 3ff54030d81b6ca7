//! Staying with a network in the foreground: Ctrl-C stops it, a node that dies is reported, the rest goes on.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;
use crate::network::{self, Node, Started, last_lines};
use crate::printer::Printer;

const POLL: Duration = Duration::from_millis(100);

/// How often somebody asked to stop: Ctrl-C, the closing of the terminal, or SIGTERM.
#[derive(Clone)]
pub struct Stops(Arc<AtomicUsize>);

impl Stops {
    /// From now on a request to stop is counted, and no longer ends this process.
    pub fn listen() -> Result<Self, Failure> {
        let failed = |e: std::io::Error| Failure::from_error("cannot listen for Ctrl-C", &e);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
        let guard = runtime.enter();
        let [mut interrupt, mut terminate, mut hangup] = [
            signal(SignalKind::interrupt()).map_err(failed)?,
            signal(SignalKind::terminate()).map_err(failed)?,
            signal(SignalKind::hangup()).map_err(failed)?,
        ];
        drop(guard);
        let stops = Self(Arc::new(AtomicUsize::new(0)));
        let counted = stops.clone();
        thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                        _ = hangup.recv() => {}
                    }
                    counted.0.fetch_add(1, Ordering::Relaxed);
                }
            });
        });
        Ok(stops)
    }

    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub fn asked(&self) -> bool {
        self.count() > 0
    }
}

/// A node as the watcher last saw it.
struct Watched<'a> {
    node: &'a Node,
    /// Ours, if this process started it.
    child: Option<Started>,
    running: bool,
    log_length: u64,
}

/// Returns when the network was stopped or no node is left. It is a failure if the last one died.
pub fn watch(nodes: &[Node], started: Vec<Started>, stops: &Stops, printer: &Printer) -> Result<ExitCode, Failure> {
    let mut children: Vec<Option<Started>> = started.into_iter().map(Some).collect();
    let mut watched: Vec<Watched<'_>> = nodes
        .iter()
        .map(|node| {
            let slot = children.iter_mut().find(|slot| slot.as_ref().is_some_and(|child| child.number == node.number));
            Watched { node, child: slot.and_then(Option::take), running: true, log_length: log_length(node) }
        })
        .collect();
    let mut died = false;
    loop {
        if stops.asked() {
            printer.note("stopping (once more Ctrl-C: at once)");
            network::stop(nodes, printer, || stops.count() > 1);
            for watched in &mut watched {
                watched.reap();
            }
            printer.note("stopped; the same command goes on from here");
            return Ok(ExitCode::SUCCESS);
        }
        for watched in &mut watched {
            died |= watched.look(printer);
        }
        if watched.iter().all(|watched| !watched.running) {
            if died {
                return Err(Failure::new("no node is left").hint("the same command starts the network again"));
            }
            printer.note("all nodes were stopped");
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(POLL);
    }
}

fn log_length(node: &Node) -> u64 {
    std::fs::metadata(node.layout.output()).map_or(0, |metadata| metadata.len())
}

impl Watched<'_> {
    /// Takes note of a child's end, so that it does not stay as a zombie.
    fn reap(&mut self) -> Option<std::process::ExitStatus> {
        self.child.as_mut().and_then(|started| started.child.wait().ok())
    }

    /// Reports what changed. True if the node died, that is, ended without having been asked to.
    fn look(&mut self, printer: &Printer) -> bool {
        let number = self.node.number;
        let runs = self.node.process();
        match (self.running, runs) {
            (true, None) => {
                self.running = false;
                let status = self.reap();
                self.child = None;
                if status.is_some_and(|status| status.success()) {
                    printer.note(format!("node {number} was stopped"));
                    return false;
                }
                let how = status.map(|status| format!(" ({status})")).unwrap_or_default();
                printer.warning(format!("node {number} is gone{how}; the last lines of its log:"));
                for line in last_lines(&self.node.layout.output(), self.log_length) {
                    printer.note(format!("    {line}"));
                }
                printer.hint("the same command with --detach starts it again; the others go on meanwhile");
                true
            }
            (false, Some(process)) => {
                self.running = true;
                self.log_length = log_length(self.node);
                printer.note(format!("node {number} is back (pid {})", process.pid));
                false
            }
            _ => false,
        }
    }
}
