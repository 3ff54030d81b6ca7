//! `coco proposal withdraw`: its proposer takes it back.

use std::process::ExitCode;

use governance::Kind;

use super::stand::{Changed, Shown, painted};
use crate::cmd::request;
use crate::failure::Failure;
use crate::governance::{About, Place, Proposal, Sent, Service, Signer, Who, short};
use crate::printer::Printer;

pub fn run(place: &Place, who: &Who, id: &str, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let signer = Signer::open(who, place)?;
    let service = Service::reach(place, printer)?;
    let id = service.find(id)?.proposal_id;
    if let Some(file) = signer.elsewhere() {
        return request::keep(&signer, file, &About::now(Kind::Withdrawal, Some(&id)), &[], json, printer);
    }
    let sent = service.send(&signer, Kind::Withdrawal, Some(&id), &[])?;
    told(&service, &signer.name, &id, &sent, json, printer)
}

/// What became of the proposal that `name` signed to take back.
pub fn told(
    service: &Service<'_>,
    name: &str,
    id: &str,
    sent: &Sent,
    json: bool,
    printer: &Printer,
) -> Result<ExitCode, Failure> {
    // Nothing is said of a proposal that went away meanwhile.
    if sent.body.is_empty() {
        return Err(Failure::new(format!("the proposal {} is not remembered any more", short(id)))
            .hint("another one was decided meanwhile; what became of this one is in the ledger"));
    }
    let proposal: Proposal = sent.json()?;
    if json {
        let shown = Shown::of(&proposal, &service.people()?);
        printer.json(&Changed { proposal: shown, transaction: sent.transaction.clone() })?;
        return Ok(ExitCode::SUCCESS);
    }
    printer.data(format!("{name} took {} back: {}", short(id), painted(&proposal.proposal_state, printer)));
    Ok(ExitCode::SUCCESS)
}
