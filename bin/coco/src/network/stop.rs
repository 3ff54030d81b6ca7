//! Stopping nodes.

use std::thread;
use std::time::{Duration, Instant};

use super::http::Client;
use super::node::{Node, Role};
use super::process::Process;
use crate::printer::Printer;

/// How long a node gets to end in good order. What was acknowledged is on disk in any case.
pub const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);
const ASK: Duration = Duration::from_millis(300);

/// Stops the nodes that run, and returns how many those were once they are gone.
///
/// Backups go first: were the primary first, the others would elect a new one just to lose it again. `hurry` is asked meanwhile;
/// when it says so, nodes are ended on the spot.
pub fn stop(nodes: &[Node], printer: &Printer, mut hurry: impl FnMut() -> bool) -> usize {
    let client = Client::new(ASK);
    let running: Vec<(&Node, Process)> =
        nodes.iter().filter_map(|node| node.process().map(|process| (node, process))).collect();
    let is_primary = |node: &Node| node.status(&client).is_ok_and(|status| status.role == Role::Primary);
    let (primaries, backups): (Vec<_>, Vec<_>) = running.iter().copied().partition(|(node, _)| is_primary(node));
    for group in [backups, primaries] {
        for (_, process) in &group {
            process.terminate();
        }
        wait_until_gone(&group, printer, &mut hurry);
    }
    running.len()
}

fn wait_until_gone(group: &[(&Node, Process)], printer: &Printer, hurry: &mut impl FnMut() -> bool) {
    let begun = Instant::now();
    let mut killed = false;
    loop {
        let left: Vec<_> = group.iter().filter(|(_, process)| process.alive()).collect();
        if left.is_empty() {
            return;
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
