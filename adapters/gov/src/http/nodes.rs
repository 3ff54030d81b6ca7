//! `/node/…`: this node and its network.

use adapter::Role;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use governance::Governance;
use governance::views::Node;
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

pub async fn list(State(deciding): Door) -> Result<Response, Problem> {
    let primary = primary_of(&deciding);
    let nodes = read(&deciding, Governance::nodes)?;
    let nodes: Vec<Value> = nodes.iter().map(|node| described(node, primary.as_deref())).collect();
    Ok(placed(&json!({ "nodes": nodes }), None))
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
    let found = read(&deciding, |governance, tx| governance.node(tx, &id))?;
    let found = found.ok_or_else(|| Problem::not_found("There is no such node."))?;
    Ok(placed(&described(&found, primary.as_deref()), None))
}

fn described(node: &Node, primary: Option<&str>) -> Value {
    let interfaces = node.rpc_interfaces.iter().map(|(name, interface)| {
        (name.clone(), json!({ "published_address": interface.published_address, "protocol": interface.protocol }))
    });
    json!({
        "node_id": node.node_id,
        "status": node.status,
        "primary": primary == Some(&*node.node_id),
        "node_data": node.node_data,
        "rpc_interfaces": interfaces.collect::<serde_json::Map<_, _>>(),
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
