//! `coco proposal show`: what it would change, who has voted how, and what is still needed.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Value, json};

use super::needed::Counting;
use super::stand::{Person, Shown, painted, sentence};
use super::vote::Kept;
use crate::failure::Failure;
use crate::governance::{Action, People, Place, Proposal, Service, plain_lines, words};
use crate::printer::{Printer, Tone};

#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    proposal: Shown,
    /// As they were proposed.
    actions: Vec<Value>,
    /// What each of them would change.
    words: Vec<String>,
    ballots: Vec<Cast>,
    /// What is still needed, or what came of it.
    standing: String,
}

#[derive(Serialize)]
struct Cast {
    #[serde(flatten)]
    member: Person,
    /// `yes`, `no`, or `script` if it is not as plain as that.
    vote: &'static str,
    script: String,
}

pub fn run(place: &Place, id: &str, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let service = Service::reach(place, printer)?;
    let proposal = service.find(id)?;
    let people = service.people()?;
    let actions = service.actions(&proposal.proposal_id)?;
    let mut ballots = Vec::new();
    for member in &proposal.ballot_submitters {
        let script = service.ballot(&proposal.proposal_id, member)?;
        ballots.push((member.as_str(), Kept::of(&script), script));
    }
    ballots.sort_by_cached_key(|(member, ..)| people.name(member));
    let told = words::all(&actions, proposal.is_open(), &people);
    let standing = standing(&service, &proposal, &actions, &ballots, &people)?;
    if json {
        let cast = |(member, kept, script): (&str, Kept, String)| Cast {
            member: Person::of(member, &people),
            vote: kept.name(),
            script,
        };
        printer.json(&Told {
            standing: standing.join("; "),
            proposal: Shown::of(&proposal, &people),
            actions: actions.iter().map(|action| json!({ "name": action.name, "args": action.args })).collect(),
            words: told.into_iter().map(|words| words.headline).collect(),
            ballots: ballots.into_iter().map(cast).collect(),
        })?;
        return Ok(ExitCode::SUCCESS);
    }

    let title = |text: &str| printer.paint(Tone::Strong, format!("{text:<9}"));
    printer.data(format!("{} {}", title("Proposal"), proposal.proposal_id));
    printer.data(format!("{} {}", title("State"), painted(&proposal.proposal_state, printer)));
    printer.data(format!("{} {}", title("Proposer"), people.full(&proposal.proposer_id)));
    let would = if proposal.proposal_state == "Accepted" { "It did" } else { "It would" };
    for (i, words) in told.iter().enumerate() {
        let number = if told.len() > 1 { format!("{}. ", i + 1) } else { String::new() };
        printer.data(format!("{} {number}{}", title(if i == 0 { would } else { "" }), words.headline));
        for line in &words.details {
            printer.data(format!("{} {}{line}", title(""), " ".repeat(number.len() + 2)));
        }
    }
    for (i, (member, kept, script)) in ballots.iter().enumerate() {
        let line = ballot_line(&proposal, member, *kept, script);
        printer.data(format!("{} {:<9} {}", title(if i == 0 { "Votes" } else { "" }), line, people.full(member)));
        failed(&proposal, member, &people, printer);
    }
    if ballots.is_empty() {
        printer.data(format!("{} none", title("Votes")));
    }
    let head = if proposal.is_open() { "Needed" } else { "Outcome" };
    for (i, line) in standing.iter().enumerate() {
        printer.data(format!("{} {line}", title(if i == 0 { head } else { "" })));
    }
    Ok(ExitCode::SUCCESS)
}

/// What is still needed by the rules in force, or what came of it.
fn standing(
    service: &Service<'_>,
    proposal: &Proposal,
    actions: &[Action],
    ballots: &[(&str, Kept, String)],
    people: &People,
) -> Result<Vec<String>, Failure> {
    let rules = if proposal.is_open() { service.policies()? } else { None };
    let Some(policies) = rules else { return Ok(vec![sentence(proposal, people)]) };
    let count = Counting {
        policies: &policies,
        times: &service.times(&proposal.proposal_id)?,
        votes: ballots.iter().map(|(member, kept, _)| (*member, *kept)).collect(),
        people,
    };
    Ok(count.lines(actions, SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()))
}

/// How a member voted: what its script came to, or what it plainly says.
fn ballot_line(proposal: &Proposal, member: &str, kept: Kept, script: &str) -> String {
    let came_to = proposal.final_votes.as_ref().and_then(|votes| votes.get(member));
    match (kept, came_to) {
        (Kept::Script, Some(true)) => "yes, by a script".into(),
        (Kept::Script, Some(false)) => "no, by a script".into(),
        (Kept::Script, None) => format!("by a script of {} lines (--json has it)", script.lines().count()),
        (plain, _) => plain.name().into(),
    }
}

fn failed(proposal: &Proposal, member: &str, people: &People, printer: &Printer) {
    if let Some(failure) = proposal.vote_failures.as_ref().and_then(|failures| failures.get(member)) {
        let why = plain_lines(&failure.reason);
        printer.data(format!("            the script of {} failed and counts as no vote: {why}", people.name(member)));
    }
}
