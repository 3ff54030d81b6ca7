//! What a request says, in plain words, for whoever is to sign it: all of it read out of the bytes that are signed.

use governance::Kind;
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::cmd::proposal::Kept;
use crate::governance::{People, Prepared, algorithm, plain, plain_lines, words};

#[derive(Deserialize)]
struct Ballot {
    ballot: String,
}

/// A line each.
pub fn all(prepared: &Prepared) -> Vec<String> {
    let Prepared { request, signer, curve, .. } = prepared;
    let mut lines = vec![format!("{} is to sign", request.name)];
    lines.extend(asked(prepared).into_iter().map(|line| format!("  {line}")));
    lines.push(String::new());
    lines.push(format!("  signer     {signer}"));
    lines.push(format!("  made at    {}", moment(prepared.created_at)));
    lines.push(format!("  algorithm  {}", algorithm(*curve).1));
    lines.push(format!("  digest     {} ({})", const_hex::encode(prepared.digest()), prepared.hash_name()));
    lines
}

fn asked(prepared: &Prepared) -> Vec<String> {
    let proposal = prepared.proposal_id.as_deref().unwrap_or_default();
    let payload = String::from_utf8_lossy(&prepared.request.payload);
    match prepared.kind {
        Kind::Proposal => proposed(&payload),
        Kind::Withdrawal => vec![format!("that it takes back its proposal {proposal}")],
        Kind::Ballot => match serde_json::from_str::<Ballot>(&payload) {
            Ok(Ballot { ballot }) => match Kept::of(&ballot) {
                Kept::Script => {
                    let mut lines = vec![format!("that it votes on the proposal {proposal} as this script says:")];
                    lines.extend(ballot.lines().map(|line| format!("  {}", plain(line))));
                    lines
                }
                kept => vec![format!("that it votes {} on the proposal {proposal}", kept.name())],
            },
            Err(_) => unknown("a ballot", &payload),
        },
        Kind::StateDigest => vec!["that it wants to be given the digest of the ledger's state".into()],
        Kind::Ack => {
            let read: Value = serde_json::from_str(&payload).unwrap_or_default();
            match read["stateDigest"].as_str() {
                Some(digest) => vec![format!("that it acknowledges the state {}", plain(digest))],
                None => unknown("an acknowledgement", &payload),
            }
        }
        Kind::RecoveryShare => vec!["that it gives its share of the ledger's secrets".into()],
    }
}

/// The actions of a proposal. Who is who in the network is not known here: members are named by their ids.
fn proposed(payload: &str) -> Vec<String> {
    let Some(actions) = words::of_body(payload) else { return unknown("a proposal", payload) };
    let mut lines = vec![format!("a proposal, {} in all, that would", plural(actions.len(), "action"))];
    for said in words::all(&actions, true, &People::new(Vec::new(), None)) {
        lines.push(format!("- {}", said.headline));
        lines.extend(said.details.into_iter().map(|detail| format!("    {detail}")));
    }
    lines
}

fn unknown(what: &str, payload: &str) -> Vec<String> {
    let mut lines = vec![format!("{what} that no service will understand:")];
    lines.extend(plain_lines(payload).lines().map(|line| format!("  {line}")));
    lines
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// In UTC, as people write it.
fn moment(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    time.map_or_else(
        || format!("{seconds} seconds after 1970"),
        |time| {
            let (date, hour, minute, second) = (time.date(), time.hour(), time.minute(), time.second());
            format!("{date} {hour:02}:{minute:02}:{second:02} UTC")
        },
    )
}
