//! `coco node`: the nodes of a network, and this machine's way into one.

mod change;
mod find;
mod follow;
mod join;
mod list;
mod stages;

use std::process::ExitCode;

use crate::cli::Node;
use crate::failure::Failure;
use crate::governance::{Place, Who};
use crate::printer::Printer;

/// Settles what was typed, and runs it.
pub fn run(command: Node, printer: &Printer) -> Result<ExitCode, Failure> {
    match command {
        Node::List(args) => list::run(&Place::settle(&args.at)?, args.at.json, printer),
        Node::Join(args) => join::run(&join::settle(args)?, printer),
        Node::Trust(args) => {
            change::trust(&Place::settle(&args.at)?, &Who::settle(args.signer)?, &args.node, args.at.json, printer)
        }
        Node::Retire(args) => {
            change::retire(&Place::settle(&args.at)?, &Who::settle(args.signer)?, &args.node, args.at.json, printer)
        }
    }
}
