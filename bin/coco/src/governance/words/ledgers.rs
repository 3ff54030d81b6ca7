//! Hosted ledgers.

use serde_json::Value;

use super::{Words, data, genesis, json, text};
use crate::governance::plain;

pub fn of(action: &str, args: &Value) -> Option<Words> {
    let name = || text(args, "name");
    Some(match action {
        "open_ledger" => open(args),
        "pause_ledger" => Words::new(format!("pause the ledger {}", name())),
        "resume_ledger" => Words::new(format!("let the ledger {} go on", name())),
        "close_ledger" => {
            Words::new(format!("close the ledger {}", name())).detail("for good: its name is never used again")
        }
        "set_ledger_policy" => {
            let policy = &args["policy"];
            let cut = (!policy["connect"].is_null())
                .then(|| "whoever is connected from elsewhere is cut off, on every node".to_owned());
            Words::new(format!("let {} connect to the ledger {}", clients(&policy["connect"]), name()))
                .details(cut)
                .details(beyond_connect(policy))
        }
        _ => return None,
    })
}

fn open(args: &Value) -> Words {
    const SAID: [&str; 7] = ["name", "kind", "genesis", "base_fee", "blobs", "listeners", "policy"];
    let start = &args["genesis"];
    let first = if start.is_null() { Vec::new() } else { genesis::lines(start) };
    let base_fee = data(args, "base_fee", "base fee of every block, in wei:").filter(|_| args["base_fee"] != 0);
    let blobs = (args["blobs"] == true).then(|| "it takes blob transactions; the blobs themselves are not kept".into());
    let connect = &args["policy"]["connect"];
    let more = args.as_object().into_iter().flatten().filter(|(field, _)| !SAID.contains(&field.as_str()));
    Words::new(format!("open a ledger called {}, of kind {}", text(args, "name"), text(args, "kind")))
        .details(first)
        .details(base_fee)
        .details(blobs)
        .details(doors(&args["listeners"]))
        .detail(format!("{} may connect", clients(connect)))
        .details(beyond_connect(&args["policy"]))
        .details(more.map(|(field, value)| format!("{}: {}", plain(field), json(value))))
}

/// Where it is served.
fn doors(listeners: &Value) -> Option<String> {
    let ports: Vec<String> = match listeners {
        Value::Null => return None,
        Value::Object(named) => named.values().map(json).collect(),
        other => vec![json(other)],
    };
    Some(format!("nodes whose own file says nothing else serve it at port {}", ports.join(", ")))
}

/// Who a policy lets in.
fn clients(connect: &Value) -> String {
    match connect.as_array() {
        None if connect.is_null() => "clients from anywhere".into(),
        None => format!("clients from {}", json(connect)),
        Some(none) if none.is_empty() => "no client".into(),
        Some(networks) => {
            let networks: Vec<String> = networks.iter().map(|it| it.as_str().map_or_else(|| json(it), plain)).collect();
            format!("only clients from {}", listed(&networks))
        }
    }
}

/// What else a policy says; no node that is known here acts on it.
fn beyond_connect(policy: &Value) -> Vec<String> {
    match policy {
        Value::Null => Vec::new(),
        Value::Object(fields) => {
            let others = fields.iter().filter(|(field, _)| *field != "connect");
            others.map(|(field, value)| format!("policy, {}: {}", plain(field), json(value))).collect()
        }
        other => vec![format!("policy: {}", json(other))],
    }
}

/// "a, b and c".
fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whoever_votes_reads_what_a_ledger_starts_from_and_whom_it_lets_in() {
        let genesis = json!({ "config": { "chainId": 4242 }, "alloc": { "0x01": { "balance": "0x1" } } });
        let words = of(
            "open_ledger",
            &json!({
                "name": "shop", "kind": "ethereum", "genesis": genesis, "base_fee": 7, "blobs": true,
                "listeners": { "shop": 8546 }, "policy": { "connect": ["10.0.0.0/8", "::1/128"] }, "odd": 1,
            }),
        )
        .unwrap();
        assert_eq!(words.headline, "open a ledger called shop, of kind ethereum");
        assert_eq!(
            words.details,
            [
                "chain id 4242",
                "first state: one account with 0.000000000000000001 ETH",
                "base fee of every block, in wei: 7",
                "it takes blob transactions; the blobs themselves are not kept",
                "nodes whose own file says nothing else serve it at port 8546",
                "only clients from 10.0.0.0/8 and ::1/128 may connect",
                "odd: 1",
            ]
        );
        let words = of("open_ledger", &json!({ "name": "notes", "kind": "keyvalue" })).unwrap();
        assert_eq!(words.details, ["clients from anywhere may connect"]);
    }

    #[test]
    fn a_policy_says_who_is_let_in_and_what_else_it_has() {
        let said = |policy| of("set_ledger_policy", &json!({ "name": "shop", "policy": policy })).unwrap();
        assert_eq!(said(json!({})).headline, "let clients from anywhere connect to the ledger shop");
        assert!(said(json!({})).details.is_empty());
        assert_eq!(said(json!({ "connect": [] })).headline, "let no client connect to the ledger shop");
        let some = said(json!({ "connect": ["10.0.0.0/8", "\u{1b}", 7], "speed": 9 }));
        assert_eq!(some.headline, r"let only clients from 10.0.0.0/8, \u{1b} and 7 connect to the ledger shop");
        assert!(some.details[0].contains("cut off") && some.details[1] == "policy, speed: 9", "{:?}", some.details);
        assert!(said(json!(7)).headline.contains("anywhere"));
        assert_eq!(said(json!(7)).details, ["policy: 7"]);
    }
}
