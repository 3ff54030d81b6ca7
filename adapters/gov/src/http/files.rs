//! `/node/ledger_chunk…`, `/node/snapshot…`: what a node that begins takes from one that is there already.
//!
//! ```text
//!   certificate of the connection ─▶ trusted by the rows? ─▶ a file by its name ─▶ digest ─▶ a part of it, piece by piece
//! ```
//!
//! Paths, headers and redirects are CCF's. There, whoever reaches an interface with the feature may take files; here it takes a
//! trusted node, since to read all of a ledger's files is to learn who did how much, and when.

mod digests;
mod range;

use adapter::http::{ClientCertificate, pieces};
use adapter::{FileKind, Stored};
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, RawQuery, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::{Digest, Seqno};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::Certificate;
use ledger::genesis::NodeStatus;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;

use super::Door;
use super::answer::Problem;
use super::service::read;
use crate::decide::Deciding;
pub use digests::Downloads;
use range::Wanted;

const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const CHUNK_NAME: HeaderName = HeaderName::from_static("x-ms-ccf-ledger-chunk-name");
const SNAPSHOT_NAME: HeaderName = HeaderName::from_static("x-ms-ccf-snapshot-name");
const SINCE: &str = "since";
/// No file's name is longer: two numbers of 20 digits, and what is around them.
const NAME_BYTES_MAX: usize = 64;

/// A node that members trust, as far as this node knows: whoever asks has its key.
pub struct Trusted;

impl FromRequestParts<Deciding> for Trusted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, deciding: &Deciding) -> Result<Self, Problem> {
        let nobody = || {
            let message = "Ledger files and snapshots are for nodes: show a node's certificate in the TLS handshake.";
            Problem::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationInfo", message)
        };
        let ClientCertificate(der) = parts.extensions.get().ok_or_else(nobody)?;
        let key = Certificate::from_der(der).and_then(|certificate| certificate.public_key()).map_err(|_| nobody())?;
        match read(deciding, |governance, tx| governance.node_info(tx, key.node_id()))? {
            Some(info) if info.status == NodeStatus::Trusted => Ok(Self),
            _ => {
                let message = "Ledger files and snapshots are for nodes that members trust.";
                Err(Problem::new(StatusCode::FORBIDDEN, "AuthorizationFailed", message))
            }
        }
    }
}

/// `/node/ledger_chunk?since=`: where the chunk is that has this entry.
pub async fn find_chunk(_: Trusted, State(deciding): Door, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let since = since(query.as_deref())?.ok_or_else(|| unreadable("It takes ?since=, the number of an entry."))?;
    find(&deciding, FileKind::Chunk, since).await
}

/// `/node/snapshot?since=`: where the newest snapshot is, if it is of later than this entry.
pub async fn find_snapshot(_: Trusted, State(deciding): Door, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    find(&deciding, FileKind::Snapshot, since(query.as_deref())?.unwrap_or(Seqno(0))).await
}

/// `/node/ledger_chunk/{name}`.
pub async fn chunk(
    _: Trusted,
    State(deciding): Door,
    Path(name): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    give(&deciding, FileKind::Chunk, name, &method, &headers).await
}

/// `/node/snapshot/{name}`.
pub async fn snapshot(
    _: Trusted,
    State(deciding): Door,
    Path(name): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    give(&deciding, FileKind::Snapshot, name, &method, &headers).await
}

fn since(query: Option<&str>) -> Result<Option<Seqno>, Problem> {
    let mut fields = query.unwrap_or_default().split('&').filter_map(|field| field.split_once('='));
    let Some((_, number)) = fields.find(|(name, _)| *name == SINCE) else { return Ok(None) };
    number.parse().map(|number| Some(Seqno(number))).map_err(|_| unreadable("What follows ?since= is no number."))
}

fn unreadable(why: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "InvalidQueryParameterValue", why)
}

async fn find(deciding: &Deciding, kind: FileKind, since: Seqno) -> Result<Response, Problem> {
    let files = deciding.node.files();
    let found = disk(move || files.map_or(Ok(None), |files| files.find(kind, since))).await?;
    let name = found.ok_or_else(|| {
        Problem::not_found(match kind {
            FileKind::Chunk => format!("This node has no ledger chunk with entry {since}."),
            FileKind::Snapshot => format!("This node has no snapshot since {since}."),
        })
    })?;
    // A path and no host: whoever asked has reached this node by an address of its own.
    let location = HeaderValue::try_from(match kind {
        FileKind::Chunk => format!("/node/ledger_chunk/{name}"),
        FileKind::Snapshot => format!("/node/snapshot/{name}"),
    });
    let location = location.map_err(|_| Problem::internal("A file has a name that no path can have."))?;
    Ok((StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)]).into_response())
}

/// A file that is given away, and what is known of it.
struct Given {
    file: Stored,
    digest: Digest,
    /// One of the few that are given away at a time.
    place: OwnedSemaphorePermit,
}

async fn give(
    deciding: &Deciding,
    kind: FileKind,
    name: String,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let place = deciding.downloads.place().ok_or_else(|| {
        let message = "Other nodes are taking files from this one: ask again in a moment, or ask another node.";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "SessionCapExhausted", message)
    })?;
    let Given { file, digest, place } = open(deciding, kind, name.clone(), place).await?;
    let tag = format!("\"sha-256:{digest}\"");
    let mut response = match range::wanted(headers, &tag, file.bytes) {
        Wanted::Nothing => StatusCode::NOT_MODIFIED.into_response(),
        Wanted::Beyond => {
            let message = format!("The range begins behind the end of the file, which has {} bytes.", file.bytes);
            let mut refused =
                Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidHeaderValue", message).into_response();
            put(&mut refused, header::CONTENT_RANGE, &format!("bytes */{}", file.bytes))?;
            return Ok(refused);
        }
        Wanted::Part { from, until, whole } => {
            let total = file.bytes;
            let body = if method == Method::HEAD { Body::empty() } else { pieces(file, from, until - from, place) };
            let mut response = body.into_response();
            put(&mut response, header::CONTENT_TYPE, "application/octet-stream")?;
            put(&mut response, header::CONTENT_LENGTH, &(until - from).to_string())?;
            if !whole {
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                put(&mut response, header::CONTENT_RANGE, &format!("bytes {from}-{}/{total}", until - 1))?;
            }
            response
        }
    };
    put(&mut response, header::ACCEPT_RANGES, "bytes")?;
    put(&mut response, header::ETAG, &tag)?;
    put(&mut response, REPR_DIGEST, &format!("sha-256=:{}:", STANDARD.encode(digest.0)))?;
    put(&mut response, header::CACHE_CONTROL, "no-store")?;
    put(&mut response, if kind == FileKind::Chunk { CHUNK_NAME } else { SNAPSHOT_NAME }, &name)?;
    Ok(response)
}

async fn open(
    deciding: &Deciding,
    kind: FileKind,
    name: String,
    place: OwnedSemaphorePermit,
) -> Result<Given, Problem> {
    let (files, digests) = (deciding.node.files(), deciding.downloads.clone());
    let given = disk(move || {
        if name.len() > NAME_BYTES_MAX {
            return Ok(None);
        }
        let Some(file) = files.map_or(Ok(None), |files| files.open(kind, &name))? else { return Ok(None) };
        let digest = digests.digest(kind, &name, &file)?;
        Ok(Some(Given { file, digest, place }))
    });
    given.await?.ok_or_else(|| Problem::not_found("This node has no such file, or none of this name any more."))
}

fn put(response: &mut Response, name: HeaderName, value: &str) -> Result<(), Problem> {
    let value = HeaderValue::from_str(value).map_err(|_| Problem::internal("A header cannot be written."))?;
    response.headers_mut().insert(name, value);
    Ok(())
}

/// What waits for a disk does not hold up others.
async fn disk<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> Result<T, Problem> {
    let done = spawn_blocking(work).await.map_err(|_| Problem::internal("Reading a file failed."))?;
    done.map_err(|error| {
        tracing::warn!(%error, "a file that another node wants cannot be read");
        Problem::internal("This node cannot read its own file: ask another node.")
    })
}

#[cfg(test)]
mod tests;
