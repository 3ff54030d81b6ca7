//! `coco ledger …`: hosted ledgers as members see them, and ledger files, offline.

mod change;
mod directory;
mod doors;
mod find;
mod list;
mod open;
mod policy;
mod show;
mod verify;

pub use directory::check as check_directory;

use std::process::ExitCode;

use crate::cli::Ledger;
use crate::failure::Failure;
use crate::governance::{Place, Who};
use crate::printer::Printer;

/// Settles what was typed, and runs it.
pub fn run(command: Ledger, printer: &Printer) -> Result<ExitCode, Failure> {
    match command {
        Ledger::List(args) => list::run(&Place::settle(&args.at)?, args.at.json, printer),
        Ledger::Open(args) => open::run(open::settle(args)?, printer),
        Ledger::Pause(args) => change::run(change::PAUSE, args, printer),
        Ledger::Resume(args) => change::run(change::RESUME, args, printer),
        Ledger::Close(args) => change::run(change::CLOSE, args, printer),
        Ledger::Policy(args) => {
            let connect = policy::connect(args.connect)?;
            let place = Place::settle(&args.at)?;
            policy::run(&place, &Who::settle(args.signer)?, &args.name, connect.as_deref(), args.at.json, printer)
        }
        Ledger::Verify(args) => verify::run(&args.dir, args.service.as_deref(), args.json, printer),
        Ledger::Show(args) => show::run(&args.dir, args.from..=args.to.unwrap_or(u64::MAX), args.json, printer),
    }
}
