//! The HTTPS door: CCF's `/gov` API, as its own client tools use it, and what of `/node` members and monitors ask for.
//!
//! | file | paths |
//! |---|---|
//! | `proposals.rs` | `/gov/members/proposals…` |
//! | `members.rs` | `/gov/members/state-digests…` |
//! | `service.rs` | `/gov/service/…`, read from the tables |
//! | `recovery.rs` | `/gov/recovery/…` |
//! | `transactions.rs` | what became of a transaction, for both |
//! | `receipts.rs` | `/node/receipt` |
//! | `rules.rs` | `/gov/coco/…`: what CCF's API has no place for |
//! | `nodes.rs`, `health.rs`, `evidence.rs` | `/node/…` |
//! | `javascript.rs` | `/gov/service/javascript-…` |
//! | `join.rs` | `/node/join`, nodes that are forgotten |
//! | `files.rs` | `/node/ledger_chunk…`, `/node/snapshot…` |
//! | `network.rs` | `/gov/coco/nodes`, `/gov/coco/ledgers` |
//! | `actions.rs` | what stands behind a colon |
//! | `openapi.rs` | `/gov/api`, `/node/api`: all of this, described for programs |
//! | `answer.rs` | how every answer and every refusal is written |

mod actions;
mod answer;
mod evidence;
pub mod files;
mod health;
mod javascript;
mod join;
mod members;
mod network;
mod nodes;
mod openapi;
mod proposals;
mod receipts;
mod recovery;
mod rules;
#[cfg(test)]
mod sample;
mod service;
mod transactions;

use std::sync::Arc;
use std::time::Duration;

use adapter::http::{Limits, serve_counted};
use adapter::{Listener, Node};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use kv::Snapshot;
use tokio_util::sync::CancellationToken;

use crate::decide::Deciding;
use crate::{Gov, joining, settle};
use answer::Problem;
pub use receipts::Proving;

/// With the number of connections it bounds what strangers can make a node hold: a request is read before it is known whose it is.
const BODY_MAX: usize = governance::envelope::ENVELOPE_BYTES_MAX;
const CONNECTIONS_MAX: usize = 256;
/// For a request to be read and decided.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

pub fn listener(gov: Arc<Gov>, node: Node) -> Listener {
    let deciding = Deciding::new(gov, node);
    let router = router(deciding.clone());
    let sessions = deciding.gov.sessions.clone();
    let limits = Limits { connections_max: CONNECTIONS_MAX, ..Limits::default() };
    let serve = move |socket, stop: CancellationToken| -> adapter::Serving {
        Box::pin(async move {
            let by_itself = joining::run(deciding.clone(), stop.clone());
            let served = serve_counted(socket, router, limits, sessions, stop.clone());
            tokio::join!(served, settle::run(deciding, stop), by_itself);
        })
    };
    Listener { name: "governance".into(), secured: true, serve: Box::new(serve) }
}

/// What every handler has.
pub type Door = axum::extract::State<Deciding>;

/// The table of endpoints. Every line is described in `openapi/`: a test says which one is not.
fn endpoints() -> Vec<(&'static str, MethodRouter<Deciding>)> {
    vec![
        ("/gov/api", get(openapi::gov)),
        ("/gov/members/proposals", get(proposals::list)),
        ("/gov/members/proposals:create", post(proposals::create)),
        ("/gov/members/proposals/{proposal}", get(proposals::show)),
        ("/gov/members/proposals/{proposal}:withdraw", post(proposals::withdraw)),
        ("/gov/members/proposals/{proposal}/actions", get(proposals::actions)),
        ("/gov/members/proposals/{proposal}/ballots/{member}", get(proposals::ballot)),
        ("/gov/members/proposals/{proposal}/ballots/{member}:submit", post(proposals::vote)),
        ("/gov/members/state-digests/{member}", get(members::state_digest)),
        ("/gov/members/state-digests/{member}:update", post(members::update)),
        ("/gov/members/state-digests/{member}:ack", post(members::acknowledge)),
        ("/gov/recovery/encrypted-shares/{member}", get(recovery::encrypted_share)),
        ("/gov/recovery/members/{member}:recover", post(recovery::recover)),
        ("/gov/service/info", get(service::info)),
        ("/gov/service/constitution", get(service::constitution)),
        ("/gov/service/members", get(service::members)),
        ("/gov/service/members/{member}", get(service::member)),
        ("/gov/service/users", get(service::users)),
        ("/gov/service/users/{user}", get(service::user)),
        ("/gov/service/nodes", get(service::nodes)),
        ("/gov/service/nodes/{node}", get(service::node)),
        ("/gov/service/join-policy", get(service::join_policy)),
        ("/gov/service/jwk", get(service::tokens)),
        ("/gov/service/javascript-app", get(javascript::app)),
        ("/gov/service/javascript-modules", get(javascript::modules)),
        ("/gov/service/javascript-modules/{module}", get(javascript::module)),
        ("/gov/service/transactions/commit", get(transactions::commit)),
        ("/gov/service/transactions/{transaction}", get(transactions::one)),
        ("/gov/coco/policies", get(rules::policies)),
        ("/gov/coco/proposals/{proposal}/times", get(rules::times)),
        ("/gov/coco/nodes", get(network::nodes)),
        ("/gov/coco/ledgers", get(network::ledgers)),
        ("/node/api", get(openapi::node)),
        ("/node/state", get(nodes::state)),
        ("/node/network", get(nodes::network)),
        ("/node/network/nodes", get(nodes::list)),
        ("/node/network/nodes/{node}", get(nodes::one).delete(join::forget)),
        ("/node/network/removable_nodes", get(nodes::removable)),
        ("/node/join", post(join::join).layer(DefaultBodyLimit::max(governance::join::REQUEST_BYTES_MAX))),
        ("/node/ledger_chunk", get(files::find_chunk)),
        ("/node/ledger_chunk/{file}", get(files::chunk)),
        ("/node/snapshot", get(files::find_snapshot)),
        ("/node/snapshot/{file}", get(files::snapshot)),
        ("/node/commit", get(transactions::commit_of_node)),
        ("/node/tx", get(transactions::of_node)),
        ("/node/receipt", get(receipts::receipt)),
        ("/node/quotes", get(evidence::quotes)),
        ("/node/quotes/self", get(evidence::of_this_node)),
        ("/node/attestations", get(evidence::attestations)),
        ("/node/attestations/self", get(evidence::of_this_node)),
        ("/node/ready/app", get(health::ready_for_clients)),
        ("/node/ready/gov", get(health::ready_for_members)),
        ("/node/metrics", get(health::metrics)),
        ("/node/self_signed_certificate", get(health::self_signed)),
        ("/node/service/previous_identity", get(health::previous_identity)),
        ("/node/primary", get(nodes::primary).head(nodes::primary)),
        ("/node/backup", get(nodes::backup).head(nodes::backup)),
    ]
}

pub fn router(deciding: Deciding) -> Router {
    let line = |router: Router<Deciding>, (path, methods)| router.route(&actions::routed(path), methods);
    let known = endpoints().into_iter().fold(Router::new(), line);
    let known = known
        .fallback(async || {
            Problem::not_found("There is no such path: GET /gov/api and /node/api have those there are.")
        })
        .method_not_allowed_fallback(async || Problem::verb())
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn(answer::version))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(deciding);
    actions::apart(known)
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
