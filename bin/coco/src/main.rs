//! `coco`: what people run. Starts and stops development networks, shows what they do, governs
//! networks here and elsewhere, and reads their ledgers.
//!
//! Parse ([`cli`]) → settle and run ([`cmd`]) → exit code. A command is a plain function of settled values; it prints through
//! one [`printer`], and fails with a sentence and a hint ([`failure`]). It never links the node: nodes are processes of their own.
#![forbid(unsafe_code)]

mod cli;
mod cmd;
mod failure;
mod governance;
mod import;
mod network;
mod printer;
mod scripts;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    if let Some(ended) = scripts::process() {
        return ended;
    }
    let cli = cli::Cli::parse();
    let printer = printer::Printer::new(cli.global.quiet, cli.global.color);
    match cmd::run(cli.command, &printer) {
        Ok(code) => code,
        Err(failure) => {
            printer.failure(&failure);
            ExitCode::FAILURE
        }
    }
}
