//! `coco proposal`: changes that members vote on.

mod list;
mod needed;
mod new;
mod show;
mod stand;
mod twice;
mod vote;
mod withdraw;

use std::process::ExitCode;

use crate::cli::Proposal;
use crate::failure::Failure;
use crate::governance::{Place, Who};
use crate::printer::Printer;

pub use new::{made, propose, submit, told as proposed};
pub use stand::sentence;
pub use twice::{open_with, refuse_twice};
pub use vote::{Ballot, Kept, cast, told as voted};
pub use withdraw::told as withdrawn;

/// Settles what was typed, and runs it.
pub fn run(command: Proposal, printer: &Printer) -> Result<ExitCode, Failure> {
    match command {
        Proposal::New(args) => {
            let body = new::settle(args.file.as_deref(), args.action.as_deref(), &args.args)?;
            new::run(&Place::settle(&args.at)?, &Who::settle(args.signer)?, &body, args.at.json, printer)
        }
        Proposal::List(args) => list::run(&Place::settle(&args.at)?, args.at.json, printer),
        Proposal::Show(args) => show::run(&Place::settle(&args.at)?, &args.id, args.at.json, printer),
        Proposal::Vote(args) => {
            let ballot = vote::Ballot::settle(args.yes, args.script.as_deref())?;
            let place = Place::settle(&args.at)?;
            vote::run(&place, &Who::settle(args.signer)?, &args.id, &ballot, args.at.json, printer)
        }
        Proposal::Withdraw(args) => {
            withdraw::run(&Place::settle(&args.at)?, &Who::settle(args.signer)?, &args.id, args.at.json, printer)
        }
    }
}
