//! `coco proposal list`: what is open, and what was decided last.

use std::process::ExitCode;

use serde::Serialize;

use super::stand::{Shown, turnout};
use crate::cmd::columns::columns;
use crate::failure::Failure;
use crate::governance::{Place, Service, plain, short, words};
use crate::printer::Printer;

#[derive(Serialize)]
struct List {
    proposals: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    proposal: Shown,
    /// What it would change, in a line.
    summary: String,
}

pub fn run(place: &Place, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let service = Service::reach(place, printer)?;
    let people = service.people()?;
    let mut proposals = service.proposals()?;
    // Open ones first: they are what there is to do.
    proposals.sort_by_key(|proposal| !proposal.is_open());
    let (mut rows, mut listed) = (Vec::new(), Vec::new());
    for proposal in &proposals {
        let summary = words::summary(&service.actions(&proposal.proposal_id)?, proposal.is_open(), &people);
        rows.push([
            short(&proposal.proposal_id),
            plain(&proposal.proposal_state.to_lowercase()),
            people.name(&proposal.proposer_id),
            turnout(proposal, &people),
            summary.clone(),
        ]);
        listed.push(Listed { proposal: Shown::of(proposal, &people), summary });
    }
    if json {
        printer.json(&List { proposals: listed })?;
    } else if rows.is_empty() {
        printer.note("there is no proposal");
    } else {
        printer.data(columns(["ID", "STATE", "PROPOSED BY", "VOTED", "IT WOULD"], rows));
    }
    Ok(ExitCode::SUCCESS)
}
