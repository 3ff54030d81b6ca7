//! `coco ledger pause|resume|close`: proposes it.

use std::process::ExitCode;

use serde_json::json;

use super::find::find;
use crate::cli::LedgerChange;
use crate::cmd::proposal::{propose, refuse_twice};
use crate::failure::Failure;
use crate::governance::{Ledger, Place, Service, Signer, Who, plain};
use crate::printer::Printer;

/// A change of a ledger's status.
pub struct Move {
    action: &'static str,
    /// What it comes to.
    to: &'static str,
}

pub const PAUSE: Move = Move { action: "pause_ledger", to: "Paused" };
pub const RESUME: Move = Move { action: "resume_ledger", to: "Open" };
pub const CLOSE: Move = Move { action: "close_ledger", to: CLOSED };
const CLOSED: &str = "Closed";

pub fn run(change: Move, args: LedgerChange, printer: &Printer) -> Result<ExitCode, Failure> {
    let LedgerChange { name, signer, at } = args;
    let place = Place::settle(&at)?;
    let signer = Signer::open(&Who::settle(signer)?, &place)?;
    {
        let service = Service::reach(&place, printer)?;
        refuse_idle(find(&service.ledgers()?, &name)?, &change)?;
        refuse_twice(&service, |it| it.name == change.action && it.args["name"] == name.as_str())?;
    }
    let body = json!({ "actions": [{ "name": change.action, "args": { "name": name } }] }).to_string();
    propose(&place, &signer, &body, at.json, printer)
}

/// Better now than after everybody has voted.
fn refuse_idle(ledger: &Ledger, change: &Move) -> Result<(), Failure> {
    let name = plain(&ledger.name);
    if ledger.status == change.to {
        return Err(Failure::new(format!("the ledger {name} is {} already", change.to.to_lowercase())));
    }
    if ledger.status == CLOSED {
        return Err(Failure::new(format!("the ledger {name} is closed, and that is for good"))
            .hint("what it has stays readable; `coco ledger open NAME` proposes another one"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_changes_nothing_is_not_proposed() {
        let ledger = |status: &str| -> Ledger {
            serde_json::from_value(json!({ "name": "shop", "kind": "keyvalue", "status": status })).unwrap()
        };
        for (status, change, said) in [
            ("Open", RESUME, "is open already"),
            ("Paused", PAUSE, "is paused already"),
            ("Closed", CLOSE, "is closed already"),
            ("Closed", PAUSE, "for good"),
            ("Closed", RESUME, "for good"),
        ] {
            assert!(refuse_idle(&ledger(status), &change).unwrap_err().message.contains(said), "{status}");
        }
        for (status, change) in [("Open", PAUSE), ("Paused", RESUME), ("Open", CLOSE), ("Paused", CLOSE)] {
            assert!(refuse_idle(&ledger(status), &change).is_ok(), "{status}");
        }
    }
}
