//! Stopping nodes.

use std::thread;
use std::time::{Duration, Instant};

use super::node::Node;
use super::process::Process;
use crate::printer::Printer;

/// How long a node gets to end in good order. What was acknowledged is on disk in any case.
pub const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);

/// Stops the nodes that run, and returns how many those were once they are gone.
///
/// All are asked at once: one after another, the last ones would look for a primary and for a majority that are gone on purpose.
/// `hurry` is asked meanwhile; when it says so, nodes are ended on the spot.
pub fn stop(nodes: &[Node], printer: &Printer, hurry: impl Fn() -> bool) -> usize {
    let running: Vec<(&Node, Process)> =
        nodes.iter().filter_map(|node| node.process().map(|process| (node, process))).collect();
    for (_, process) in &running {
        process.terminate();
    }
    let begun = Instant::now();
    let mut killed = false;
    loop {
        let left: Vec<_> = running.iter().filter(|(_, process)| process.alive()).collect();
        if left.is_empty() {
            return running.len();
        }
        let late = begun.elapsed() > PATIENCE;
        if !killed && (late || hurry()) {
            killed = true;
            for (node, process) in left {
                if late {
                    let seconds = PATIENCE.as_secs();
                    printer.warning(format!("node {} did not stop within {seconds} s and is killed", node.number));
                }
                process.kill();
            }
        }
        thread::sleep(POLL);
    }
}
