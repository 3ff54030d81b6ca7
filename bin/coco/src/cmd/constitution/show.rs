//! `coco constitution show`: the script as it is in force.

use std::process::ExitCode;

use serde_json::json;

use crate::failure::Failure;
use crate::governance::{Place, Service};
use crate::printer::Printer;

pub fn run(place: &Place, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let script = Service::reach(place, printer)?.constitution()?;
    if json {
        let sha256 = crypto::sha256(script.as_bytes()).to_string();
        printer.json(&json!({ "constitution": script, "sha256": sha256 }))?;
    } else {
        printer.document(&script);
    }
    Ok(ExitCode::SUCCESS)
}
