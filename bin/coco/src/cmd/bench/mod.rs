//! `coco bench`: how fast a network is, how long a caller waits, and what it costs.
//!
//! ```text
//! place    a network of its own in a temporary directory, one that runs (--dir), or any node (--rpc)
//! plan     which measurements: workload × calls × load
//! ethereum accounts are funded, contracts put up; keyvalue: keys are filled                    before the clock
//! governance members sign the state; they propose and vote as a load, or beside one
//! measure  warm-up ── send ── until every receipt was seen on every node
//!          around it: CPU, memory, disk, wire of the nodes (cost); of long ones what changed (drift)
//! look     blocks from the first to the last are read again on every node: history must still be there
//! report   findings ── JSON (docs/formats/bench.md) ── table, plot
//! ```
//!
//! The load comes from this process on the same machine; what it takes of the CPU is shown too.

mod cost;
mod drift;
mod ethereum;
mod governance;
mod keyvalue;
mod measure;
mod metrics;
mod place;
mod plan;
mod plot;
mod report;
mod table;
mod usage;

use std::process::ExitCode;
use std::time::Duration;

use development::LedgerKind;

use self::measure::Bench;
use self::place::Place;
use self::plan::Ledger;
pub use self::plan::{Options, settle_ethereum, settle_governance, settle_keyvalue};
use self::report::Report;
use super::up::Stops;
use crate::failure::Failure;
use crate::printer::Printer;

const POLL: Duration = Duration::from_millis(50);

pub fn run(options: &Options, printer: &Printer) -> Result<ExitCode, Failure> {
    let stops = Stops::listen()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::from_error("cannot begin to measure", &e))?;
    let kind = match options.ledger {
        Ledger::Ethereum { .. } => Some(LedgerKind::Ethereum),
        Ledger::KeyValue { .. } => Some(LedgerKind::Keyvalue),
        Ledger::Governance => None,
    };
    let place = Place::find(&options.place, kind, &stops, printer)?;
    let stopped = async {
        while !stops.asked() {
            tokio::time::sleep(POLL).await;
        }
        Err(Failure::new("stopped before all was measured"))
    };
    let measured = runtime.block_on(async {
        tokio::select! {
            measured = Bench::new(&place, options, printer).run() => measured,
            stopped = stopped => stopped,
        }
    });
    place.leave(measured.is_ok(), &stops, printer);
    let report = Report::of(&measured?, options);
    if let Some(path) = &options.plot {
        std::fs::write(path, plot::draw(&report)).map_err(|e| Failure::file("write", path, &e))?;
        printer.note(format!("drawn into {}", path.display()));
    }
    match options.json {
        true => printer.data(report.json()?),
        false => table::print(&report, printer),
    }
    Ok(ExitCode::SUCCESS)
}
