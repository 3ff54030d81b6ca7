//! `/node/…`: this node and its network.

use adapter::Role;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use governance::tables;
use serde_json::{Value, json};

use super::answer::{Problem, placed};
use super::service::Rows;
use super::{Door, snapshot};
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
    let snapshot = snapshot(&deciding);
    let info = Rows(snapshot.state()).json(tables::SERVICE_INFO, &tables::SINGLETON)?.unwrap_or_default();
    let status = deciding.node.status();
    Ok(placed(
        &json!({
            "service_status": info["status"],
            "service_certificate": info["cert"],
            "recovery_count": info["recovery_count"],
            "service_data": info["service_data"],
            "current_view": status.view.0,
            "primary_id": primary_of(&deciding),
        }),
        None,
    ))
}

pub async fn list(State(deciding): Door) -> Result<Response, Problem> {
    let snapshot = snapshot(&deciding);
    let rows = Rows(snapshot.state());
    let nodes: Result<Vec<_>, _> =
        rows.keys(tables::NODES_INFO)?.iter().map(|id| described(&deciding, &rows, id)).collect();
    Ok(placed(&json!({ "nodes": nodes? }), None))
}

/// By id, or `self`, or `primary`.
pub async fn one(State(deciding): Door, Path(node): Path<String>) -> Result<Response, Problem> {
    let id = match &*node {
        "self" => deciding.node.status().id.to_string(),
        "primary" => primary_of(&deciding).ok_or_else(|| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "PrimaryNotFound", "The network has no primary now.")
        })?,
        _ => node.to_ascii_lowercase(),
    };
    let snapshot = snapshot(&deciding);
    Ok(placed(&described(&deciding, &Rows(snapshot.state()), &id)?, None))
}

fn described(deciding: &Deciding, rows: &Rows<'_>, id: &str) -> Result<Value, Problem> {
    let info = rows.json(tables::NODES_INFO, id.as_bytes())?;
    let info = info.ok_or_else(|| Problem::not_found(format!("There is no node {id}.")))?;
    Ok(json!({
        "node_id": id,
        "status": info["status"],
        "primary": primary_of(deciding).as_deref() == Some(id),
        "node_data": info["node_data"],
        "rpc_interfaces": info["rpc_interfaces"],
    }))
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
