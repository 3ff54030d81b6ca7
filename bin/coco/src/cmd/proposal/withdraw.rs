//! `coco proposal withdraw`: its proposer takes it back.

use std::process::ExitCode;

use governance::Kind;

use super::stand::{Changed, Shown, painted};
use crate::failure::Failure;
use crate::governance::{Place, Proposal, Service, Signer, Who, short};
use crate::printer::Printer;

pub fn run(place: &Place, who: &Who, id: &str, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let signer = Signer::open(who, place)?;
    let service = Service::reach(place, printer)?;
    let id = service.find(id)?.proposal_id;
    let sent = service.send(&format!("members/proposals/{id}:withdraw"), &signer, Kind::Withdrawal, Some(&id), &[])?;
    // Nothing is said of a proposal that went away meanwhile.
    if sent.body.is_empty() {
        return Err(Failure::new(format!("the proposal {} is not remembered any more", short(&id)))
            .hint("another one was decided meanwhile; what became of this one is in the ledger"));
    }
    let proposal: Proposal = sent.json()?;
    if json {
        let shown = Shown::of(&proposal, &service.people()?);
        printer.json(&Changed { proposal: shown, transaction: sent.transaction })?;
        return Ok(ExitCode::SUCCESS);
    }
    printer.data(format!("{} took {} back: {}", signer.name, short(&id), painted(&proposal.proposal_state, printer)));
    Ok(ExitCode::SUCCESS)
}
