//! Where a proposal stands: for a person in a sentence, for a machine as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::governance::{People, Proposal, plain_lines};
use crate::printer::{Printer, Tone};

/// A proposal as commands print it in JSON.
#[derive(Serialize)]
pub struct Shown {
    pub id: String,
    pub state: String,
    pub proposer: Person,
    pub voted: Vec<Person>,
    pub not_voted: Vec<Person>,
    /// What each ballot came to when the proposal was decided.
    pub final_votes: Option<BTreeMap<String, bool>>,
    /// Ballots that failed, and why.
    pub vote_failures: BTreeMap<String, String>,
    pub failure: Option<String>,
}

#[derive(Serialize)]
pub struct Person {
    pub id: String,
    pub name: String,
}

impl Person {
    pub fn of(id: &str, people: &People) -> Self {
        Self { id: id.to_owned(), name: people.name(id) }
    }
}

/// What a command that changed a proposal prints in JSON.
#[derive(Serialize)]
pub struct Changed {
    #[serde(flatten)]
    pub proposal: Shown,
    /// Where in the ledger the change stands; absent if it had been made before.
    pub transaction: Option<String>,
}

impl Shown {
    pub fn of(proposal: &Proposal, people: &People) -> Self {
        Self {
            id: proposal.proposal_id.clone(),
            state: proposal.proposal_state.clone(),
            proposer: Person::of(&proposal.proposer_id, people),
            voted: proposal.ballot_submitters.iter().map(|id| Person::of(id, people)).collect(),
            not_voted: not_voted(proposal, people).iter().map(|id| Person::of(id, people)).collect(),
            final_votes: proposal.final_votes.clone(),
            vote_failures: proposal
                .vote_failures
                .iter()
                .flatten()
                .map(|(member, failed)| (member.clone(), failed.reason.clone()))
                .collect(),
            failure: proposal.failure.as_ref().map(|failed| failed.reason.clone()),
        }
    }
}

/// Active members without a ballot, while they can still vote.
pub fn not_voted<'a>(proposal: &Proposal, people: &'a People) -> Vec<&'a str> {
    let can = |id: &&str| proposal.is_open() && !proposal.ballot_submitters.iter().any(|voter| voter == id);
    people.active().map(|member| member.member_id.as_str()).filter(can).collect()
}

/// "1 of 3": of the active members, how many voted. How many there were when it was decided is not known any more.
pub fn turnout(proposal: &Proposal, people: &People) -> String {
    if !proposal.is_open() {
        return proposal.ballot_submitters.len().to_string();
    }
    let active = people.active().count();
    let counted = active - not_voted(proposal, people).len();
    format!("{counted} of {active}")
}

/// What is left to do, or what came of it.
pub fn sentence(proposal: &Proposal, people: &People) -> String {
    match proposal.proposal_state.as_str() {
        "Open" => needed(proposal, people),
        "Accepted" => "it is accepted and carried out".into(),
        "Rejected" => "it is rejected; nothing was changed".into(),
        "Withdrawn" => "its proposer took it back; nothing was changed".into(),
        "Dropped" => "it was dropped when the rules changed; its proposer can make it anew under the new ones".into(),
        "Failed" => {
            let why = proposal
                .failure
                .as_ref()
                .map_or_else(String::new, |failed| format!(": {}", plain_lines(&failed.reason)));
            format!("it could not be carried out; nothing was changed{why}")
        }
        other => format!("the service says {}", plain_lines(other)),
    }
}

/// What the service says of a vote that goes on: who has voted. When it is enough is in the constitution alone.
fn needed(proposal: &Proposal, people: &People) -> String {
    let missing: Vec<String> = not_voted(proposal, people).into_iter().map(|id| people.name(id)).collect();
    if missing.is_empty() {
        return "every active member has voted, and it is open still: by the constitution that is not enough yet; it may ask for time to pass"
            .into();
    }
    if proposal.ballot_submitters.is_empty() {
        return format!("nobody has voted yet; those who can: {}", missing.join(", "));
    }
    format!(
        "the votes so far do not decide it; {} of {} active members can still vote: {}",
        missing.len(),
        people.active().count(),
        missing.join(", ")
    )
}

/// A state in its colour.
pub fn painted(state: &str, printer: &Printer) -> String {
    let tone = match state {
        "Open" => Tone::Warning,
        "Accepted" => Tone::Good,
        "Rejected" | "Failed" => Tone::Bad,
        _ => Tone::Faint,
    };
    printer.paint(tone, plain_lines(&state.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn people() -> People {
        let member = |letter: &str, status: &str| {
            serde_json::from_value(json!({
                "memberId": letter.repeat(64), "status": status, "memberData": { "name": letter.to_uppercase() }, "certificate": "",
            }))
        };
        let members = [("a", "Active"), ("b", "Active"), ("c", "Active"), ("d", "Accepted")];
        People::new(members.map(|(letter, status)| member(letter, status).unwrap()).into(), None)
    }

    fn proposal(state: &str, voted: &[&str]) -> Proposal {
        let voted: Vec<String> = voted.iter().map(|letter| letter.repeat(64)).collect();
        serde_json::from_value(json!({
            "proposalId": "1".repeat(64), "proposerId": "a".repeat(64), "proposalState": state,
            "ballotCount": voted.len(), "ballotSubmitters": voted,
        }))
        .unwrap()
    }

    #[test]
    fn what_is_needed_names_those_who_can_still_vote() {
        let people = people();
        let open = proposal("Open", &["b"]);
        assert_eq!(turnout(&open, &people), "1 of 3");
        assert_eq!(
            sentence(&open, &people),
            "the votes so far do not decide it; 2 of 3 active members can still vote: A, C"
        );
        assert!(sentence(&proposal("Open", &["a", "b", "c"]), &people).contains("time to pass"));
        assert!(sentence(&proposal("Dropped", &[]), &people).contains("anew"));
        assert_eq!(turnout(&proposal("Accepted", &["a", "b"]), &people), "2");
        assert!(Shown::of(&proposal("Accepted", &["a", "b"]), &people).not_voted.is_empty());
        // Who voted and was ejected since is not counted.
        assert_eq!(turnout(&proposal("Open", &["e"]), &people), "0 of 3");
    }

    #[test]
    fn the_json_of_a_proposal_has_names_and_ids() {
        let shown = serde_json::to_value(Shown::of(&proposal("Open", &["b"]), &people())).unwrap();
        assert_eq!(shown["voted"], json!([{ "id": "b".repeat(64), "name": "B" }]));
        assert_eq!(shown["not_voted"][1]["name"], "C");
        assert_eq!(shown["vote_failures"], json!({}));
        assert_eq!(shown["final_votes"], json!(null));
    }
}
