//! HTTP: what is accepted, and what a browser may do.
//!
//! Bodies are bounded one by one and together. Any origin may ask, as development nodes allow: what a caller may see
//! or do is not decided by where a web page came from.

use std::sync::Arc;
use std::time::Duration;

use adapter::http::Upgraded;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::room::Taken;
use super::{Rpc, dispatch, websocket};

/// Larger bodies are refused.
pub(super) const BODY_MAX: usize = 5 * 1024 * 1024;
/// For a body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

const CONTENT_TYPES: [&str; 3] = ["application/json", "application/json-rpc", "application/jsonrequest"];

#[derive(Clone)]
struct Server {
    rpc: Arc<Rpc>,
    stop: CancellationToken,
}

pub(super) fn router(rpc: Arc<Rpc>, stop: CancellationToken) -> Router {
    let server = Server { rpc, stop };
    Router::new().route("/", any(entry)).with_state(server)
}

async fn entry(State(server): State<Server>, request: Request) -> Response {
    let mut response = match *request.method() {
        Method::POST => post(&server, request).await.unwrap_or_else(IntoResponse::into_response),
        Method::GET if request.headers().contains_key(header::UPGRADE) => upgrade(&server, request).await,
        Method::GET => StatusCode::OK.into_response(),
        Method::OPTIONS => preflight(request.headers()),
        _ => (StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n").into_response(),
    };
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// What a browser asks before it sends a request of another origin.
fn preflight(asked: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    let allowed = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let allowed = allowed.unwrap_or_else(|| HeaderValue::from_static("content-type"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

async fn post(server: &Server, request: Request) -> Result<Response, (StatusCode, &'static str)> {
    if !is_json(request.headers()) {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid content type, only application/json is supported\n"));
    }
    // The room is kept until the answer is there.
    let (body, _taken) = read(server, request).await?;
    let begun = dispatch::begin(&server.rpc, &body, None);
    drop(body);
    match dispatch::finish(server.rpc.clone(), begun).await {
        Some(reply) => Ok(([(header::CONTENT_TYPE, "application/json")], Bytes::from_owner(reply)).into_response()),
        None => Ok(StatusCode::OK.into_response()),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let kind = value.split_once(';').map_or(value, |(kind, _)| kind).trim();
    CONTENT_TYPES.iter().any(|known| known.eq_ignore_ascii_case(kind))
}

async fn read(server: &Server, request: Request) -> Result<(Vec<u8>, Taken), (StatusCode, &'static str)> {
    let too_large = (StatusCode::PAYLOAD_TOO_LARGE, "content length too large\n");
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > BODY_MAX) {
        return Err(too_large);
    }
    let mut chunks = Body::new(request.into_body()).into_data_stream();
    let read = async {
        let (mut body, mut taken) = (Vec::new(), Taken::default());
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| (StatusCode::BAD_REQUEST, "the body ended early\n"))?;
            if body.len() + chunk.len() > BODY_MAX {
                return Err(too_large);
            }
            let room = server.rpc.room.grow(&mut taken, body.len() + chunk.len());
            room.ok_or((StatusCode::SERVICE_UNAVAILABLE, "the node is busy: nothing was done, send again later\n"))?;
            body.extend_from_slice(&chunk);
        }
        Ok((body, taken))
    };
    let late = (StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time\n");
    tokio::time::timeout(BODY_TIMEOUT, read).await.unwrap_or(Err(late))
}

async fn upgrade(server: &Server, request: Request) -> Response {
    let Some(place) = server.rpc.sessions.enter() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many WebSocket connections\n").into_response();
    };
    let (mut parts, _) = request.into_parts();
    let guest = parts.extensions.get().map(|Upgraded(guest): &Upgraded| guest.clone());
    match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => {
            let (rpc, stop) = (server.rpc.clone(), server.stop.clone());
            upgrade
                .max_message_size(websocket::MESSAGE_MAX)
                .max_frame_size(websocket::MESSAGE_MAX)
                .on_upgrade(move |socket| websocket::serve(rpc, socket, websocket::Seat { _place: place, guest }, stop))
        }
        Err(refused) => refused.into_response(),
    }
}
