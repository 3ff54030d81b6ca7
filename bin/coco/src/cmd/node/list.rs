//! `coco node list`: who is a node, who votes, who leads.

use std::process::ExitCode;

use crypto::Certificate;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::cmd::columns::columns;
use crate::failure::Failure;
use crate::governance::{Node, People, Place, Service, plain, short};
use crate::printer::{Printer, Tone};

#[derive(Serialize)]
struct Shown<'a> {
    nodes: Vec<ShownNode<'a>>,
}

#[derive(Serialize)]
struct ShownNode<'a> {
    number: u64,
    id: &'a str,
    status: String,
    /// Whether it was let go and may be stopped.
    retired_committed: bool,
    primary: bool,
    /// `voter` or `learner`; nothing for one that consensus does not count.
    counted: Option<&'a str>,
    address: Option<&'a str>,
    governance: Option<&'a str>,
    owner: Option<&'a str>,
    evidence: Option<&'a str>,
    code: Option<&'a str>,
    data: &'a Value,
    /// From when and until when the service certifies it, in seconds since 1970.
    certified_from: Option<u64>,
    certified_until: Option<u64>,
}

pub fn run(place: &Place, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let service = Service::reach(place, printer)?;
    let nodes = service.nodes()?;
    if json {
        printer.json(&Shown { nodes: nodes.iter().map(shown).collect() })?;
        return Ok(ExitCode::SUCCESS);
    }
    let people = service.people()?;
    let rows = nodes.iter().map(|node| row(node, &people));
    printer.data(columns(["NODE", "ID", "STATUS", "COUNTED", "ADDRESS", "OWNER", "TEE", "CODE", "CERTIFIED"], rows));
    let voters = nodes.iter().filter(|node| node.counted.as_deref() == Some("voter")).count();
    printer.note(match nodes.iter().find(|node| node.primary) {
        Some(primary) => format!("node {} is {}, {voters} vote", primary.number, printer.paint(Tone::Good, "primary")),
        None => "the network has no primary now".to_owned(),
    });
    for node in nodes.iter().filter(|node| node.status == "Pending") {
        printer.hint(format!("node {} waits: coco node trust {}", node.number, short(&node.node_id)));
    }
    for node in nodes.iter().filter(|node| node.retired_committed) {
        printer.hint(format!("node {} was let go and may be stopped", node.number));
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(node: &Node) -> ShownNode<'_> {
    let certified = certified(node);
    ShownNode {
        number: node.number,
        id: &node.node_id,
        status: node.status.to_lowercase(),
        retired_committed: node.retired_committed,
        primary: node.primary,
        counted: node.counted.as_deref(),
        address: node.address.as_deref(),
        governance: node.governance.as_deref(),
        owner: node.owner.as_deref(),
        evidence: node.evidence.as_deref(),
        code: node.code.as_deref(),
        data: &node.node_data,
        certified_from: certified.map(|(from, _)| from),
        certified_until: certified.map(|(_, until)| until),
    }
}

fn row(node: &Node, people: &People) -> [String; 9] {
    let counted = match (node.primary, node.counted.as_deref()) {
        (true, _) => "primary",
        (_, Some(counted)) => counted,
        _ => "-",
    };
    let status = if node.retired_committed { "let go".to_owned() } else { plain(&node.status).to_lowercase() };
    [
        node.number.to_string(),
        short(&node.node_id),
        status,
        plain(counted),
        plain(node.address.as_deref().unwrap_or("-")),
        node.owner.as_deref().map_or_else(|| "-".into(), |owner| people.name(owner)),
        plain(node.evidence.as_deref().unwrap_or("-")),
        node.code.as_deref().map_or_else(|| "-".into(), short),
        certified(node).map_or_else(|| "-".into(), |(from, until)| format!("{} to {}", day(from), day(until))),
    ]
}

/// What its certificate says.
fn certified(node: &Node) -> Option<(u64, u64)> {
    let validity = Certificate::from_pem(node.certificate.as_deref()?).ok()?.validity().ok()?;
    Some((validity.from, validity.until))
}

fn day(seconds: u64) -> String {
    let date = i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    date.map_or_else(|| "-".into(), |it| format!("{}-{:02}-{:02}", it.year(), u8::from(it.month()), it.day()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_day_is_read_by_people() {
        assert_eq!(super::day(1_795_685_819), "2026-11-26");
    }
}
