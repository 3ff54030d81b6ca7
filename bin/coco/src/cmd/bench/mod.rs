//! `coco bench ethereum`: how fast a network is, how long a caller waits, and what it costs.
//!
//! ```text
//! place   a network of its own in a temporary directory, one that runs (--dir), or any node (--rpc)
//! plan    which measurements: workload × calls × load            before the clock: accounts are funded, a token put up
//! measure sign ── warm-up ── send ── until every receipt was seen     around it: CPU, memory, disk of the nodes
//! look    blocks from the first to the last are read again on every node: history must still be there
//! ```
//!
//! The load comes from this process on the same machine; what it takes of the CPU is shown too.

mod measure;
mod place;
mod plan;
mod report;
mod usage;

use std::process::ExitCode;
use std::time::Duration;

use self::measure::Bench;
use self::place::Place;
pub use self::plan::{Options, settle};
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
    let place = Place::find(&options.place, &stops, printer)?;
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
    report::print(&measured?, options.json, printer)?;
    Ok(ExitCode::SUCCESS)
}
