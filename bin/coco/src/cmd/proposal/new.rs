//! `coco proposal new`: propose a change.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use governance::Kind;
use serde_json::{Map, Value, json};

use super::stand::{Changed, Shown, painted, sentence};
use crate::cmd::request;
use crate::failure::Failure;
use crate::governance::{About, Place, Proposal, Sent, Service, Signer, Trouble, Who, short, words};
use crate::printer::Printer;

/// How often a proposal is signed anew because others were made in the same second.
const ATTEMPTS: usize = 4;
const SECOND: Duration = Duration::from_secs(1);

/// What is proposed, as it is signed: `{"actions": [...]}`.
pub fn settle(file: Option<&Path>, action: Option<&str>, args: &[String]) -> Result<String, Failure> {
    if let Some(name) = action {
        let args = args.iter().map(|arg| argument(arg)).collect::<Result<Map<_, _>, _>>()?;
        return Ok(json!({ "actions": [{ "name": name, "args": args }] }).to_string());
    }
    let file = file.unwrap_or(Path::new("-"));
    let (name, text) = if file == Path::new("-") {
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        read.map_err(|e| Failure::from_error("cannot read the proposal from standard input", &e))?;
        ("standard input".to_owned(), text)
    } else {
        (file.display().to_string(), fs::read_to_string(file).map_err(|e| Failure::file("read", file, &e))?)
    };
    body(&text).map_err(|why| {
        Failure::new(format!("{name} is no proposal: {why}"))
            .hint("a proposal is like [{\"name\": \"remove_member\", \"args\": {\"member_id\": \"3f2a…\"}}]")
    })
}

/// The text as it stands if it is a whole proposal, so that it is signed as it was written; a list of actions is put into one.
fn body(text: &str) -> Result<String, String> {
    match serde_json::from_str(text).map_err(|e| e.to_string())? {
        Value::Array(actions) if !actions.is_empty() => Ok(format!("{{\"actions\":{}}}", text.trim())),
        Value::Object(fields) => match fields.get("actions") {
            Some(Value::Array(actions)) if !actions.is_empty() => Ok(text.to_owned()),
            _ => Err("an object needs a list of actions in `actions`, one at least".into()),
        },
        _ => Err("it is a list of actions, one at least, or an object with that list in `actions`".into()),
    }
}

/// `key=value` or `key@FILE`, whichever sign comes first.
fn argument(text: &str) -> Result<(String, Value), Failure> {
    let at = text.find(['=', '@']).filter(|at| *at > 0);
    let Some(at) = at else {
        return Err(Failure::new(format!("{text} is no argument of an action"))
            .hint("an argument is like member_id=3f2a… or constitution@constitution.js"));
    };
    let (key, value) = (&text[..at], &text[at + 1..]);
    let value = if text[at..].starts_with('@') {
        let path = Path::new(value);
        Value::String(fs::read_to_string(path).map_err(|e| Failure::file("read", path, &e))?)
    } else {
        // An id of digits alone is a text, as every id is; and so is 1.10, a version: no action has fractions.
        let id = value.len() == 64 && value.bytes().all(|b| b.is_ascii_digit());
        let fraction = |json: &Value| json.is_f64();
        let json = serde_json::from_str(value).ok().filter(|json| !id && !fraction(json));
        json.unwrap_or_else(|| Value::String(value.to_owned()))
    };
    Ok((key.to_owned(), value))
}

pub fn run(place: &Place, who: &Who, body: &str, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    propose(place, &Signer::open(who, place)?, body, json, printer)
}

/// Proposes what a command of its own has made.
pub fn propose(place: &Place, signer: &Signer, body: &str, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    if let Some(file) = signer.elsewhere() {
        return request::keep(signer, file, &About::now(Kind::Proposal, None), body.as_bytes(), json, printer);
    }
    let service = Service::reach(place, printer)?;
    told(&service, &signer.name, submit(&service, signer, body), json, printer)
}

/// What became of a proposal that `name` signed.
pub fn told(
    service: &Service<'_>,
    name: &str,
    sent: Result<Sent, Trouble>,
    json: bool,
    printer: &Printer,
) -> Result<ExitCode, Failure> {
    let (proposal, transaction) = made(service, sent)?;
    let people = service.people()?;
    if json {
        printer.json(&Changed { proposal: Shown::of(&proposal, &people), transaction })?;
        return Ok(ExitCode::SUCCESS);
    }
    let actions = service.actions(&proposal.proposal_id)?;
    let state = painted(&proposal.proposal_state, printer);
    printer.data(format!("{name} proposed {}: {state}", proposal.proposal_id));
    let would = if proposal.is_open() { "would" } else { "was to" };
    printer.note(format!("it {would} {}", words::summary(&actions, proposal.is_open(), &people)));
    printer.note(sentence(&proposal, &people));
    if proposal.is_open() {
        printer.hint(format!(
            "the proposer votes like the others: coco proposal vote {} --yes",
            short(&proposal.proposal_id)
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The proposal that was made, and where in the ledger it stands.
pub fn made(service: &Service<'_>, sent: Result<Sent, Trouble>) -> Result<(Proposal, Option<String>), Failure> {
    match sent {
        Ok(sent) => Ok((sent.json()?, sent.transaction)),
        // It was sent again because no answer had come, and the first one had arrived.
        Err(Trouble::Refused(refusal)) if refusal.code == "ProposalReplay" => match id_in(&refusal.message) {
            Some(id) => Ok((service.proposal(id)?, None)),
            None => Err(refusal.into()),
        },
        Err(trouble) => Err(trouble.into()),
    }
}

/// A service takes what is newer than half of the proposals that it remembers, and dates have seconds: of those made in one
/// second, chance decides which is the newer one. So a proposal that lost is signed again, later.
pub fn submit(service: &Service<'_>, signer: &Signer, body: &str) -> Result<Sent, Trouble> {
    let send = || service.send(signer, Kind::Proposal, None, body.as_bytes());
    for _ in 1..ATTEMPTS {
        match send() {
            Err(Trouble::Refused(refusal)) if refusal.code == "ProposalCreatedTooLongAgo" => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                if number_in(&refusal.message).is_none_or(|newest| newest > now.as_secs() + 1) {
                    return Err(Trouble::Refused(refusal));
                }
                thread::sleep(SECOND);
            }
            other => return other,
        }
    }
    send()
}

/// The number at the end of a sentence of the service.
fn number_in(message: &str) -> Option<u64> {
    let digits = message.trim_end_matches('.').rsplit(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The id of a proposal in a sentence of the service.
fn id_in(message: &str) -> Option<&str> {
    let is_id = |word: &&str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    message.split(|c: char| !c.is_ascii_alphanumeric()).find(is_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_becomes_a_proposal_and_a_proposal_stays_as_it_was_written() {
        assert_eq!(body(" [{\"name\": \"x\"}]\n").unwrap(), "{\"actions\":[{\"name\": \"x\"}]}");
        let whole = "{ \"actions\" :  [{}], \"reason\": 1}";
        assert_eq!(body(whole).unwrap(), whole);
        for bad in ["[]", "{}", "1", "{\"actions\": {}}", "{\"actions\": []}", "[", ""] {
            assert!(body(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn arguments_are_json_or_texts_or_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a=b.js");
        fs::write(&path, "script\n").unwrap();
        let digits = "1".repeat(64);
        for (text, key, value) in [
            ("a=1".to_owned(), "a", json!(1)),
            ("version=1.10".into(), "version", json!("1.10")),
            (format!("id={}e5", "1".repeat(62)), "id", json!(format!("{}e5", "1".repeat(62)))),
            ("a=-3".into(), "a", json!(-3)),
            ("a={\"b\": []}".into(), "a", json!({"b": []})),
            ("a=x@y=z".into(), "a", json!("x@y=z")),
            ("a=".into(), "a", json!("")),
            (format!("a={digits}"), "a", json!(digits)),
            (format!("s@{}", path.display()), "s", json!("script\n")),
        ] {
            assert_eq!(argument(&text).unwrap(), (key.to_owned(), value), "{text}");
        }
        for bad in ["a", "=1", "@f", "s@/none/such"] {
            assert!(argument(bad).is_err(), "{bad}");
        }
        let one = settle(None, Some("pause_ledger"), &["name=eth".into()]).unwrap();
        assert_eq!(one, r#"{"actions":[{"args":{"name":"eth"},"name":"pause_ledger"}]}"#);
    }

    #[test]
    fn the_id_is_found_in_what_the_service_says() {
        let id = "a1".repeat(32);
        assert_eq!(id_in(&format!("already exists as proposal {id}.")), Some(id.as_str()));
        assert_eq!(id_in("none"), None);
        assert_eq!(number_in("created_at must be greater than 1795685819."), Some(1_795_685_819));
        assert_eq!(number_in("none"), None);
    }
}
