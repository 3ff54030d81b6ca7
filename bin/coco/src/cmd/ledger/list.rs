//! `coco ledger list`: what a network hosts.

use std::process::ExitCode;

use serde::Serialize;

use crate::cmd::columns::columns;
use crate::failure::Failure;
use crate::governance::{Place, Service, plain};
use crate::printer::Printer;

#[derive(Serialize)]
struct Shown {
    ledgers: Vec<ShownLedger>,
}

#[derive(Serialize)]
struct ShownLedger {
    name: String,
    kind: String,
    status: String,
}

pub fn run(place: &Place, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let ledgers = Service::reach(place, printer)?.ledgers()?;
    let ledgers: Vec<ShownLedger> = ledgers
        .into_iter()
        .map(|ledger| ShownLedger { name: ledger.name, kind: ledger.kind, status: ledger.status })
        .collect();
    if json {
        printer.json(&Shown { ledgers })?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = ledgers.iter().map(|it| [plain(&it.name), plain(&it.kind), plain(&it.status).to_lowercase()]);
    printer.data(columns(["NAME", "KIND", "STATUS"], rows));
    Ok(ExitCode::SUCCESS)
}
