//! `coco member ack`: members sign the state, and count from then on.

use std::path::Path;
use std::process::ExitCode;

use governance::Kind;
use serde::Serialize;

use crate::cmd::request;
use crate::failure::Failure;
use crate::governance::{About, Place, Prepared, Sent, Service, Signer, Who, acknowledgement, plain, short};
use crate::printer::{Printer, Tone};

#[derive(Serialize)]
struct Shown {
    acknowledged: Vec<Acknowledged>,
}

#[derive(Serialize)]
struct Acknowledged {
    id: String,
    name: String,
    status: String,
    state_digest: String,
    transaction: Option<String>,
}

/// `who` signs, or everyone whose key is there.
pub fn run(place: &Place, who: Option<&Who>, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let signers = match (who, place.layout()) {
        (None, Some(layout)) => Signer::all(&layout)?,
        (None, None) => Vec::new(),
        (Some(who), _) => vec![Signer::open(who, place)?],
    };
    let service = Service::reach(place, printer)?;
    if let Some((signer, file)) = signers.iter().find_map(|signer| Some((signer, signer.elsewhere()?))) {
        return prepare(&service, signer, file, json, printer);
    }
    let people = service.people()?;
    let mut acknowledged = Vec::with_capacity(signers.len());
    for signer in &signers {
        // Keys of those who are not members yet, or no more, may lie there too.
        if who.is_none() && !people.has(&signer.id) {
            printer.note(format!("{} is no member of this network: left out", signer.name));
            continue;
        }
        let (state_digest, transaction) = service.acknowledge(signer)?;
        let status = plain(&service.member(&signer.id)?.status);
        if !json {
            told(&signer.name, &status, &state_digest, transaction.as_deref(), printer);
        }
        let (id, name) = (signer.id.clone(), signer.name.clone());
        acknowledged.push(Acknowledged { id, name, status, state_digest, transaction });
    }
    if json {
        printer.json(&Shown { acknowledged })?;
    } else if acknowledged.is_empty() {
        printer.note("nobody signed: no member's key is in the directory");
    }
    Ok(ExitCode::SUCCESS)
}

/// Of a member whose key is elsewhere: the acknowledgement of the digest that it was given, or the wish to be given one.
fn prepare(
    service: &Service<'_>,
    signer: &Signer,
    file: &Path,
    json: bool,
    printer: &Printer,
) -> Result<ExitCode, Failure> {
    let (kind, payload) = match service.state_digest(&signer.id)? {
        Some(digest) => (Kind::Ack, acknowledgement(&digest)),
        None => (Kind::StateDigest, String::new()),
    };
    request::keep(signer, file, &About::now(kind, None), payload.as_bytes(), json, printer)
}

/// What became of an acknowledgement that was signed elsewhere.
pub fn signed(
    service: &Service<'_>,
    prepared: &Prepared,
    sent: Sent,
    json: bool,
    printer: &Printer,
) -> Result<ExitCode, Failure> {
    let (id, name) = (prepared.signer.clone(), prepared.request.name.clone());
    let status = plain(&service.member(&id)?.status);
    let state_digest = service.state_digest(&id)?.unwrap_or_default();
    let transaction = sent.transaction;
    match (prepared.kind, json) {
        (_, true) => {
            printer
                .json(&Shown { acknowledged: vec![Acknowledged { id, name, status, state_digest, transaction }] })?;
        }
        (Kind::StateDigest, false) => {
            printer.data(format!("{name} was given the state {}… to sign", short(&state_digest)));
            printer.hint("prepare it the same way again: `coco member ack … --prepare FILE` is for that digest now");
        }
        (_, false) => told(&name, &status, &state_digest, transaction.as_deref(), printer),
    }
    Ok(ExitCode::SUCCESS)
}

fn told(name: &str, status: &str, digest: &str, transaction: Option<&str>, printer: &Printer) {
    let tone = if status == "Active" { Tone::Good } else { Tone::Warning };
    let place = transaction.map(|place| format!(" (transaction {place})")).unwrap_or_default();
    printer.data(format!(
        "{name} signed the state {}… and is {}{place}",
        short(digest),
        printer.paint(tone, status.to_lowercase())
    ));
}
