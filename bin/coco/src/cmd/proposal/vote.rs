//! `coco proposal vote`: cast a ballot, which is a script.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use governance::Kind;
use serde_json::json;

use super::stand::{Changed, Shown, painted, sentence};
use crate::cmd::request;
use crate::failure::Failure;
use crate::governance::{About, Place, Proposal, Sent, Service, Signer, Trouble, Who, short};
use crate::printer::Printer;

const YES: &str = "export function vote(proposal, proposerId) { return true; }";
const NO: &str = "export function vote(proposal, proposerId) { return false; }";

/// What is cast.
pub struct Ballot {
    script: String,
    kept: Kept,
}

impl Ballot {
    /// Without a script it is a no if it is not a yes.
    pub fn settle(yes: bool, script: Option<&Path>) -> Result<Self, Failure> {
        let script = match (script, yes) {
            (Some(path), _) => fs::read_to_string(path).map_err(|e| Failure::file("read", path, &e))?,
            (None, true) => YES.to_owned(),
            (None, false) => NO.to_owned(),
        };
        Ok(Self { kept: Kept::of(&script), script })
    }

    pub fn yes() -> Self {
        Self { script: YES.to_owned(), kept: Kept::Yes }
    }

    /// As it is signed.
    fn payload(&self) -> String {
        json!({ "ballot": self.script }).to_string()
    }
}

/// What a ballot plainly says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    Yes,
    No,
    /// It must be run to know.
    Script,
}

impl Kept {
    /// Reads a script that does nothing but return; the tools of others write it with other names and spaces.
    pub fn of(script: &str) -> Self {
        let words: String = script.split_whitespace().collect();
        let body = words.strip_prefix("exportfunctionvote(").and_then(|rest| rest.split_once("){"));
        match body {
            Some((parameters, "returntrue;}" | "returntrue}")) if plain_names(parameters) => Self::Yes,
            Some((parameters, "returnfalse;}" | "returnfalse}")) if plain_names(parameters) => Self::No,
            _ => Self::Script,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Script => "script",
        }
    }
}

/// Parameters without anything that is run.
fn plain_names(parameters: &str) -> bool {
    parameters.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | ','))
}

pub fn run(
    place: &Place,
    who: &Who,
    id: &str,
    ballot: &Ballot,
    json: bool,
    printer: &Printer,
) -> Result<ExitCode, Failure> {
    let signer = Signer::open(who, place)?;
    let service = Service::reach(place, printer)?;
    let id = service.find(id)?.proposal_id;
    if let Some(file) = signer.elsewhere() {
        let about = About::now(Kind::Ballot, Some(&id));
        return request::keep(&signer, file, &about, ballot.payload().as_bytes(), json, printer);
    }
    let sent = cast(&service, &signer, &id, ballot)?;
    told(&service, &signer.name, ballot.kept, &sent, json, printer)
}

/// Lets a member sign a ballot, and sends it.
pub fn cast(service: &Service<'_>, signer: &Signer, id: &str, ballot: &Ballot) -> Result<Sent, Trouble> {
    service.send(signer, Kind::Ballot, Some(id), ballot.payload().as_bytes())
}

/// What became of a ballot that `name` signed.
pub fn told(
    service: &Service<'_>,
    name: &str,
    kept: Kept,
    sent: &Sent,
    json: bool,
    printer: &Printer,
) -> Result<ExitCode, Failure> {
    let proposal: Proposal = sent.json()?;
    let people = service.people()?;
    let transaction = sent.transaction.clone();
    if json {
        printer.json(&Changed { proposal: Shown::of(&proposal, &people), transaction })?;
        return Ok(ExitCode::SUCCESS);
    }
    let cast = match kept {
        Kept::Script => "cast a ballot".to_owned(),
        plain => format!("voted {}", plain.name()),
    };
    let again = if transaction.is_none() { ", as before" } else { "" };
    let state = painted(&proposal.proposal_state, printer);
    printer.data(format!("{name} {cast} on {}{again}: {state}", short(&proposal.proposal_id)));
    printer.note(sentence(&proposal, &people));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_ballots_are_told_from_scripts() {
        assert_eq!((Kept::of(YES), Kept::of(NO)), (Kept::Yes, Kept::No));
        assert_eq!(Kept::of("export function vote (rawProposal, proposerId) {\n  return true\n}\n"), Kept::Yes);
        for script in [
            "export function vote(p) { return p.length > 3; }",
            "export function vote(p = evil()) { return true; }",
            "export function vote(p) { return true; } throw 1",
            "export function vote(p) { /* no */ return true; }",
            "",
        ] {
            assert_eq!(Kept::of(script), Kept::Script, "{script}");
        }
    }
}
