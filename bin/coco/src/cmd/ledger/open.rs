//! `coco ledger open`: proposes that the network hosts another ledger.

use std::fs;
use std::process::ExitCode;

use serde_json::json;

use super::find::refuse_known;
use super::{doors, policy};
use crate::cli::{self, LedgerOpen};
use crate::cmd::proposal::{propose, refuse_twice};
use crate::failure::Failure;
use crate::governance::{OPEN_LEDGER, Opening, Place, Service, Signer, Start, Who, plain};
use crate::printer::Printer;

/// Settled: files are read, and what does not fit together is refused.
pub struct Options {
    opening: Opening,
    place: Place,
    who: Who,
    json: bool,
}

pub fn settle(args: LedgerOpen) -> Result<Options, Failure> {
    let LedgerOpen { name, kind, genesis, base_fee, blobs, port, connect, signer, at } = args;
    let start = match (kind, genesis) {
        (cli::LedgerKind::Ethereum, Some(path)) => {
            let bytes = fs::read(&path).map_err(|e| Failure::file("read", &path, &e))?;
            Start::ethereum(&path, &bytes, base_fee.unwrap_or_default(), blobs)?
        }
        (cli::LedgerKind::Ethereum, None) => {
            return Err(Failure::new("an Ethereum ledger needs --genesis FILE: its first state, in geth's format"));
        }
        (cli::LedgerKind::Keyvalue, None) if base_fee.is_none() && !blobs => Start::Keyvalue,
        (cli::LedgerKind::Keyvalue, _) => {
            return Err(Failure::new("a key-value ledger starts empty")
                .hint("leave --genesis, --base-fee and --blobs out; they belong to --kind ethereum"));
        }
    };
    Ok(Options {
        opening: Opening { name, start, port, connect: policy::connect(connect)? },
        place: Place::settle(&at)?,
        who: Who::settle(signer)?,
        json: at.json,
    })
}

pub fn run(options: Options, printer: &Printer) -> Result<ExitCode, Failure> {
    let Options { opening, place, who, json } = options;
    let signer = Signer::open(&who, &place)?;
    let name = opening.name.as_str();
    {
        let service = Service::reach(&place, printer)?;
        refuse_known(&service.ledgers()?, name)?;
        refuse_twice(&service, |it| it.name == OPEN_LEDGER && it.args["name"] == name)?;
    }
    if let Some(warning) = doors::warning(&place, name, opening.port)? {
        printer.warning(warning);
    }
    let code = propose(&place, &signer, &json!({ "actions": [opening.action()] }).to_string(), json, printer)?;
    if !json && signer.elsewhere().is_none() {
        let open = Service::reach(&place, printer)?.ledgers()?.iter().any(|ledger| ledger.name == name);
        let when = if open { "the network hosts it now" } else { "once it is decided" };
        printer.hint(format!("{when}: `coco ledger list` shows where {} is served", plain(name)));
    }
    Ok(code)
}
