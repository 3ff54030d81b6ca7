//! `coco ledger pause|resume|close`: proposes it.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::LedgerChange;
use crate::cmd::proposal::propose;
use crate::failure::Failure;
use crate::governance::{Place, Service, Signer, Who, plain};
use crate::printer::Printer;

pub fn run(action: &str, args: LedgerChange, printer: &Printer) -> Result<ExitCode, Failure> {
    let LedgerChange { name, signer, at } = args;
    let place = Place::settle(&at)?;
    let signer = Signer::open(&Who::settle(signer)?, &place)?;
    let ledgers = Service::reach(&place, printer)?.ledgers()?;
    if !ledgers.iter().any(|ledger| ledger.name == name) {
        let names: Vec<String> = ledgers.iter().map(|ledger| plain(&ledger.name)).collect();
        return Err(Failure::new(format!("the network hosts no ledger {}", plain(&name)))
            .hint(format!("there is {}", names.join(", "))));
    }
    let body = json!({ "actions": [{ "name": action, "args": { "name": name } }] }).to_string();
    propose(&place, &signer, &body, at.json, printer)
}
