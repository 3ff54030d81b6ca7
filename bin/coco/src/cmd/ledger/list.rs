//! `coco ledger list`: what a network hosts, where it is served, and to whom.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::Value;

use super::doors::{self, Door};
use crate::cmd::columns::columns;
use crate::failure::Failure;
use crate::governance::{Ledger, Place, Service, plain};
use crate::printer::Printer;

#[derive(Serialize)]
struct Shown {
    ledgers: Vec<ShownLedger>,
}

#[derive(Serialize)]
struct ShownLedger {
    name: String,
    kind: String,
    status: String,
    /// Of nodes on this machine.
    doors: Vec<Door>,
    /// Ports of nodes whose own file says nothing else, by the names of the doors.
    listeners: BTreeMap<String, u16>,
    /// As members wrote it; `null` if they did not.
    policy: Value,
}

pub fn run(place: &Place, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let ledgers = Service::reach(place, printer)?.ledgers()?;
    let running = doors::running(place)?;
    let shown = |ledger: Ledger| ShownLedger {
        doors: doors::of(&ledger.name, &running),
        name: ledger.name,
        kind: ledger.kind,
        status: ledger.status,
        listeners: ledger.listeners.unwrap_or_default(),
        policy: ledger.policy,
    };
    let ledgers: Vec<ShownLedger> = ledgers.into_iter().map(shown).collect();
    if json {
        printer.json(&Shown { ledgers })?;
        return Ok(ExitCode::SUCCESS);
    }
    if ledgers.is_empty() {
        printer.note("the network hosts no ledger yet");
        printer.hint("`coco ledger open NAME` proposes one");
        return Ok(ExitCode::SUCCESS);
    }
    printer.data(columns(["NAME", "KIND", "STATUS", "CLIENTS FROM", "SERVED AT"], ledgers.iter().flat_map(rows)));
    Ok(ExitCode::SUCCESS)
}

/// A line for each of its doors.
fn rows(ledger: &ShownLedger) -> Vec<[String; 5]> {
    let mut places: Vec<String> = ledger.doors.iter().map(place).collect();
    if places.is_empty() {
        places = vec![elsewhere(&ledger.listeners)];
    }
    let said =
        [plain(&ledger.name), plain(&ledger.kind), plain(&ledger.status).to_lowercase(), clients(&ledger.policy)];
    let row = |(i, place): (usize, String)| {
        let [name, kind, status, clients] = if i == 0 { said.clone() } else { Default::default() };
        [name, kind, status, clients, place]
    };
    places.into_iter().enumerate().map(row).collect()
}

fn place(door: &Door) -> String {
    let node = door.node;
    match (door.address, &door.trouble) {
        (Some(address), _) => format!("{address} (node {node})"),
        (None, Some(why)) => format!("nowhere (node {node}: {})", plain(why)),
        (None, None) => format!("nowhere yet (node {node})"),
    }
}

/// Of nodes on other machines only what members decided is known here.
fn elsewhere(listeners: &BTreeMap<String, u16>) -> String {
    let ports: Vec<String> = listeners.values().map(u16::to_string).collect();
    if ports.is_empty() {
        "as each node's file says".into()
    } else {
        format!("port {}, or as a node's file says", ports.join(", "))
    }
}

fn clients(policy: &Value) -> String {
    match &policy["connect"] {
        Value::Null => "anywhere".into(),
        Value::Array(none) if none.is_empty() => "nowhere".into(),
        Value::Array(networks) => {
            let network = |it: &Value| it.as_str().map_or_else(|| plain(&it.to_string()), plain);
            networks.iter().map(network).collect::<Vec<_>>().join(", ")
        }
        other => plain(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_ledger_has_a_line_for_each_of_its_doors() {
        let door = |node: u64| Door { node, address: Some(([127, 0, 0, 1], 8544 + node as u16).into()), trouble: None };
        let none = Door { node: 3, address: None, trouble: Some("port 1 is in use".into()) };
        let mut ledger = ShownLedger {
            name: "shop".into(),
            kind: "ethereum".into(),
            status: "Open".into(),
            doors: vec![door(1), door(2), none],
            listeners: BTreeMap::new(),
            policy: json!({ "connect": ["10.0.0.0/8", "::1/128"] }),
        };
        let all = rows(&ledger);
        assert_eq!(all[0], ["shop", "ethereum", "open", "10.0.0.0/8, ::1/128", "127.0.0.1:8545 (node 1)"]);
        assert_eq!(all[1], ["", "", "", "", "127.0.0.1:8546 (node 2)"]);
        assert_eq!(all[2][4], "nowhere (node 3: port 1 is in use)");
        ledger.doors.clear();
        assert_eq!(rows(&ledger)[0][4], "as each node's file says");
        ledger.listeners.insert("shop".into(), 8545);
        assert_eq!(rows(&ledger)[0][4], "port 8545, or as a node's file says");
        assert_eq!([clients(&json!(null)), clients(&json!({ "connect": [] }))], ["anywhere", "nowhere"]);
    }
}
