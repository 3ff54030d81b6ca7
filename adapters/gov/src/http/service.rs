//! `/gov/service/…`: the service as its tables have it. Whoever can connect may read it: governance has no secrets.

use axum::extract::{Path, State};
use axum::response::Response;
use governance::{Governance, Refusal};
use kv::Tx;
use serde::Serialize;
use serde_json::json;

use super::answer::{Problem, javascript, placed};
use super::{Door, snapshot};
use crate::decide::Deciding;

/// What is read of the newest committed version.
pub fn read<T>(
    deciding: &Deciding,
    look: impl FnOnce(&Governance, &Tx<'_>) -> Result<T, Refusal>,
) -> Result<T, Problem> {
    let snapshot = snapshot(deciding);
    Ok(look(&deciding.gov.governance, &Tx::new(snapshot.state()))?)
}

fn list(rows: &impl Serialize) -> Response {
    placed(&json!({ "value": rows }), None)
}

/// One of many, which may not be there.
fn one<T: Serialize>(row: Option<T>, kind: &str, id: &str) -> Result<Response, Problem> {
    let id: String = id.chars().take(64).collect();
    row.map(|row| placed(&row, None)).ok_or_else(|| Problem::not_found(format!("There is no {kind} {id}.")))
}

pub async fn info(State(deciding): Door) -> Result<Response, Problem> {
    let service = read(&deciding, Governance::service)?;
    service.map(|service| placed(&service, None)).ok_or_else(|| Problem::internal("The service is not founded yet."))
}

pub async fn constitution(State(deciding): Door) -> Result<Response, Problem> {
    let script = read(&deciding, Governance::constitution)?;
    script.map(javascript).ok_or_else(|| Problem::internal("The service has no constitution."))
}

pub async fn members(State(deciding): Door) -> Result<Response, Problem> {
    read(&deciding, Governance::members).map(|members| list(&members))
}

pub async fn member(State(deciding): Door, Path(id): Path<String>) -> Result<Response, Problem> {
    one(read(&deciding, |governance, tx| governance.member(tx, &id))?, "member", &id)
}

pub async fn users(State(deciding): Door) -> Result<Response, Problem> {
    read(&deciding, Governance::users).map(|users| list(&users))
}

pub async fn user(State(deciding): Door, Path(id): Path<String>) -> Result<Response, Problem> {
    one(read(&deciding, |governance, tx| governance.user(tx, &id))?, "user", &id)
}

pub async fn nodes(State(deciding): Door) -> Result<Response, Problem> {
    read(&deciding, Governance::nodes).map(|nodes| list(&nodes))
}

pub async fn node(State(deciding): Door, Path(id): Path<String>) -> Result<Response, Problem> {
    one(read(&deciding, |governance, tx| governance.node(tx, &id))?, "node", &id)
}

pub async fn join_policy(State(deciding): Door) -> Result<Response, Problem> {
    read(&deciding, Governance::join_policy).map(|policy| placed(&policy, None))
}

pub async fn tokens(State(deciding): Door) -> Result<Response, Problem> {
    read(&deciding, Governance::tokens).map(|tokens| placed(&tokens, None))
}
