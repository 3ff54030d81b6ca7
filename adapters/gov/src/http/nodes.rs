//! `/node/…`: this node and its network.

use adapter::Role;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use governance::Governance;
use governance::tables::NODES_INFO;
use governance::views::Node;
use kv::Tx;
use ledger::genesis::NodeStatus;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Door;
use super::answer::{Problem, placed};
use super::service::read;
use crate::decide::Deciding;

pub async fn state(State(deciding): Door) -> Response {
    let status = deciding.node.status();
    placed(
        &json!({
            "node_id": status.id.to_string(),
            "state": "PartOfNetwork",
            "last_signed_seqno": status.committed.seqno.0,
            "startup_seqno": 0,
            "stop_notice": false,
        }),
        None,
    )
}

pub async fn network(State(deciding): Door) -> Result<Response, Problem> {
    let service = read(&deciding, Governance::service)?;
    let service = service.ok_or_else(|| Problem::internal("The service is not founded yet."))?;
    Ok(placed(
        &json!({
            "service_status": service.status,
            "service_certificate": service.certificate,
            "recovery_count": service.recovery_count,
            "service_data": service.service_data,
            "current_service_create_txid": service.creation_transaction_id,
            "current_view": deciding.node.status().view.0,
            "primary_id": primary_of(&deciding),
        }),
        None,
    ))
}

/// Which nodes are asked for; all, if nothing is said.
#[derive(Deserialize)]
pub struct Asked {
    host: Option<String>,
    port: Option<String>,
    status: Option<String>,
}

pub async fn list(State(deciding): Door, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let status = asked.status.as_deref().map(status).transpose()?;
    let wanted = |node: &Node| {
        let at = |address: &str| {
            let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
            asked.host.as_deref().is_none_or(|asked| asked == host)
                && asked.port.as_deref().is_none_or(|asked| asked == port)
        };
        let anywhere = asked.host.is_none() && asked.port.is_none();
        status.is_none_or(|status| status == node.status)
            && (anywhere || node.rpc_interfaces.values().any(|interface| at(&interface.published_address)))
    };
    listed(&deciding, wanted)
}

/// `GET /node/network/removable_nodes`: those that were let go, and may be stopped and forgotten.
pub async fn removable(State(deciding): Door) -> Result<Response, Problem> {
    listed(&deciding, |node| node.status == NodeStatus::Retired && node.retired_committed)
}

fn listed(deciding: &Deciding, wanted: impl Fn(&Node) -> bool) -> Result<Response, Problem> {
    let primary = primary_of(deciding);
    let nodes = read(deciding, |governance, tx| {
        let nodes = governance.nodes(tx)?.into_iter().filter(wanted);
        Ok(nodes.map(|node| described(&node, tx, primary.as_deref())).collect::<Vec<Value>>())
    })?;
    Ok(placed(&json!({ "nodes": nodes }), None))
}

fn status(text: &str) -> Result<NodeStatus, Problem> {
    NodeStatus::deserialize(Value::String(text.to_owned())).map_err(|_| {
        let message = "The query parameter status is Pending, Trusted or Retired.";
        Problem::new(StatusCode::BAD_REQUEST, "InvalidQueryParameterValue", message)
    })
}

/// By id, or `self`, or `primary`.
pub async fn one(State(deciding): Door, Path(node): Path<String>) -> Result<Response, Problem> {
    let primary = primary_of(&deciding);
    let id = match &*node {
        "self" => deciding.node.status().id.to_string(),
        "primary" => primary.clone().ok_or_else(|| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "PrimaryNotFound", "The network has no primary now.")
        })?,
        _ => node,
    };
    let found = read(&deciding, |governance, tx| {
        Ok(governance.node(tx, &id)?.map(|node| described(&node, tx, primary.as_deref())))
    })?;
    found.map(|node| placed(&node, None)).ok_or_else(|| Problem::not_found("There is no such node."))
}

fn described(node: &Node, tx: &Tx<'_>, primary: Option<&str>) -> Value {
    let table = tx.base().tables().find(NODES_INFO);
    let written = table.and_then(|table| tx.base().version(table, node.node_id.as_bytes()).ok().flatten());
    let interfaces = node.rpc_interfaces.iter().map(|(name, interface)| {
        (name.clone(), json!({ "published_address": interface.published_address, "protocol": interface.protocol }))
    });
    json!({
        "node_id": node.node_id,
        "status": node.status,
        "primary": primary == Some(&*node.node_id),
        "node_data": node.node_data,
        "rpc_interfaces": interfaces.collect::<serde_json::Map<_, _>>(),
        // The entry that wrote its row last.
        "last_written": written.map_or(0, |seqno| seqno.0),
    })
}

/// 200 on the primary; elsewhere 404: what load balancers ask.
pub async fn primary(State(deciding): Door) -> Response {
    let leads = matches!(deciding.node.status().role, Role::Primary);
    if leads { StatusCode::OK.into_response() } else { Problem::not_found("Node is not primary").into_response() }
}

pub async fn backup(State(deciding): Door) -> Response {
    let leads = matches!(deciding.node.status().role, Role::Primary);
    if leads { Problem::not_found("Node is not backup").into_response() } else { StatusCode::OK.into_response() }
}

fn primary_of(deciding: &Deciding) -> Option<String> {
    let status = deciding.node.status();
    match status.role {
        Role::Primary => Some(status.id.to_string()),
        Role::Backup { primary } => primary.map(|id| id.to_string()),
    }
}
