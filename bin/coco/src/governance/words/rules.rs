//! The rules themselves: the constitution, and the policies that it judges by.

use serde_json::Value;

use super::{Words, json, text};
use crate::governance::{People, plain};

const DROPS: &str = "other open proposals are dropped: who votes knows the rules that it votes under";

pub fn of(action: &str, args: &Value, people: &People) -> Option<Words> {
    Some(match action {
        "set_constitution" => {
            let lines = args["constitution"].as_str().map_or(0, |script| script.lines().count());
            Words::new(format!("replace the constitution by another one, of {lines} lines"))
                .detail("it decides everything from then on; `coco constitution diff --proposal ID` shows what is different")
                .detail(DROPS)
        }
        "set_policy" => {
            let policy = &args["policy"];
            Words::new(format!("have {} decided by {}", subject(args), agreement(&policy["agree"])))
                .details(conditions(policy, people))
                .detail("whoever decides on that action now decides on this change, too")
                .detail(DROPS)
        }
        "remove_policy" => {
            let falls = if args["action"] == "*" { "a majority" } else { "the rule for all other actions" };
            Words::new(format!("have {} decided by {falls}", subject(args))).detail(DROPS)
        }
        _ => return None,
    })
}

/// What a policy is about.
fn subject(args: &Value) -> String {
    match args["action"].as_str() {
        Some("*") => "every action without a rule of its own".into(),
        Some(action) => plain(action),
        None => text(args, "action"),
    }
}

/// Who must agree.
fn agreement(agree: &Value) -> String {
    match (agree.as_str(), agree["count"].as_u64(), agree["weight"].as_u64()) {
        (Some("majority"), ..) => "more than half of those who may vote".into(),
        (Some("unanimous"), ..) => "all who may vote".into(),
        (_, Some(1), _) => "any one of those who may vote".into(),
        (_, Some(count), _) => format!("{count} of those who may vote"),
        (.., Some(weight)) => format!("votes that weigh {weight} together"),
        _ => json(agree),
    }
}

fn conditions(policy: &Value, people: &People) -> Vec<String> {
    let named = |list: &Value| {
        let ids = list.as_array().map(Vec::as_slice).unwrap_or_default();
        let names: Vec<String> = ids.iter().filter_map(Value::as_str).map(|id| people.full(id)).collect();
        if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
    };
    let mut lines = Vec::new();
    match &policy["voters"] {
        Value::Null => lines.push("every active member may vote on it".into()),
        voters => lines.push(format!("these may vote on it: {}", named(voters))),
    }
    if let Some(weights) = policy["weights"].as_object() {
        let each: Vec<String> =
            weights.iter().map(|(id, weight)| format!("{} {}", people.full(id), json(weight))).collect();
        lines.push(format!("a vote weighs: {}", each.join(", ")));
    }
    if !policy["veto"].is_null() {
        let guards = named(&policy["veto"]);
        let silence = if policy["delay_seconds"].as_u64().unwrap_or(0) > 0 {
            "their silence is consent"
        } else {
            "each of them must agree"
        };
        lines.push(format!("a no of one of these rejects it, and {silence}: {guards}"));
    }
    if let Some(seconds) = policy["delay_seconds"].as_u64().filter(|seconds| *seconds > 0) {
        lines.push(format!("it takes effect {} after the vote that was enough", duration(seconds)));
    }
    for condition in policy["automatic"].as_array().into_iter().flatten() {
        lines.push(format!("nobody need vote {}", spared(condition, &named)));
    }
    lines
}

/// When a vote is not needed.
fn spared(condition: &Value, named: &impl Fn(&Value) -> String) -> String {
    match condition["when"].as_str() {
        Some("own_node") => format!(
            "if a member brings a node of its own that runs approved code in an approved TEE, up to {} nodes each",
            json(&condition["nodes_max"])
        ),
        Some("own_key") => "if a member replaces its own certificate".into(),
        Some("own_organisation") => format!(
            "if the owner of an organisation takes in one of its people, up to {} of them at a time",
            json(&condition["people_max"])
        ),
        Some("proposer_in") => format!("if one of these proposes it: {}", named(&condition["members"])),
        Some("provisions") => format!(
            "if a member whose data says {} adds or removes one whose data says {}",
            text(condition, "field"),
            text(condition, "gives")
        ),
        Some("proposer_data") => {
            format!("if the proposer's data says {} = {}", text(condition, "field"), json(&condition["value"]))
        }
        _ => format!("if {}", json(condition)),
    }
}

/// In the largest unit that it is a whole number of.
pub fn duration(seconds: u64) -> String {
    let (n, unit) = match seconds {
        s if s % 86_400 == 0 => (s / 86_400, "day"),
        s if s % 3_600 == 0 => (s / 3_600, "hour"),
        s if s % 60 == 0 => (s / 60, "minute"),
        s => (s, "second"),
    };
    if n == 1 { format!("one {unit}") } else { format!("{n} {unit}s") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_is_told_in_full() {
        let people = People::new(Vec::new(), None);
        let a = "a".repeat(64);
        let policy = json!({
            "agree": { "weight": 60 }, "weights": { &a: 40 }, "veto": [&a], "delay_seconds": 7200,
            "automatic": [{ "when": "own_node", "nodes_max": 2 }, { "when": "proposer_data", "field": "role", "value": "operator" }],
        });
        let words = of("set_policy", &json!({ "action": "add_code", "policy": policy }), &people).unwrap();
        assert_eq!(words.headline, "have add_code decided by votes that weigh 60 together");
        assert_eq!(
            words.details[..6],
            [
                "every active member may vote on it",
                "a vote weighs: aaaaaaaaaaaa 40",
                "a no of one of these rejects it, and their silence is consent: aaaaaaaaaaaa",
                "it takes effect 2 hours after the vote that was enough",
                "nobody need vote if a member brings a node of its own that runs approved code in an approved TEE, up to 2 nodes each",
                "nobody need vote if the proposer's data says role = \"operator\"",
            ]
        );
    }

    #[test]
    fn agreements_and_times_read_as_people_say_them() {
        assert_eq!(agreement(&json!("unanimous")), "all who may vote");
        assert_eq!(agreement(&json!({"count": 1})), "any one of those who may vote");
        assert_eq!(agreement(&json!({"count": 3})), "3 of those who may vote");
        let said: Vec<String> = [86_400, 3_600, 120, 61].map(duration).into();
        assert_eq!(said, ["one day", "one hour", "2 minutes", "61 seconds"]);
    }
}
