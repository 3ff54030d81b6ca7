//! The node's own endpoints: what it is doing now, for people, supervisors and Prometheus.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use adapter::{Node, Role, Status};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base::NodeId;
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use tokio::sync::watch;

use crate::nodes::Nodes;
use crate::run::Served;

/// What the endpoints show.
#[derive(Clone)]
pub struct Shown {
    pub node: Node,
    pub number: u64,
    pub nodes: watch::Receiver<Arc<Nodes>>,
    pub ledgers: watch::Receiver<Arc<Vec<Served>>>,
    /// Listeners are open, as far as they can be.
    pub serving: Arc<AtomicBool>,
    pub metrics: PrometheusHandle,
}

/// The answer of `/node/status`.
#[derive(Serialize)]
struct StatusBody {
    number: u64,
    id: String,
    role: &'static str,
    /// The primary's number, if it is known.
    primary: Option<u64>,
    view: u64,
    seqno: u64,
    committed: String,
    transactions: u64,
    serving: bool,
    /// Nodes of the network: those that vote, and those that only follow, by number.
    nodes: usize,
    voters: Vec<u64>,
    learners: Vec<u64>,
    /// The hosted ledgers, and where they are served here.
    ledgers: Vec<Served>,
    pid: u32,
}

/// The table of endpoints.
pub fn router(shown: Shown) -> Router {
    Router::new()
        .route("/node/status", get(status))
        .route("/node/health", get(health))
        .route("/node/metrics", get(metrics))
        .with_state(shown)
}

async fn status(State(shown): State<Shown>) -> Json<StatusBody> {
    let serving = shown.serving.load(Ordering::Acquire);
    let Status { id, role, view, committed, root: _, transactions, voters, learners } = shown.node.status();
    let number_of = |id: NodeId| shown.nodes.borrow().find(id).map(|node| node.number);
    let (word, primary) = match role {
        Role::Primary => ("primary", Some(shown.number)),
        Role::Backup { primary } => ("backup", primary.and_then(number_of)),
    };
    Json(StatusBody {
        number: shown.number,
        id: id.to_string(),
        role: if serving { word } else { "starting" },
        primary,
        view: view.0,
        seqno: committed.seqno.0,
        committed: committed.to_string(),
        transactions,
        serving,
        nodes: voters.len() + learners.len(),
        voters,
        learners,
        ledgers: shown.ledgers.borrow().to_vec(),
        pid: std::process::id(),
    })
}

/// 200 while the node serves and knows a primary, 503 otherwise.
async fn health(State(shown): State<Shown>) -> Response {
    let led = !matches!(shown.node.status().role, Role::Backup { primary: None });
    match (shown.serving.load(Ordering::Acquire), led) {
        (true, true) => (StatusCode::OK, "ok\n").into_response(),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "the node is starting\n").into_response(),
        (true, false) => (StatusCode::SERVICE_UNAVAILABLE, "the network has no primary\n").into_response(),
    }
}

async fn metrics(State(shown): State<Shown>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], shown.metrics.render()).into_response()
}
