//! `coco constitution diff`: the constitution in force beside another one.

use std::process::ExitCode;

use serde_json::json;
use similar::{ChangeTag, TextDiff};

use crate::failure::Failure;
use crate::governance::{Place, Service, plain_lines, short};
use crate::printer::{Printer, Tone};

/// Unchanged lines around a change.
const CONTEXT_LINES: usize = 3;

/// What the constitution in force is compared with.
pub enum Other {
    Given {
        name: String,
        script: String,
    },
    /// What the proposal would make of it.
    Proposed(String),
}

pub fn run(place: &Place, other: &Other, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let service = Service::reach(place, printer)?;
    let (name, other) = match other {
        Other::Given { name, script } => (name.clone(), script.clone()),
        Other::Proposed(id) => proposed(&service, id)?,
    };
    let in_force = service.constitution()?;
    let diff = TextDiff::from_lines(&in_force, &other);
    let count = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
    let (added, removed) = (count(ChangeTag::Insert), count(ChangeTag::Delete));
    let same = in_force == other;
    let unified = diff.unified_diff().context_radius(CONTEXT_LINES).header("in force", &name).to_string();
    if json {
        printer.json(&json!({ "same": same, "lines_added": added, "lines_removed": removed, "diff": unified }))?;
    } else if same {
        printer.note(format!("{name} is the constitution in force"));
    } else {
        for line in plain_lines(&unified).lines() {
            printer.data(match line.bytes().next() {
                Some(b'+') => printer.paint(Tone::Good, line),
                Some(b'-') => printer.paint(Tone::Bad, line),
                Some(b'@') => printer.paint(Tone::Faint, line),
                _ => line.to_owned(),
            });
        }
        printer.note(format!("lines: {added} added, {removed} removed"));
    }
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The script that a proposal would set.
fn proposed(service: &Service<'_>, id: &str) -> Result<(String, String), Failure> {
    let id = service.find(id)?.proposal_id;
    let actions = service.actions(&id)?;
    let script = actions.iter().rev().find(|action| action.name == "set_constitution");
    match script.and_then(|action| action.args["constitution"].as_str()) {
        Some(script) => Ok((format!("proposal {}", short(&id)), script.to_owned())),
        None => Err(Failure::new(format!("the proposal {} would not change the constitution", short(&id)))
            .hint("`coco proposal show ID` says what it would change")),
    }
}
