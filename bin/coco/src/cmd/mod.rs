//! The commands, one file each, as the command line groups them.

mod attest;
mod bench;
mod columns;
mod constitution;
mod down;
mod governance;
mod ledger;
mod member;
mod node;
mod proposal;
mod request;
mod status;
mod up;

use std::process::ExitCode;

use crate::cli::{self, Command};
use crate::failure::Failure;
use crate::network;
use crate::printer::Printer;

/// Settles what was typed, and runs it.
pub fn run(command: Command, printer: &Printer) -> Result<ExitCode, Failure> {
    match command {
        Command::Up(args) => up::run(&up::settle(args)?, printer),
        Command::Down(args) => down::run(&network::absolute(&args.dir)?, printer),
        Command::Status(args) => status::run(&network::absolute(&args.dir)?, args.watch, args.json, printer),
        Command::Node(command) => node::run(command, printer),
        Command::Member(command) => member::run(command, printer),
        Command::Proposal(command) => proposal::run(command, printer),
        Command::Request(command) => request::run(command, printer),
        Command::Constitution(command) => constitution::run(command, printer),
        Command::Governance(cli::Governance::Log(args)) => governance::log::run(&args.ledger, args.json, printer),
        Command::Attest(cli::Attest::Show(args)) => attest::show(&args.file, args.at, args.json, printer),
        Command::Attest(cli::Attest::Verify(args)) => {
            let cli::AttestVerify { evidence, policy, report_data } = args;
            attest::verify(&evidence.file, &policy, report_data.0, evidence.at, evidence.json, printer)
        }
        Command::Ledger(command) => ledger::run(command, printer),
        Command::Bench(cli::Bench::Ethereum(args)) => bench::run(&bench::settle_ethereum(args)?, printer),
        Command::Bench(cli::Bench::Keyvalue(args)) => bench::run(&bench::settle_keyvalue(args)?, printer),
        Command::Bench(cli::Bench::Governance(args)) => bench::run(&bench::settle_governance(args)?, printer),
        Command::LaunchNode { program, dir } => Err(network::become_node(&program, &dir)),
    }
}
