//! `crash`: kills nodes under load, again and again, and checks that nothing that was acknowledged is lost.
//!
//! ```text
//! clients ── transfers, all the time ──▶ three nodes          what each client was told is written down (model)
//! a cycle    kill -9 of the primary, of a backup, or of all   ── how long until a new transaction is acknowledged ──
//!            what was killed is started again ── all serve ── every receipt seen since is read again on every node
//! the end    clients stop ── receipts, nonces, balances on every node against the model ── nodes stop
//!            ── ledgers compared byte by byte ── each ledger audited
//! ```
//!
//! It drives the programs that people run (`coco up --detach`, `coco down`, `coco ledger verify`) and knows nodes only by what
//! they answer and what they left on disk.
#![forbid(unsafe_code)]

mod client;
mod cycle;
mod examine;
mod ledgers;
mod model;
mod network;
mod options;
mod report;

use std::io::{self, Write};
use std::process::ExitCode;

use options::Options;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = match Options::parse(&arguments) {
        Ok(options) => options,
        Err(why) => {
            let _ = writeln!(io::stderr(), "{why}\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match cycle::run(&options, &mut io::stdout()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
