//! The HTTPS door: CCF's `/gov` API, as its own client tools use it, and what of `/node` members and monitors ask for.
//!
//! | file | paths |
//! |---|---|
//! | `proposals.rs` | `/gov/members/proposals…` |
//! | `members.rs` | `/gov/members/state-digests…` |
//! | `service.rs` | `/gov/service/…`, read from the tables |
//! | `nodes.rs` | `/node/…` |
//! | `join.rs` | `/node/join`, nodes that were let go |
//! | `network.rs` | `/gov/coco/nodes`, `/gov/coco/ledgers` |
//! | `answer.rs` | how every answer and every refusal is written |

mod answer;
mod join;
mod members;
mod network;
mod nodes;
mod proposals;
mod service;

use std::sync::Arc;
use std::time::Duration;

use adapter::http::{Limits, serve};
use adapter::{Listener, Node};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use kv::Snapshot;
use tokio_util::sync::CancellationToken;

use crate::decide::Deciding;
use crate::{Gov, joining, settle};
use answer::Problem;

/// With the number of connections it bounds what strangers can make a node hold: a request is read before it is known whose it is.
const BODY_MAX: usize = governance::envelope::ENVELOPE_BYTES_MAX;
const CONNECTIONS_MAX: usize = 256;
/// For a request to be read and decided.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

pub fn listener(gov: Arc<Gov>, node: Node) -> Listener {
    let deciding = Deciding::new(gov, node);
    let router = router(deciding.clone());
    let limits = Limits { connections_max: CONNECTIONS_MAX, ..Limits::default() };
    let serve = move |socket, stop: CancellationToken| -> adapter::Serving {
        Box::pin(async move {
            let by_itself = joining::run(deciding.clone(), stop.clone());
            tokio::join!(serve(socket, router, limits, stop.clone()), settle::run(deciding, stop), by_itself);
        })
    };
    Listener { name: "governance".into(), secured: true, serve: Box::new(serve) }
}

/// What every handler has.
pub type Door = axum::extract::State<Deciding>;

/// The table of endpoints. A colon begins an action, so the last segment is taken apart by the handler.
pub fn router(deciding: Deciding) -> Router {
    Router::new()
        .route("/gov/members/proposals", get(proposals::list))
        .route("/gov/members/{verb}", post(proposals::create))
        .route("/gov/members/proposals/{proposal}", get(proposals::show).post(proposals::withdraw))
        .route("/gov/members/proposals/{proposal}/actions", get(proposals::actions))
        .route("/gov/members/proposals/{proposal}/ballots/{member}", get(proposals::ballot).post(proposals::vote))
        .route("/gov/members/state-digests/{member}", get(members::state_digest).post(members::act))
        .route("/gov/service/info", get(service::info))
        .route("/gov/service/constitution", get(service::constitution))
        .route("/gov/service/members", get(service::members))
        .route("/gov/service/members/{member}", get(service::member))
        .route("/gov/service/users", get(service::users))
        .route("/gov/service/users/{user}", get(service::user))
        .route("/gov/service/nodes", get(service::nodes))
        .route("/gov/service/nodes/{node}", get(service::node))
        .route("/gov/service/join-policy", get(service::join_policy))
        .route("/gov/service/jwk", get(service::tokens))
        .route("/gov/service/transactions/commit", get(service::commit))
        .route("/gov/coco/nodes", get(network::nodes))
        .route("/gov/coco/ledgers", get(network::ledgers))
        .route("/node/state", get(nodes::state))
        .route("/node/network", get(nodes::network))
        .route("/node/network/nodes", get(nodes::list))
        .route("/node/network/nodes/{node}", get(nodes::one).delete(join::forget))
        .route("/node/network/removable_nodes", get(join::removable))
        .route("/node/join", post(join::join).layer(DefaultBodyLimit::max(governance::join::REQUEST_BYTES_MAX)))
        .route("/node/commit", get(service::commit))
        .route("/node/primary", get(nodes::primary).head(nodes::primary))
        .route("/node/backup", get(nodes::backup).head(nodes::backup))
        .fallback(async || Problem::not_found("There is no such path: see docs/formats/governance-api.md."))
        .method_not_allowed_fallback(async || Problem::verb())
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn(answer::version))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(deciding)
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::late().into_response(),
    }
}

fn snapshot(deciding: &Deciding) -> Arc<Snapshot> {
    deciding.node.snapshot()
}
