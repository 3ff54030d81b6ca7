//! What watches over a node asks it: whether it is ready, how many are connected, and by which key it is known.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use governance::Governance;
use kv::Tx;
use ledger::genesis::{NodeStatus, ServiceStatus};
use ledger::tables::SINGLETON;
use serde_json::json;

use super::answer::{Problem, placed};
use super::service::read;
use super::{CONNECTIONS_MAX, Door};
use crate::decide::Deciding;

const PREVIOUS_IDENTITY: &str = "public:ccf.gov.service.previous_service_identity";

/// `GET /node/ready/gov`: 204 if members can be served. A node that is not trusted, or not any more, is no node to ask.
pub async fn ready_for_members(State(deciding): Door) -> Result<Response, Problem> {
    Ok(ready(in_good_standing(&deciding)?))
}

/// `GET /node/ready/app`: 204 if hosted ledgers' clients can be, which takes a service that members opened.
pub async fn ready_for_clients(State(deciding): Door) -> Result<Response, Problem> {
    let service = read(&deciding, Governance::service)?;
    let open = service.is_some_and(|service| service.status == ServiceStatus::Open);
    Ok(ready(open && in_good_standing(&deciding)?))
}

fn in_good_standing(deciding: &Deciding) -> Result<bool, Problem> {
    let id = deciding.node.status().id;
    read(deciding, |governance, tx| {
        let trusted = governance.node_info(tx, id)?.is_some_and(|info| info.status == NodeStatus::Trusted);
        Ok(trusted && governance.in_good_standing(tx, id)?)
    })
}

/// Without a body, as CCF answers.
fn ready(is: bool) -> Response {
    if is {
        return StatusCode::NO_CONTENT.into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, HeaderValue::from_static("1"))]).into_response()
}

/// `GET /node/metrics`: who is connected to this door. Past the bound a newcomer takes the place of whoever was waited for longest.
pub async fn metrics(State(deciding): Door) -> Response {
    let sessions = &deciding.gov.sessions;
    let (active, peak) = (sessions.active(), sessions.peak());
    let door = json!({ "active": active, "peak": peak, "soft_cap": CONNECTIONS_MAX, "hard_cap": CONNECTIONS_MAX });
    placed(&json!({ "sessions": { "active": active, "peak": peak, "interfaces": { "governance": door } } }), None)
}

/// `GET /node/self_signed_certificate`: the node's key, in a certificate of its own.
pub async fn self_signed(State(deciding): Door) -> Result<Response, Problem> {
    let certificate = deciding.node.service().node_certificate()?;
    Ok(placed(&json!({ "self_signed_certificate": certificate }), None))
}

/// `GET /node/service/previous_identity`: of the service that this one recovered.
pub async fn previous_identity(State(deciding): Door) -> Result<Response, Problem> {
    let identity = read(&deciding, |_, tx| previous(tx))?;
    let none = || Problem::not_found("This service is not the recovery of an earlier one.");
    Ok(placed(&json!({ "previous_service_identity": identity.ok_or_else(none)? }), None))
}

/// PEM, as JSON text.
fn previous(tx: &Tx<'_>) -> Result<Option<String>, governance::Refusal> {
    let Some(table) = tx.base().tables().find(PREVIOUS_IDENTITY) else { return Ok(None) };
    Ok(tx.get(table, &SINGLETON)?.and_then(|row| serde_json::from_slice(&row).ok()))
}
