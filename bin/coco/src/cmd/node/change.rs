//! `coco node trust` and `coco node retire`: proposed like any other change.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

use super::find::find;
use crate::cmd::proposal::{self, propose};
use crate::failure::Failure;
use crate::governance::{Action, Node, Place, Service, Signer, Who, short};
use crate::printer::{Printer, Tone};

/// How long a network needs to let a node go, at most: then something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(200);

pub const TRUST: &str = "transition_node_to_trusted";
const RETIRE: &str = "remove_node";

/// From now on, as certificates say it: `YYYYMMDDHHMMSSZ`.
pub fn now() -> String {
    let now = OffsetDateTime::now_utc();
    let (month, day) = (u8::from(now.month()), now.day());
    format!("{}{month:02}{day:02}{:02}{:02}{:02}Z", now.year(), now.hour(), now.minute(), now.second())
}

pub fn trust(place: &Place, who: &Who, node: &str, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let node = {
        let service = Service::reach(place, printer)?;
        let node = find(&service.nodes()?, node)?;
        refuse_twice(&service, &node, TRUST)?;
        node
    };
    if node.status != "Pending" {
        return Err(Failure::new(format!("node {} is {} already", node.number, node.status.to_lowercase())));
    }
    let args = json!({ "node_id": node.node_id, "valid_from": now() });
    propose(
        place,
        &Signer::open(who, place)?,
        &json!({ "actions": [{ "name": TRUST, "args": args }] }).to_string(),
        json,
        printer,
    )
}

#[derive(Serialize)]
struct Gone<'a> {
    number: u64,
    id: &'a str,
    /// Whether it may be stopped.
    retired_committed: bool,
}

/// Proposes it, unless that was done; once it is decided, waits until the node may be stopped.
pub fn retire(place: &Place, who: &Who, node: &str, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let id = {
        let service = Service::reach(place, printer)?;
        let node = find(&service.nodes()?, node)?;
        if node.status == "Retired" {
            return wait_until_gone(&service, &node, json, printer);
        }
        refuse_twice(&service, &node, RETIRE)?;
        node.node_id
    };
    let body = json!({ "actions": [{ "name": RETIRE, "args": { "node_id": id } }] }).to_string();
    let code = propose(place, &Signer::open(who, place)?, &body, json, printer)?;
    let service = Service::reach(place, printer)?;
    let Some(node) = service.nodes()?.into_iter().find(|node| node.node_id == id) else { return Ok(code) };
    if node.status == "Retired" {
        return wait_until_gone(&service, &node, json, printer);
    }
    if !json {
        printer
            .hint(format!("once it is decided, `coco node retire {}` says when the node may be stopped", short(&id)));
    }
    Ok(code)
}

fn refuse_twice(service: &Service<'_>, node: &Node, action: &str) -> Result<(), Failure> {
    proposal::refuse_twice(service, |it: &Action| it.name == action && it.args["node_id"] == node.node_id.as_str())
}

/// A majority of those that stay must know that it is gone before it may stop.
fn wait_until_gone(service: &Service<'_>, node: &Node, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let begun = Instant::now();
    loop {
        let now = service.nodes()?.into_iter().find(|it| it.node_id == node.node_id);
        // One that was let go may have been forgotten meanwhile.
        if now.is_none_or(|now| now.retired_committed) {
            break;
        }
        if begun.elapsed() > PATIENCE {
            let what = format!(
                "node {} is retired, and the network has not let it go within {} s",
                node.number,
                PATIENCE.as_secs()
            );
            return Err(Failure::new(what)
                .hint("do not stop it: it may still be needed for a majority. `coco node list` shows who votes"));
        }
        thread::sleep(POLL);
    }
    if json {
        printer.json(&Gone { number: node.number, id: &node.node_id, retired_committed: true })?;
    } else {
        let word = printer.paint(Tone::Good, "retired");
        printer.data(format!("node {} ({}) is {word}: it may be stopped now", node.number, short(&node.node_id)));
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    #[test]
    fn now_is_fourteen_digits_and_a_zone() {
        let now = super::now();
        assert!(now.len() == 15 && now.ends_with('Z') && now.starts_with("20"), "{now}");
    }
}
