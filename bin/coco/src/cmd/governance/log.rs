//! `coco governance log`: who decided what, and does it follow from the rules of then? From ledger files alone.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use base::{Seqno, TxId};
use governance::audit::{Auditor, Finding, Rows, What};
use governance::{Kind, MemberId};
use kv::Tx;
use ledger::{Frontier, RawEntry};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::cmd::proposal::Kept;
use crate::failure::Failure;
use crate::governance::{Action, Member, People, plain, words};
use crate::printer::{Printer, Tone};
use crate::scripts;

pub fn run(dir: &Path, as_json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    crate::cmd::ledger::check_directory(dir)?;
    verify(dir, printer)?;
    let runner = scripts::apart();
    let mut auditor = Auditor::new(&runner).map_err(|error| Failure::from_error("the audit cannot begin", &error))?;
    let (mut tree, mut names) = (Frontier::new(), Names::default());
    let (mut decisions, mut faults) = (0_u64, 0_u64);
    let scanned = ledger::scan(dir, Seqno(1), |entry| {
        if let Some(finding) = auditor.entry(entry.txid.seqno, &rows(entry)) {
            decisions += u64::from(finding.decision.is_some());
            faults += u64::from(finding.fault.is_some());
            names.note(&auditor);
            tell(entry.txid, &finding, &Known { auditor: &auditor, people: names.people() }, as_json, printer);
        }
        tree.append(entry.leaf());
        if entry.is_signature() {
            auditor.signed(tree.root());
        }
        ControlFlow::Continue(())
    });
    scanned.map_err(|broken| Failure::new(format!("the ledger in {} cannot be read: {broken}", dir.display())))?;
    if faults > 0 {
        return Err(Failure::new(format!("{faults} of {decisions} decisions do not follow from the rules of then"))
            .hint("the entries above say which; ask the nodes' operators what code ran there"));
    }
    printer.note(format!("{decisions} decisions, each of which follows from the rules of then"));
    Ok(ExitCode::SUCCESS)
}

/// What is judged must be what was signed.
fn verify(dir: &Path, printer: &Printer) -> Result<(), Failure> {
    let bar = printer.bar(0, "verifying  {bar:30}  {bytes} of {total_bytes}");
    let verified = ledger::verify(dir, None, |progress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes_done);
    });
    bar.finish_and_clear();
    let broken = |broken| Failure::new(format!("the ledger in {} is broken: {broken}", dir.display()));
    verified.map(drop).map_err(broken)
}

fn rows<'a>(entry: &RawEntry<'a>) -> Vec<Rows<'a>> {
    // What cannot be parsed was found by the verification.
    let sections = entry.public().map_while(Result::ok);
    let rows = sections.map(|section| Rows {
        table: section.name,
        puts: section.puts().collect(),
        removes: section.removes().collect(),
    });
    rows.collect()
}

/// What members are called, those who left included.
#[derive(Default)]
struct Names(BTreeMap<String, Member>);

impl Names {
    fn note(&mut self, auditor: &Auditor<'_>) {
        let rows = auditor.state().range(auditor.governance().tables().members_info, ..);
        for (id, row) in rows {
            let (Ok(id), Ok(row)) = (std::str::from_utf8(id), serde_json::from_slice::<Value>(row)) else { continue };
            let member = Member {
                member_id: id.to_owned(),
                status: String::new(),
                member_data: row["member_data"].clone(),
                certificate: String::new(),
                recovery_role: None,
            };
            self.0.insert(id.to_owned(), member);
        }
    }

    fn people(&self) -> People {
        People::new(self.0.values().cloned().collect(), None)
    }
}

/// What a decision is told with.
struct Known<'k> {
    auditor: &'k Auditor<'k>,
    people: People,
}

impl Known<'_> {
    /// What a proposal would do.
    fn actions(&self, proposal: &str) -> Vec<Action> {
        let body = self.auditor.governance().actions(&Tx::new(self.auditor.state()), proposal).unwrap_or_default();
        words::of_body(&String::from_utf8_lossy(&body)).unwrap_or_default()
    }

    fn ballot(&self, proposal: &str, member: &MemberId) -> Option<String> {
        let tx = Tx::new(self.auditor.state());
        self.auditor.governance().ballot(&tx, proposal, &member.to_string()).ok()
    }
}

fn tell(txid: TxId, finding: &Finding, known: &Known<'_>, as_json: bool, printer: &Printer) {
    let time = finding.decision.map(|decision| decision.time);
    if as_json {
        let mut line = json!({
            "transaction": txid.to_string(),
            "decision": finding.decision.map(|decision| decision.number),
            "time": time,
            "follows": finding.fault.is_none(),
            "fault": finding.fault,
            "dropped": finding.dropped,
        });
        if let (Value::Object(line), Value::Object(what)) = (&mut line, described(&finding.what, known)) {
            line.extend(what);
        }
        return printer.data(line);
    }
    let verdict = match &finding.fault {
        None => printer.paint(Tone::Good, "follows"),
        Some(_) => printer.paint(Tone::Bad, "DOES NOT FOLLOW"),
    };
    let time = time.map_or_else(|| " ".repeat(20), utc);
    printer.data(format!("{:>10}  {time}  {verdict}  {}", txid.to_string(), in_words(&finding.what, known)));
    let aside = |line: &str| printer.data(format!("{:>10}  {:20}  {line}", "", ""));
    if !finding.dropped.is_empty() {
        let ids: Vec<String> = finding.dropped.iter().map(|id| short(id)).collect();
        aside(&format!("other proposals are dropped: {}", ids.join(", ")));
    }
    if let Some(fault) = &finding.fault {
        aside(&plain(fault));
    }
}

fn described(what: &What, known: &Known<'_>) -> Value {
    match what {
        What::Founded { members } => json!({ "what": "founded", "members": members }),
        What::Request { kind, member, proposal, state } => {
            let mut request = json!({ "what": kind.text(), "member": member, "proposal": proposal, "state": state });
            match (kind, proposal) {
                (Kind::Proposal, Some(id)) => request["actions"] = json!(known.actions(id)),
                (Kind::Ballot, Some(id)) => request["ballot"] = json!(known.ballot(id, member)),
                _ => {}
            }
            request
        }
        What::Settled { proposal, state } => json!({ "what": "settled", "proposal": proposal, "state": state }),
        What::Node { node, event } => json!({ "what": "node", "node": node.to_string(), "event": event.in_words() }),
        What::Rekeyed => json!({ "what": "rekeyed" }),
        What::SharesDealt => json!({ "what": "shares_dealt" }),
        What::Unknown => json!({ "what": "unknown" }),
    }
}

fn in_words(what: &What, known: &Known<'_>) -> String {
    match what {
        What::Founded { members } => format!("the service is founded, by {members} members"),
        What::Settled { proposal, state } => format!("time decides proposal {}: {state:?}", short(proposal)),
        What::Node { node, event } => format!("node {} {}", node.short(), event.in_words()),
        What::Rekeyed => "the ledger has a new secret from here on".to_owned(),
        What::SharesDealt => "members have new shares of the ledger's secret".to_owned(),
        What::Unknown => "nothing that governance does".to_owned(),
        What::Request { kind, member, proposal, state } => {
            let who = known.people.name(&member.to_string());
            let proposal = proposal.as_deref().unwrap_or_default();
            let (id, state) = (short(proposal), state.map(|state| format!(": {state:?}")).unwrap_or_default());
            match kind {
                Kind::Proposal => {
                    let would = words::summary(&known.actions(proposal), false, &known.people);
                    format!("{who} proposes {id}, to {would}{state}")
                }
                Kind::Ballot => {
                    let script = known.ballot(proposal, member).unwrap_or_default();
                    let says = match Kept::of(&script) {
                        Kept::Script => "by a script".to_owned(),
                        plainly => plainly.name().to_owned(),
                    };
                    format!("{who} votes {says} on {id}{state}")
                }
                Kind::Withdrawal => format!("{who} takes {id} back{state}"),
                Kind::StateDigest => format!("{who} asks for the state to sign"),
                Kind::Ack => format!("{who} signs the state"),
                Kind::RecoveryShare => format!("{who} gives a recovery share"),
            }
        }
    }
}

fn short(id: &str) -> String {
    id.chars().take(8).collect()
}

/// Milliseconds since 1970 as a date and a time.
fn utc(milliseconds: u64) -> String {
    let seconds = i64::try_from(milliseconds / 1_000).unwrap_or(i64::MAX);
    let Ok(at) = OffsetDateTime::from_unix_timestamp(seconds) else { return "(no time)".to_owned() };
    let (hour, minute, second) = at.to_hms();
    format!("{:04}-{:02}-{:02} {hour:02}:{minute:02}:{second:02}Z", at.year(), u8::from(at.month()), at.day())
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_told_in_utc() {
        assert_eq!(super::utc(1_795_683_570_999), "2026-11-26 08:59:30Z");
        assert_eq!(super::utc(u64::MAX), "(no time)");
    }
}
