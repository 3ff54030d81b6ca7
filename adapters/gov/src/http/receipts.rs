//! `GET /node/receipt`: that a transaction is in the ledger, to be shown to whoever knows the service's certificate.
//!
//! It is made of this node's ledger file: two entries and a few hashes. In JSON it has the signature of a node, in COSE that of the
//! service; which of them is meant the caller says by what it accepts.

use std::sync::Arc;
use std::time::Duration;

use adapter::{Proof, Reject};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::{NodeId, Seqno, TxId};
use governance::tables::NODES_ENDORSED_CERTIFICATES;
use kv::Wanted;
use ledger::genesis::node_key;
use ledger::{Covered, RawEntry, Receipt};
use tokio::sync::Semaphore;

use super::Door;
use super::answer::{Problem, with_place};
use super::transactions::{Asked, asked};
use crate::decide::Deciding;

/// Receipts that are made at once: strangers ask for them, and each may read through a batch.
const AT_ONCE: usize = 2;
/// How long a request waits for its turn before it is told that the node is busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// Turns to make receipts.
#[derive(Clone)]
pub struct Proving(Arc<Semaphore>);

impl Default for Proving {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

const JSON: &str = "application/json";
/// COSE, under its plain name and that of RFC 9943.
const COSE: [&str; 2] = ["application/cose", "application/scitt-receipt+cose"];

/// `GET /node/receipt?transaction_id=…`
pub async fn receipt(
    State(deciding): Door,
    Query(query): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let txid = asked(query)?;
    let media = wanted(&headers);
    let committed = deciding.node.status().committed;
    if txid.seqno == Seqno(0) || txid.seqno > committed.seqno {
        return Err(if txid.view < committed.view && txid.seqno > committed.seqno {
            invalid(txid)
        } else {
            unknown(txid)
        });
    }
    let turn = tokio::time::timeout(PATIENCE, deciding.gov.proving.0.clone().acquire_owned()).await;
    let Ok(Ok(turn)) = turn else { return Err(Reject::busy().into()) };
    let make = move || {
        let made = made(&deciding, txid, media);
        // Here and not where the answer is waited for: a client that goes away does not end the work.
        drop(turn);
        made
    };
    let made = tokio::task::spawn_blocking(make).await;
    let made = made.map_err(|_| Problem::internal("The request's handler crashed."))??;
    let Some((media, bytes)) = made else { return Ok(later(txid)) };
    Ok(with_place(([(header::CONTENT_TYPE, media)], bytes).into_response(), Some(txid)))
}

/// What the caller prefers of what there may be. Absent if it takes anything.
fn wanted(headers: &HeaderMap) -> Option<&'static str> {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut best = (0.0, None);
    for range in accepted.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
        let known = [JSON, COSE[0], COSE[1]].into_iter().find(|known| known.eq_ignore_ascii_case(name));
        if quality > best.0 && (known.is_some() || ["*/*", "application/*"].contains(&name)) {
            best = (quality, known);
        }
    }
    best.1
}

/// `None` while the ledger file does not have it yet.
fn made(
    deciding: &Deciding,
    txid: TxId,
    media: Option<&'static str>,
) -> Result<Option<(&'static str, Vec<u8>)>, Problem> {
    let Some(proof) = deciding.node.service().proof(txid.seqno)? else { return Ok(None) };
    let Proof { entry, signature, commit_evidence } = proof;
    let broken = |error: &dyn std::fmt::Display| {
        tracing::warn!(%txid, %error, "no receipt could be made of the ledger");
        Problem::internal("This node's ledger cannot be read back.")
    };
    let found = RawEntry::parse(&entry).map_err(|error| broken(&error))?.txid;
    if found != txid {
        return Err(invalid(txid));
    }
    let signed_at = RawEntry::parse(&signature).map_err(|error| broken(&error))?.txid.seqno;
    let receipt = Receipt::of(&Covered { entry, signature }, commit_evidence).map_err(|error| broken(&error))?;
    let media = media.unwrap_or(if receipt.signer().is_some() { JSON } else { COSE[0] });
    if media != JSON {
        let none = || {
            Problem::not_found(format!(
                "Transaction {txid} is a signature of the ledger, which has no receipt in COSE."
            ))
        };
        let bytes = receipt.to_cose().ok_or_else(none)?.map_err(|error| broken(&error))?;
        return Ok(Some((media, bytes)));
    }
    let Some(signer) = receipt.signer() else {
        let message = format!(
            "The service alone signs this ledger: there is a receipt with Accept: {}, and none in JSON.",
            COSE[0]
        );
        return Err(Problem::not_found(message));
    };
    let gone =
        || Problem::internal(format!("The certificate of node {signer}, which signed it, is not found any more."));
    let certificate = certificate(deciding, signer, signed_at)?.ok_or_else(gone)?;
    Ok(receipt.to_json(&certificate).map(|bytes| (JSON, bytes)))
}

/// That of a node in the newest version; of one that was forgotten since, the last one it had.
fn certificate(deciding: &Deciding, signer: NodeId, signed_at: Seqno) -> Result<Option<String>, Problem> {
    let snapshot = deciding.node.snapshot();
    let state = snapshot.state();
    let Some(table) = state.tables().find(NODES_ENDORSED_CERTIFICATES) else { return Ok(None) };
    let key = node_key(signer);
    let failed = |error: kv::HistoryError| Problem::from(crate::at_fault(error));
    let text = |row: &[u8]| String::from_utf8(row.to_vec()).ok();
    if let Some(row) = state.get(table, &key).map_err(failed)? {
        return Ok(text(&row));
    }
    let wanted = Wanted { table, groups: vec![vec![key.to_vec()]] };
    let (mut from, mut last) = (Seqno(1), None);
    while from <= signed_at {
        let found = state.entries_with(&wanted, from, signed_at).map_err(failed)?;
        last = found.entries.last().copied().or(last);
        if found.upto < from {
            break;
        }
        from = found.upto.next();
    }
    let Some(writes) = last.map(|seqno| state.entry(seqno)).transpose().map_err(failed)?.flatten() else {
        return Ok(None);
    };
    let puts = writes.section(table).map(|section| section.puts.as_slice()).unwrap_or_default();
    Ok(puts.iter().find(|(found, _)| found[..] == key[..]).and_then(|(_, row)| text(row)))
}

fn later(txid: TxId) -> Response {
    let text = format!("Transaction {txid} is committed, and not in this node's ledger file yet: ask again.");
    (StatusCode::ACCEPTED, [(header::RETRY_AFTER, HeaderValue::from_static("1"))], text).into_response()
}

fn unknown(txid: TxId) -> Problem {
    let message = format!("Only committed transactions have receipts, and {txid} is not known here to be committed.");
    Problem::new(StatusCode::NOT_FOUND, "TransactionPendingOrUnknown", message)
}

fn invalid(txid: TxId) -> Problem {
    let message = format!("Transaction {txid} was not and will not be committed: another one has its place.");
    Problem::new(StatusCode::NOT_FOUND, "TransactionInvalid", message)
}

#[cfg(test)]
mod tests;
