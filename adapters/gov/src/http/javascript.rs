//! `/gov/service/javascript-…`: an application in JavaScript, as its tables have it. No node of Coco runs one, and a proposal that
//! deploys one is refused, so there is none unless a service brought it from elsewhere.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use kv::Tx;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Door;
use super::answer::{Problem, javascript, placed};
use super::service::read;

const ENDPOINTS: &str = "public:ccf.gov.endpoints";
const MODULES: &str = "public:ccf.gov.modules";

#[derive(Deserialize)]
pub struct Case {
    case: Option<String>,
}

/// `GET /gov/service/javascript-app`: its endpoints, by path and method. `?case=original` leaves the names of fields as they were written.
pub async fn app(State(deciding): Door, Query(Case { case }): Query<Case>) -> Result<Response, Problem> {
    if case.as_ref().is_some_and(|case| case != "original") {
        let message = "The query parameter case is \"original\", or is not there.";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "InvalidQueryParameterValue", message));
    }
    let rows = read(&deciding, |_, tx| Ok(rows(tx, ENDPOINTS)))?;
    let mut endpoints: Map<String, Value> = Map::new();
    for (key, row) in rows {
        let Some((method, path)) = key.split_once(' ') else { continue };
        let row: Value = serde_json::from_slice(&row).unwrap_or_default();
        let row = if case.is_some() { row } else { described(&row) };
        endpoints.entry(path).or_insert_with(|| json!({}))[method] = row;
    }
    Ok(placed(&json!({ "endpoints": endpoints }), None))
}

/// The properties of an endpoint under their names in the API. What OpenAPI says of it is left as it is.
fn described(row: &Value) -> Value {
    const NAMES: [(&str, &str); 7] = [
        ("authn_policies", "authnPolicies"),
        ("forwarding_required", "forwardingRequired"),
        ("js_function", "jsFunction"),
        ("js_module", "jsModule"),
        ("mode", "mode"),
        ("openapi", "openApi"),
        ("redirection_strategy", "redirectionStrategy"),
    ];
    let known = NAMES.into_iter().filter_map(|(stored, told)| Some((told.to_owned(), row.get(stored)?.clone())));
    Value::Object(known.collect())
}

/// `GET /gov/service/javascript-modules`
pub async fn modules(State(deciding): Door) -> Result<Response, Problem> {
    let rows = read(&deciding, |_, tx| Ok(rows(tx, MODULES)))?;
    let names: Vec<Value> = rows.into_iter().map(|(name, _)| json!({ "moduleName": name })).collect();
    Ok(placed(&json!({ "value": names }), None))
}

/// `GET /gov/service/javascript-modules/{module}`
pub async fn module(State(deciding): Door, Path(module): Path<String>) -> Result<Response, Problem> {
    let rows = read(&deciding, |_, tx| Ok(rows(tx, MODULES)))?;
    let found = rows.into_iter().find(|(name, _)| *name == module);
    let shown: String = module.chars().take(64).collect();
    let (_, text) = found.ok_or_else(|| Problem::not_found(format!("There is no module {shown:?}.")))?;
    Ok(javascript(String::from_utf8_lossy(&text).into_owned()))
}

fn rows(tx: &Tx<'_>, table: &str) -> Vec<(String, kv::Blob)> {
    let Some(table) = tx.base().tables().find(table) else { return Vec::new() };
    tx.range(table, ..).map(|(key, row)| (String::from_utf8_lossy(key).into_owned(), row.clone())).collect()
}
