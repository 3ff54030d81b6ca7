//! What is served, described for programs: OpenAPI documents that are written by hand, and held against the router and its answers
//! in tests. Whoever adds a path describes it in `openapi/gov.json` or `openapi/node.json`.

use axum::http::header;
use axum::response::{IntoResponse, Response};

const GOV: &str = include_str!("openapi/gov.json");
const NODE: &str = include_str!("openapi/node.json");

pub async fn gov() -> Response {
    document(GOV)
}

pub async fn node() -> Response {
    document(NODE)
}

fn document(text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

#[cfg(test)]
mod tests;
