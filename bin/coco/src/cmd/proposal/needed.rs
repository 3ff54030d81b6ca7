//! What a vote still needs by the rules in force, in plain words.
//!
//! The constitution alone decides; this counts as it does (crates/governance/src/constitution/policies.js), for people to see
//! how far it is. What a ballot comes to that is more than a plain yes or no is known only when it is run.

use std::collections::BTreeMap;

use serde_json::Value;

use super::vote::Kept;
use crate::governance::words::duration;
use crate::governance::{Action, People, Policies, Times};

pub struct Counting<'a> {
    pub policies: &'a Policies,
    pub times: &'a Times,
    /// What was cast, by member.
    pub votes: BTreeMap<&'a str, Kept>,
    pub people: &'a People,
}

impl Counting<'_> {
    /// A line for each rule that the actions are judged by. `now` is in seconds since 1970.
    pub fn lines(&self, actions: &[Action], now: u64) -> Vec<String> {
        let mut rules: Vec<(&Value, Vec<&str>)> = Vec::new();
        for action in actions {
            for policy in self.judges(action) {
                match rules.iter_mut().find(|(known, _)| *known == policy) {
                    Some((_, of)) => of.push(&action.name),
                    None => rules.push((policy, vec![&action.name])),
                }
            }
        }
        let several = rules.len() > 1;
        let mut lines: Vec<String> = Vec::new();
        for (policy, mut of) in rules {
            of.dedup();
            let line = self.line(policy, now);
            lines.push(if several { format!("{}: {line}", of.join(", ")) } else { line });
        }
        let scripts: Vec<String> =
            self.votes.iter().filter(|(_, kept)| **kept == Kept::Script).map(|(id, _)| self.people.name(id)).collect();
        if !scripts.is_empty() {
            lines.push(format!("what the script of {} comes to is not counted here", scripts.join(", ")));
        }
        lines
    }

    /// An action's own rule, and those that it would change, as they are now.
    fn judges(&self, action: &Action) -> Vec<&Value> {
        let of = |name: &str| {
            let own = self.policies.value.iter().find(|ruled| ruled.action == name);
            own.map_or(&self.policies.otherwise, |ruled| &ruled.policy)
        };
        let mut all = vec![of(&action.name)];
        match (action.name.as_str(), action.args["action"].as_str()) {
            ("set_policy" | "remove_policy", Some(changed)) => all.push(of(changed)),
            ("set_constitution", _) => {
                all.extend(self.policies.value.iter().map(|ruled| &ruled.policy));
                all.push(&self.policies.otherwise);
            }
            _ => {}
        }
        all
    }

    fn line(&self, policy: &Value, now: u64) -> String {
        let listed =
            |field: &str, id: &str| policy[field].as_array().is_some_and(|ids| ids.iter().any(|one| one == id));
        let active: Vec<&str> = self.people.active().map(|member| member.member_id.as_str()).collect();
        let voters = active.iter().copied().filter(|id| policy["voters"].is_null() || listed("voters", id));
        let weighted = policy["agree"]["weight"].as_u64();
        let weight = |id: &str| if weighted.is_some() { policy["weights"][id].as_u64().unwrap_or(0) } else { 1 };
        let voters: Vec<(&str, u64)> = voters.map(|id| (id, weight(id))).filter(|(_, weight)| *weight > 0).collect();
        let total: u64 = voters.iter().map(|(_, weight)| weight).sum();
        let needed = match policy["agree"].as_str() {
            Some("majority") => total / 2 + 1,
            Some(_) => total.max(1),
            None => weighted.or(policy["agree"]["count"].as_u64()).unwrap_or(total),
        };
        let yes: u64 = voters.iter().filter(|(id, _)| self.said(id, Kept::Yes)).map(|(_, weight)| weight).sum();
        let silent: Vec<String> =
            voters.iter().filter(|(id, _)| !self.votes.contains_key(id)).map(|(id, _)| self.people.name(id)).collect();
        let guards: Vec<String> = active
            .iter()
            .filter(|id| listed("veto", id) && !self.said(id, Kept::Yes))
            .map(|id| self.people.name(id))
            .collect();
        let delay = policy["delay_seconds"].as_u64().unwrap_or(0);
        let mut line = match (yes < needed, weighted) {
            (true, None) => {
                format!("{yes} of {total} have voted yes; {} enough", more(needed - yes))
            }
            (true, Some(_)) => {
                format!("votes of weight {yes} out of {total} say yes; a weight of {} more is enough", needed - yes)
            }
            (false, _) => "enough have voted yes".to_owned(),
        };
        if yes < needed && !silent.is_empty() {
            line.push_str(&format!("; still to vote: {}", silent.join(", ")));
        }
        if delay > 0 {
            line.push_str(&match (yes >= needed).then(|| self.enough_since(&voters, needed)).flatten() {
                Some(since) => match (since / 1000 + delay).saturating_sub(now) {
                    0 => "; it is accepted at any moment".to_owned(),
                    left => format!("; it is accepted in {}", duration(rounded(left))),
                },
                None => format!("; it is accepted {} after that", duration(delay)),
            });
        }
        if !guards.is_empty() {
            let or_else = if delay > 0 { "unless one of these says no" } else { "and all of these must have agreed" };
            line.push_str(&format!(", {or_else}: {}", guards.join(", ")));
        }
        line
    }

    fn said(&self, id: &str, what: Kept) -> bool {
        self.votes.get(id) == Some(&what)
    }

    /// When the vote came that was enough, in milliseconds.
    fn enough_since(&self, voters: &[(&str, u64)], needed: u64) -> Option<u64> {
        let agreed = voters.iter().filter(|(id, _)| self.said(id, Kept::Yes));
        let mut came: Vec<(u64, u64)> =
            agreed.filter_map(|(id, weight)| Some((*self.times.ballots.get(*id)?, *weight))).collect();
        came.sort_unstable();
        let mut reached = 0;
        came.into_iter().find_map(|(time, weight)| {
            reached += weight;
            (reached >= needed).then_some(time)
        })
    }
}

fn more(votes: u64) -> String {
    if votes == 1 { "one more is".to_owned() } else { format!("{votes} more are") }
}

/// Up to whole minutes, and whole hours if there are many: nobody waits by the second.
const fn rounded(seconds: u64) -> u64 {
    match seconds {
        0..120 => seconds,
        120..7200 => seconds.div_ceil(60) * 60,
        _ => seconds.div_ceil(3600) * 3600,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn people() -> People {
        let member = |letter: &str| {
            serde_json::from_value(json!({
                "memberId": letter.repeat(64), "status": "Active", "memberData": { "name": letter.to_uppercase() }, "certificate": "",
            }))
        };
        People::new(["a", "b", "c"].map(|letter| member(letter).unwrap()).into(), None)
    }

    /// What is said of an action under `policy` once these have voted, at second 100; ballots came at second 10, 20 and 30.
    fn told(policy: Value, votes: &[(&str, Kept)]) -> Vec<String> {
        let (ids, people) = (["a", "b", "c"].map(|letter| letter.repeat(64)), people());
        let policies = json!({ "judged": true, "value": [{ "action": "add_code", "policy": policy }], "otherwise": { "agree": "majority" } });
        let ballots = ids.iter().zip([10_000, 20_000, 30_000]).map(|(id, time)| (id.clone(), time)).collect();
        let votes =
            votes.iter().map(|(letter, kept)| (ids.iter().find(|id| id.starts_with(letter)).unwrap().as_str(), *kept));
        let counting = Counting {
            policies: &serde_json::from_value(policies).unwrap(),
            times: &Times { ballots },
            votes: votes.collect(),
            people: &people,
        };
        counting.lines(&[Action { name: "add_code".into(), args: json!({}) }], 100)
    }

    #[test]
    fn how_many_are_enough_and_who_can_still_vote() {
        let majority = json!({ "agree": "majority" });
        assert_eq!(told(majority.clone(), &[]), ["0 of 3 have voted yes; 2 more are enough; still to vote: A, B, C"]);
        let one = told(majority, &[("a", Kept::Yes), ("b", Kept::No)]);
        assert_eq!(one, ["1 of 3 have voted yes; one more is enough; still to vote: C"]);
        let everyone = told(json!({ "agree": "unanimous" }), &[("a", Kept::Yes), ("b", Kept::Script)]);
        assert_eq!(
            everyone,
            [
                "1 of 3 have voted yes; 2 more are enough; still to vote: C",
                "what the script of B comes to is not counted here"
            ]
        );
        let few = json!({ "agree": { "count": 1 }, "voters": ["b".repeat(64)] });
        assert_eq!(told(few, &[("a", Kept::Yes)]), ["0 of 1 have voted yes; one more is enough; still to vote: B"]);
        let weights = json!({ "agree": { "weight": 60 }, "weights": { "a".repeat(64): 40, "b".repeat(64): 30 } });
        assert_eq!(
            told(weights, &[("a", Kept::Yes)]),
            ["votes of weight 40 out of 70 say yes; a weight of 20 more is enough; still to vote: B"]
        );
    }

    #[test]
    fn delays_and_vetoes_are_told() {
        let yes = [("a", Kept::Yes), ("b", Kept::Yes)];
        let delayed = json!({ "agree": "majority", "delay_seconds": 3600, "veto": ["c".repeat(64)] });
        assert_eq!(
            told(delayed.clone(), &yes),
            ["enough have voted yes; it is accepted in 59 minutes, unless one of these says no: C"]
        );
        assert!(told(delayed, &yes[..1])[0].contains("accepted one hour after that"));
        let must = json!({ "agree": "majority", "veto": ["a".repeat(64), "c".repeat(64)] });
        assert_eq!(told(must, &yes), ["enough have voted yes, and all of these must have agreed: C"]);
        let soon = json!({ "agree": "majority", "delay_seconds": 10 });
        assert_eq!(told(soon, &yes), ["enough have voted yes; it is accepted at any moment"]);
    }
}
