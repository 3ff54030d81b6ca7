//! `POST /node/join`: a node asks to be one of the service. It is authenticated by the key of its TLS certificate alone.

use adapter::http::ClientCertificate;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::NodeId;
use crypto::{Certificate, PublicKey};
use governance::join::{REQUEST_BYTES_MAX, Request};
use kv::Tx;

use super::Door;
use super::answer::{Problem, placed, with_place};
use super::service::read;
use crate::joining;

/// The key of the certificate that the connection shows. It is taken before the body is: whoever shows none is not listened to.
pub struct Shown(PublicKey);

impl<S: Sync> FromRequestParts<S> for Shown {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let wrong = |why: &str| Problem::new(StatusCode::BAD_REQUEST, "UnknownCertificate", why);
        let none = || wrong("A node that joins shows a certificate of its own in the TLS handshake.");
        let ClientCertificate(der) = parts.extensions.get().ok_or_else(none)?;
        let key = Certificate::from_der(der).and_then(|certificate| certificate.public_key());
        key.map(Self).map_err(|_| wrong("A node's key is one on the curve P-384."))
    }
}

pub async fn join(Shown(key): Shown, State(deciding): Door, body: Bytes) -> Result<Response, Problem> {
    let request: Request = attestation::json::parse(&body, REQUEST_BYTES_MAX, "the request")
        .map_err(|refusal| Problem::new(StatusCode::BAD_REQUEST, "InvalidInput", refusal.to_string()))?;
    let (answer, place) = joining::join(&deciding, key, request).await?;
    let mut response = placed(&answer, place);
    // It may hold secrets.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `DELETE /node/network/nodes/{node}`: forgets a node that was let go. Nobody need be authenticated, as in CCF: it is over anyway.
pub async fn forget(State(deciding): Door, Path(node): Path<String>) -> Result<Response, Problem> {
    let unknown = || Problem::not_found("There is no such node.");
    let id = NodeId::parse(&node.to_ascii_lowercase()).map_err(|_| unknown())?;
    read(&deciding, |governance, tx| governance.node_info(tx, id))?.ok_or_else(unknown)?;
    let act = move |gov: &crate::Gov, tx: &mut Tx<'_>, _: &governance::At<'_>| gov.governance.forget_node(tx, id);
    let ((), place) = deciding.decide(None, act).await?;
    Ok(with_place(StatusCode::OK.into_response(), place))
}
