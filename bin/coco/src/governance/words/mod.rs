//! Actions in plain words: what each would change, for those who vote on it.
//!
//! Known are the actions of Coco's own constitution and of CCF's; what another constitution adds is shown as it was written.

mod genesis;
mod ledgers;
mod members;
mod nodes;
mod rules;
mod service;

use serde_json::Value;

use super::answers::{Action, Body};
use super::{People, plain, short};
pub use rules::duration;

/// What an action would change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Words {
    /// "take erin in as a member": goes on after "would".
    pub headline: String,
    /// What else matters, a line each.
    pub details: Vec<String>,
}

impl Words {
    fn new(headline: impl Into<String>) -> Self {
        Self { headline: headline.into(), details: Vec::new() }
    }

    fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    fn details(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(lines);
        self
    }
}

/// An action in words. Whatever the arguments are, there is an answer.
fn of(action: &Action, people: &People) -> Words {
    let Action { name, args } = action;
    members::of(name, args, people)
        .or_else(|| nodes::of(name, args, people))
        .or_else(|| rules::of(name, args, people))
        .or_else(|| service::of(name, args))
        .or_else(|| ledgers::of(name, args))
        .unwrap_or_else(|| unknown(name, args))
}

/// All actions of a proposal. Of one that is decided nobody knows any more how things were before.
pub fn all(actions: &[Action], open: bool, people: &People) -> Vec<Words> {
    let names = people.names_only();
    let people = if open { people } else { &names };
    actions.iter().map(|action| of(action, people)).collect()
}

/// The actions of a proposal that was not sent yet.
pub fn of_body(text: &str) -> Option<Vec<Action>> {
    serde_json::from_str::<Body>(text).ok().map(|body| body.actions)
}

/// All actions of a proposal in a line.
pub fn summary(actions: &[Action], open: bool, people: &People) -> String {
    let first = all(actions, open, people).into_iter().next().map(|words| words.headline);
    match (first, actions.len()) {
        (None, _) => "nothing".into(),
        (Some(first), 1) => first,
        (Some(first), 2) => format!("{first}, and one more"),
        (Some(first), n) => format!("{first}, and {} more", n - 1),
    }
}

fn unknown(name: &str, args: &Value) -> Words {
    let nothing = args.is_null() || args.as_object().is_some_and(serde_json::Map::is_empty);
    let words = Words::new(format!("do {}, which this program has no words for", plain(name)));
    if nothing { words } else { words.detail(format!("with {}", json(args))) }
}

/// A text argument; what is no text is shown as it is.
fn text(args: &Value, field: &str) -> String {
    match &args[field] {
        Value::String(text) => plain(text),
        Value::Null => "?".into(),
        other => json(other),
    }
}

/// JSON in a line, not too long a one.
fn json(value: &Value) -> String {
    const CHARS_MAX: usize = 400;
    let text = plain(&value.to_string());
    if text.chars().count() <= CHARS_MAX {
        return text;
    }
    let head: String = text.chars().take(CHARS_MAX).collect();
    format!("{head}… ({} bytes; --json has all of it)", text.len())
}

/// "its data: {...}", if there is any.
fn data(args: &Value, field: &str, what: &str) -> Option<String> {
    let value = &args[field];
    (!value.is_null()).then(|| format!("{what} {}", json(value)))
}

fn id_of_certificate(pem: &str) -> Option<String> {
    crypto::ForeignCertificate::from_pem(pem).ok().map(|certificate| crypto::sha256(certificate.der()).to_string())
}

fn shortened(args: &Value, field: &str) -> String {
    args[field].as_str().map_or_else(|| text(args, field), short)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    pub fn headline(name: &str, args: Value) -> String {
        of(&Action { name: name.into(), args }, &People::new(Vec::new(), None)).headline
    }

    #[test]
    fn every_action_of_our_constitution_has_words() {
        let mut defined = 0;
        let script = governance::constitution::DEFAULT;
        for opening in ["define(\"", "define(\n  \"", "approve(\"", "approve(\n  \"", "move(\""] {
            for part in script.split(opening).skip(1) {
                let name = part.split('"').next().unwrap();
                let said = headline(name, json!({}));
                assert!(!said.contains("no words for"), "{name}");
                defined += 1;
            }
        }
        assert!(defined > 40, "{defined}");
    }

    #[test]
    fn arguments_of_any_shape_are_survived() {
        for args in
            [json!(null), json!([1]), json!("x"), json!({"cert": 1, "member_id": [], "policy": 7, "action": {}})]
        {
            for name in ["set_member", "remove_member", "set_policy", "set_constitution", "open_ledger", "frobnicate"] {
                assert!(!headline(name, args.clone()).is_empty());
            }
        }
        let words = unknown("frob\x1b", &json!({"a": "b\u{9b}"}));
        assert_eq!(words.headline, r"do frob\u{1b}, which this program has no words for");
        assert_eq!(words.details, [r#"with {"a":"b\u{9b}"}"#]);
    }

    #[test]
    fn a_proposal_is_summed_up_by_its_first_action() {
        let people = People::new(Vec::new(), None);
        let action = |name: &str| Action { name: name.into(), args: json!({"name": "eth"}) };
        let actions = [action("pause_ledger"), action("close_ledger"), action("close_ledger")];
        assert_eq!(summary(&actions[..1], true, &people), "pause the ledger eth");
        assert_eq!(summary(&actions[..2], true, &people), "pause the ledger eth, and one more");
        assert_eq!(summary(&actions, true, &people), "pause the ledger eth, and 2 more");
    }
}
