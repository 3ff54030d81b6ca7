//! `coco down`: stop a network's nodes.

use std::path::Path;
use std::process::ExitCode;

use crate::failure::Failure;
use crate::network::{self, Lock};
use crate::printer::Printer;

pub fn run(dir: &Path, printer: &Printer) -> Result<ExitCode, Failure> {
    // Before the lock is taken: taking it would make a directory where there is none.
    network::open(dir)?;
    let _lock = Lock::wait(dir, printer)?;
    let (_, nodes) = network::open(dir)?;
    match network::stop(&nodes, printer, || false) {
        0 => printer.note(format!("no node runs in {}", dir.display())),
        1 => printer.note("stopped one node"),
        stopped => printer.note(format!("stopped {stopped} nodes")),
    }
    Ok(ExitCode::SUCCESS)
}
