//! `coco member`: who governs a network.

mod ack;
mod list;
mod new;
mod rotate;

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
        Member::Rotate(args) => {
            let change =
                rotate::Change { certificate: &args.new, member: args.member.as_deref(), chain: args.chain.as_deref() };
            rotate::run(&Place::settle(&args.at)?, &Who::settle(args.signer)?, &change, args.at.json, printer)
        }
        Member::Ack(args) => {
            let who = if args.all { None } else { Some(Who::settle(args.signer)?) };
            ack::run(&Place::settle(&args.at)?, who.as_ref(), args.at.json, printer)
        }
    }
}
