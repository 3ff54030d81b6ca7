//! `coco constitution`: the script that decides.

mod check;
mod diff;
mod show;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::cli::Constitution;
use crate::failure::Failure;
use crate::governance::Place;
use crate::printer::Printer;

/// Settles what was typed, and runs it.
pub fn run(command: Constitution, printer: &Printer) -> Result<ExitCode, Failure> {
    match command {
        Constitution::Show(args) => show::run(&Place::settle(&args.at)?, args.at.json, printer),
        Constitution::Check(args) => check::run(&args.file, args.json, printer),
        Constitution::Diff(args) => {
            let other = match (args.proposal, args.file) {
                (Some(id), _) => diff::Other::Proposed(id),
                (None, file) => {
                    let file = file.unwrap_or_default();
                    diff::Other::Given { name: file.display().to_string(), script: script(&file)? }
                }
            };
            diff::run(&Place::settle(&args.at)?, &other, args.at.json, printer)
        }
    }
}

fn script(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|e| Failure::file("read", path, &e))
}
