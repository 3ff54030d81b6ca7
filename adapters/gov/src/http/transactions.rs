//! What became of a transaction: committed, replaced by another one, or not known here.
//!
//! A node answers for what is committed on it. One that is a moment behind does not know yet: who asks asks again. It never says
//! "Pending", since no client is given an id before the transaction is committed.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use base::{Seqno, TxId};
use kv::HistoryError;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Door;
use super::answer::{Problem, placed};
use crate::decide::Deciding;

/// In CCF's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
enum Status {
    Unknown,
    Committed,
    /// Another transaction has its place, or its view ended before.
    Invalid,
}

/// `GET /gov/service/transactions/{transaction}`
pub async fn one(State(deciding): Door, Path(id): Path<String>) -> Result<Response, Problem> {
    let txid = parse(&id, "InvalidResourceName")?;
    let status = status(deciding, txid).await?;
    Ok(placed(&json!({ "status": status, "transactionId": txid.to_string() }), None))
}

#[derive(Deserialize)]
pub struct Asked {
    transaction_id: Option<String>,
}

/// `GET /node/tx?transaction_id=…`
pub async fn of_node(State(deciding): Door, Query(query): Query<Asked>) -> Result<Response, Problem> {
    let txid = asked(query)?;
    let status = status(deciding, txid).await?;
    Ok(placed(&json!({ "status": status, "transaction_id": txid.to_string() }), None))
}

/// The transaction that a query names.
pub fn asked(query: Asked) -> Result<TxId, Problem> {
    const CODE: &str = "InvalidQueryParameterValue";
    let missing = || Problem::new(StatusCode::BAD_REQUEST, CODE, "The query parameter transaction_id is missing.");
    parse(&query.transaction_id.ok_or_else(missing)?, CODE)
}

/// `GET /gov/service/transactions/commit`: the last entry that this node knows to be committed.
pub async fn commit(State(deciding): Door) -> Response {
    placed(&json!({ "transactionId": deciding.node.status().committed.to_string() }), None)
}

/// `GET /node/commit`: the same in the words of CCF's nodes.
pub async fn commit_of_node(State(deciding): Door) -> Response {
    placed(&json!({ "transaction_id": deciding.node.status().committed.to_string() }), None)
}

fn parse(text: &str, code: &'static str) -> Result<TxId, Problem> {
    let malformed = || {
        let message = "A transaction id is two numbers with a dot between them: the view and the seqno.";
        Problem::new(StatusCode::BAD_REQUEST, code, message)
    };
    // Numbers as the ledger writes them: no signs.
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    TxId::parse(text).filter(|_| plain).ok_or_else(malformed)
}

async fn status(deciding: Deciding, asked: TxId) -> Result<Status, Problem> {
    let committed = deciding.node.status().committed;
    if asked.seqno == Seqno(0) {
        return Ok(Status::Unknown);
    }
    if asked.seqno > committed.seqno {
        return Ok(if asked.view < committed.view { Status::Invalid } else { Status::Unknown });
    }
    let views = &deciding.gov.views;
    let view = match views.known(asked.seqno) {
        Some(view) => Some(view),
        None => {
            let _alone = views.reading.lock().await;
            let reader = deciding.clone();
            let read = move || {
                let snapshot = reader.node.snapshot();
                reader.gov.views.of(asked.seqno, snapshot.state())
            };
            let read = tokio::task::spawn_blocking(read).await;
            read.map_err(|_| Problem::internal("The request's handler crashed."))?.map_err(unreadable)?
        }
    };
    Ok(match view {
        Some(view) if view == asked.view => Status::Committed,
        Some(_) => Status::Invalid,
        None => Status::Unknown,
    })
}

fn unreadable(error: HistoryError) -> Problem {
    tracing::warn!(%error, "an entry of the ledger could not be read back");
    Problem::internal("This node's ledger cannot be read back.")
}
