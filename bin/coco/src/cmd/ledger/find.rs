//! Which hosted ledger is meant.

use crate::failure::Failure;
use crate::governance::{Ledger, plain};

pub fn find<'a>(ledgers: &'a [Ledger], name: &str) -> Result<&'a Ledger, Failure> {
    ledgers.iter().find(|ledger| ledger.name == name).ok_or_else(|| {
        let names: Vec<String> = ledgers.iter().map(|ledger| plain(&ledger.name)).collect();
        Failure::new(format!("the network hosts no ledger {}", plain(name))).hint(match names.as_slice() {
            [] => "it hosts none yet: `coco ledger open NAME` proposes one".to_owned(),
            names => format!("there is {}; `coco ledger open NAME` proposes another one", names.join(", ")),
        })
    })
}

/// A name is never used twice: the tables of a ledger stay when it is closed.
pub fn refuse_known(ledgers: &[Ledger], name: &str) -> Result<(), Failure> {
    let Some(ledger) = ledgers.iter().find(|ledger| ledger.name == name) else { return Ok(()) };
    let status = plain(&ledger.status).to_lowercase();
    Err(Failure::new(format!("the network hosts a ledger {} already: it is {status}", plain(name))).hint(
        "a name is used once, even if its ledger is closed: choose another one; `coco ledger list` has those in use",
    ))
}
