//! From processes to a network that serves: nodes, then the ledgers that it was made for.

use std::path::Path;
use std::time::Duration;

use development::Network;

use super::ledgers;
use crate::failure::Failure;
use crate::network::{self, Client, Node, Program, Started, Starting, Status};
use crate::printer::Printer;

/// A node that is starting answers at once or not at all.
const ASK: Duration = Duration::from_secs(1);

/// Starts the nodes that do not run, lets members open the ledgers that are not open, and waits until every node serves all of it.
/// Returns what each node says. If it fails, all of `started` are stopped.
pub fn serve(
    (dir, network, nodes): (&Path, &Network, &[Node]),
    program: &Program,
    started: &mut Vec<Started>,
    printer: &Printer,
    stopped: &dyn Fn() -> bool,
) -> Result<Vec<Status>, Failure> {
    let starting = Starting { nodes, program, client: &Client::new(ASK), printer, stopped };
    let statuses = starting.bring_up(&[], started)?;
    match ledgers::open(dir, network, &statuses, printer) {
        Ok(ledgers) => starting.bring_up(&ledgers, started),
        Err(failure) => {
            network::abandon(started);
            Err(failure)
        }
    }
}
