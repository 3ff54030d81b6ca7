//! `coco member list`: who is a member, and who counts.

use std::process::ExitCode;

use serde::Serialize;
use serde_json::Value;

use crate::cmd::columns::columns;
use crate::failure::Failure;
use crate::governance::{People, Place, Service, plain, short};
use crate::printer::Printer;

#[derive(Serialize)]
struct Shown<'a> {
    members: Vec<ShownMember<'a>>,
}

#[derive(Serialize)]
struct ShownMember<'a> {
    id: &'a str,
    name: String,
    status: &'a str,
    recovery_role: Option<&'a str>,
    data: &'a Value,
    certificate: &'a str,
}

pub fn run(place: &Place, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let people = Service::reach(place, printer)?.people()?;
    if json {
        printer.json(&shown(&people))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = people.members.iter().map(|member| {
        let recovers = member.recovery_role.as_deref().filter(|role| *role != "NonParticipant");
        let recovers = recovers.map(|role| format!("recovery {}", role.to_lowercase())).unwrap_or_default();
        [people.name(&member.member_id), short(&member.member_id), plain(&member.status), plain(&recovers)]
    });
    printer.data(columns(["NAME", "ID", "STATUS", ""], rows));
    let waiting: Vec<String> = people
        .members
        .iter()
        .filter(|member| member.status == "Accepted")
        .map(|member| people.name(&member.member_id))
        .collect();
    let active = people.active().count();
    printer.note(format!("{active} of {} propose and vote", people.members.len()));
    if !waiting.is_empty() {
        printer.hint(format!("still to sign the state with `coco member ack`: {}", waiting.join(", ")));
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(people: &People) -> Shown<'_> {
    let members = people.members.iter().map(|member| ShownMember {
        id: &member.member_id,
        name: people.name(&member.member_id),
        status: &member.status,
        recovery_role: member.recovery_role.as_deref(),
        data: &member.member_data,
        certificate: &member.certificate,
    });
    Shown { members: members.collect() }
}
