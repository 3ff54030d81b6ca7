//! `coco governance log`: who decided what, and does it follow from the rules of then? From ledger files alone.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use base::{Seqno, TxId};
use governance::audit::{Auditor, Finding, Rows, What};
use governance::engine::{Late, Watched};
use governance::{Kind, MemberId};
use kv::Tx;
use ledger::{Frontier, RawEntry};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::failure::Failure;
use crate::printer::{Printer, Tone};

pub fn run(dir: &Path, as_json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    crate::cmd::ledger::check_directory(dir)?;
    verify(dir, printer)?;
    let runner = Watched::new(std::sync::Arc::new(clock));
    let mut auditor = Auditor::new(&runner).map_err(|error| Failure::from_error("the audit cannot begin", &error))?;
    let mut tree = Frontier::new();
    let (mut decisions, mut faults) = (0_u64, 0_u64);
    let scanned = ledger::scan(dir, Seqno(1), |entry| {
        if let Some(finding) = auditor.entry(entry.txid.seqno, &rows(entry)) {
            decisions += u64::from(finding.decision.is_some());
            faults += u64::from(finding.fault.is_some());
            tell(entry.txid, &finding, &auditor, as_json, printer);
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

fn clock(span: Duration) -> Late {
    let begun = Instant::now();
    Box::new(move || begun.elapsed() > span)
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

fn tell(txid: TxId, finding: &Finding, auditor: &Auditor<'_>, as_json: bool, printer: &Printer) {
    let time = finding.decision.map(|decision| decision.time);
    if as_json {
        let mut line = json!({
            "transaction": txid.to_string(),
            "decision": finding.decision.map(|decision| decision.number),
            "time": time,
            "follows": finding.fault.is_none(),
            "fault": finding.fault,
        });
        if let (Value::Object(line), Value::Object(what)) = (&mut line, described(&finding.what)) {
            line.extend(what);
        }
        return printer.data(line);
    }
    let verdict = match &finding.fault {
        None => printer.paint(Tone::Good, "follows"),
        Some(_) => printer.paint(Tone::Bad, "DOES NOT FOLLOW"),
    };
    let time = time.map_or_else(|| " ".repeat(20), utc);
    printer.data(format!("{:>10}  {time}  {verdict}  {}", txid.to_string(), in_words(&finding.what, auditor)));
    if let Some(fault) = &finding.fault {
        printer.data(format!("{:>10}  {:20}  {fault}", "", ""));
    }
}

fn described(what: &What) -> Value {
    match what {
        What::Founded { members } => json!({ "what": "founded", "members": members }),
        What::Request { kind, member, proposal, state } => json!({
            "what": kind.text(), "member": member, "proposal": proposal, "state": state,
        }),
        What::Settled { proposal, state } => json!({ "what": "settled", "proposal": proposal, "state": state }),
        What::Node { node, event } => json!({ "what": "node", "node": node.to_string(), "event": event.in_words() }),
        What::Rekeyed => json!({ "what": "rekeyed" }),
        What::SharesDealt => json!({ "what": "shares_dealt" }),
        What::Unknown => json!({ "what": "unknown" }),
    }
}

fn in_words(what: &What, auditor: &Auditor<'_>) -> String {
    match what {
        What::Founded { members } => format!("the service is founded, by {members} members"),
        What::Settled { proposal, state } => format!("time decides proposal {}: {state:?}", short(proposal)),
        What::Node { node, event } => format!("node {} {}", node.short(), event.in_words()),
        What::Rekeyed => "the ledger has a new secret from here on".to_owned(),
        What::SharesDealt => "members have new shares of the ledger's secret".to_owned(),
        What::Unknown => "nothing that governance does".to_owned(),
        What::Request { kind, member, proposal, state } => {
            let who = name(member, auditor);
            let id = proposal.as_deref().map(short).unwrap_or_default();
            let state = state.map(|state| format!(": {state:?}")).unwrap_or_default();
            match kind {
                Kind::Proposal => {
                    let actions = proposal.as_deref().map(|id| actions(id, auditor)).unwrap_or_default();
                    format!("{who} proposes {id} ({actions}){state}")
                }
                Kind::Ballot => format!("{who} votes on {id}{state}"),
                Kind::Withdrawal => format!("{who} takes {id} back{state}"),
                Kind::StateDigest => format!("{who} asks for the state to sign"),
                Kind::Ack => format!("{who} signs the state"),
                Kind::RecoveryShare => format!("{who} gives a recovery share"),
            }
        }
    }
}

/// What a member is called by its data, or the beginning of its id.
fn name(member: &MemberId, auditor: &Auditor<'_>) -> String {
    let tx = Tx::new(auditor.state());
    let info = governance::state::members::info(auditor.governance().tables(), &tx, member).ok().flatten();
    let name = info.and_then(|info| info.member_data?.get("name")?.as_str().map(str::to_owned));
    name.unwrap_or_else(|| short(&member.to_string()))
}

/// The names of what a proposal would do.
fn actions(proposal: &str, auditor: &Auditor<'_>) -> String {
    let body = auditor.governance().actions(&Tx::new(auditor.state()), proposal).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let names = body["actions"].as_array().into_iter().flatten().filter_map(|action| action["name"].as_str());
    names.collect::<Vec<_>>().join(", ")
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
