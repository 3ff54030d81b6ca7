//! The REST door.

use std::ops::Bound;
use std::sync::Arc;

use adapter::http::{Limits, serve};
use adapter::{Blame, Listener, Node, Reject, Submitted, Work};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::KeyValue;
use crate::work::{Change, VALUE_BYTES_MAX};

/// Keys in one page of a listing.
const PAGE_MAX: usize = 1_000;

/// What the one listener is called.
pub const LISTENER: &str = "rest";

pub fn listener(ledger: Arc<KeyValue>, node: Node) -> Listener {
    let router = router(ledger, node);
    let serve = |socket, stop| -> adapter::Serving { Box::pin(serve(socket, router, Limits::default(), stop)) };
    Listener { name: LISTENER.into(), secured: false, serve: Box::new(serve) }
}

#[derive(Clone)]
struct Door {
    ledger: Arc<KeyValue>,
    node: Node,
}

/// The table of endpoints.
pub fn router(ledger: Arc<KeyValue>, node: Node) -> Router {
    Router::new()
        .route("/kv", get(list))
        .route("/kv/{*key}", get(read).put(write).delete(delete))
        .layer(DefaultBodyLimit::max(VALUE_BYTES_MAX))
        .with_state(Door { ledger, node })
}

#[derive(Serialize)]
struct Written {
    transaction: String,
}

async fn write(State(door): State<Door>, Path(key): Path<String>, headers: HeaderMap, value: Bytes) -> Response {
    let only_new = headers.get(header::IF_NONE_MATCH).is_some_and(|value| value == "*");
    door.change(Change::Put { key: key.into(), value, only_new }).await
}

async fn delete(State(door): State<Door>, Path(key): Path<String>) -> Response {
    door.change(Change::Delete { key: key.into() }).await
}

async fn read(State(door): State<Door>, Path(key): Path<String>) -> Response {
    match door.node.snapshot().get(door.ledger.rows, key.as_bytes()) {
        Ok(Some(value)) => Bytes::copy_from_slice(&value).into_response(),
        Ok(None) => (StatusCode::NOT_FOUND, "there is no such key\n").into_response(),
        Err(error) => refused(&Reject::new(Blame::Node, 0, error.to_string())),
    }
}

#[derive(Deserialize)]
struct Listing {
    #[serde(default)]
    prefix: String,
    after: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Keys {
    keys: Vec<String>,
    more: bool,
}

async fn list(State(door): State<Door>, Query(Listing { prefix, after, limit }): Query<Listing>) -> Json<Keys> {
    let limit = limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let start = match &after {
        Some(after) if *after >= prefix => Bound::Excluded(after.as_bytes()),
        _ => Bound::Included(prefix.as_bytes()),
    };
    let snapshot = door.node.snapshot();
    let rows = snapshot.range::<(Bound<&[u8]>, Bound<&[u8]>)>(door.ledger.rows, (start, Bound::Unbounded));
    let mut keys: Vec<String> = rows
        .take_while(|(key, _)| key.starts_with(prefix.as_bytes()))
        .take(limit + 1)
        .map(|(key, _)| String::from_utf8_lossy(key).into_owned())
        .collect();
    let more = keys.len() > limit;
    keys.truncate(limit);
    Json(Keys { keys, more })
}

impl Door {
    async fn change(&self, change: Change) -> Response {
        let submitted = match self.ledger.admit(&change) {
            Ok(work) => self.submit(work).await,
            Err(reject) => Err(reject),
        };
        match submitted {
            Ok(transaction) => Json(Written { transaction }).into_response(),
            Err(reject) => refused(&reject),
        }
    }

    async fn submit(&self, work: Work) -> Result<String, Reject> {
        match self.node.submit(work).await? {
            Submitted::Committed { txid, .. } => Ok(txid.to_string()),
            Submitted::Waiting => Err(Reject::new(Blame::Node, 0, "a change never waits for another")),
        }
    }
}

/// Who is to blame decides the status.
fn refused(reject: &Reject) -> Response {
    let status = match reject.blame {
        Blame::Caller => StatusCode::BAD_REQUEST,
        Blame::Conflict => StatusCode::PRECONDITION_FAILED,
        Blame::Busy | Blame::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Blame::Node => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut response = (status, format!("{reject}\n")).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
