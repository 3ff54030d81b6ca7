//! `coco request`: requests whose signature is made somewhere else.
//!
//! ```text
//!   any command that signs, --prepare FILE ─keep▶ FILE ─show, sign▶ signature ─send▶ a service
//! ```

mod keep;
mod says;
mod send;
mod sign;

use std::process::ExitCode;

use crate::cli::Request;
use crate::failure::Failure;
use crate::governance::{Place, Prepared};
use crate::printer::Printer;

pub use keep::keep;

/// Settles what was typed, and runs it.
pub fn run(command: Request, printer: &Printer) -> Result<ExitCode, Failure> {
    match command {
        Request::Show(args) => {
            let prepared = Prepared::read(&args.file)?;
            if args.json {
                printer.json(&prepared.task())?;
            } else {
                says::all(&prepared).into_iter().for_each(|line| printer.data(line));
            }
            Ok(ExitCode::SUCCESS)
        }
        Request::Sign(args) => sign::run(&args.file, &args.key, printer),
        Request::Send(args) => send::run(&Place::settle(&args.at)?, &args.file, &args.signature, args.at.json, printer),
    }
}
