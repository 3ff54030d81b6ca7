//! `coco member`: who governs a network.

mod ack;
mod list;
mod new;

use std::process::ExitCode;

use crate::cli::Member;
use crate::failure::Failure;
use crate::governance::{Place, Who};
use crate::network;
use crate::printer::Printer;

pub use ack::signed;

/// Settles what was typed, and runs it.
pub fn run(command: Member, printer: &Printer) -> Result<ExitCode, Failure> {
    match command {
        Member::List(args) => list::run(&Place::settle(&args.at)?, args.at.json, printer),
        Member::New(args) => {
            let out = match &args.out {
                Some(out) => network::absolute(out)?,
                None => new::home(&network::absolute(&args.dir)?)?,
            };
            new::run(&args.name, &out, args.days, args.json, printer)
        }
        Member::Ack(args) => {
            let who = if args.all { None } else { Some(Who::settle(args.signer)?) };
            ack::run(&Place::settle(&args.at)?, who.as_ref(), args.at.json, printer)
        }
    }
}
