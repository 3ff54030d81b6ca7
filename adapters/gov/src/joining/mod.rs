//! Nodes that join: evidence is verified, members decide, and who is trusted is told the service's secrets.
//!
//! ```text
//!   request ─▶ key of the connection ─┬ unknown ─▶ evidence ─▶ verdict by the rows ─▶ a row, Pending   (a decision)
//!                                     ├ Pending ─▶ wait for members
//!                                     ├ Trusted ─▶ secrets, certificate, neighbours; its lease, if it shows evidence for it
//!                                     └ Retired ─▶ no
//! ```
//!
//! Everything is bound to the key of the connection: the handshake proves that the client has it, the evidence that it lies in the
//! TEE. So secrets go nowhere else, and nobody need be authenticated otherwise.
//!
//! | file | |
//! |---|---|
//! | `candidate.rs` | what a node says of itself, within bounds |
//! | `evidence.rs` | the forms of evidence |
//! | `policy.rs`, `roots.rs` | rows of members ⇒ what is asked of evidence, and who may vouch for it |
//! | `verdict.rs` | evidence by these rows; on threads of its own, two at a time |
//! | `secrets.rs` | what a trusted node is told |
//! | `duties.rs` | what the primary does by itself: leases begin and run out, retired nodes are let go |
//! | `keys.rs` | what constitutions have signed |
//! | `leases.rs` | a node's own lease, and those that it verifies for others |

mod candidate;
mod duties;
mod evidence;
mod keys;
mod leases;
mod policy;
mod roots;
mod secrets;
#[cfg(test)]
mod tests;
mod verdict;

use base::{NodeId, TxId};
use crypto::PublicKey;
use governance::join::{Answer, Request};
use governance::{Outcome, Refusal};
use kv::Tx;
use ledger::genesis::{NodeInfo, NodeStatus};
use tokio_util::sync::CancellationToken;

use crate::decide::{Deciding, Undecided};
use crate::epochs;

pub use evidence::quote_info;
pub(crate) use keys::Endorsing;
pub use leases::Attester;
pub(crate) use verdict::Verifying;

/// What a network's nodes must know of each other to join, beside what is in the ledger.
#[derive(Clone, Default)]
pub struct Joining {
    /// Whether nodes sign roots too: newcomers must do as the others.
    pub dual_signatures: bool,
    /// Asks this node's platform for evidence. Without it the node's lease runs out, where there are leases.
    pub attester: Option<Attester>,
}

/// What a node does by itself about nodes. Runs until cancelled.
pub(crate) async fn run(deciding: Deciding, stop: CancellationToken) {
    let secrets = epochs::run(deciding.clone(), stop.clone());
    tokio::join!(duties::run(deciding.clone(), stop.clone()), leases::run(deciding, stop), secrets);
}

/// Carries out a request to join, of whoever has this key.
pub(crate) async fn join(
    deciding: &Deciding,
    key: PublicKey,
    request: Request,
) -> Result<(Answer, Option<TxId>), Undecided> {
    let id = key.node_id();
    let snapshot = deciding.node.snapshot();
    let tx = Tx::new(snapshot.state());
    let governance = &deciding.gov.governance;
    if !governance.in_good_standing(&tx, deciding.node.status().id)? {
        return Err(state("This node is not in good standing itself: ask another one.").into());
    }
    match governance.node_info(&tx, id)? {
        None => admit(deciding, &key, request).await,
        Some(NodeInfo { status: NodeStatus::Pending, .. }) => Ok((pending(id), None)),
        Some(NodeInfo { status: NodeStatus::Retired, .. }) => {
            Err(state(format!("Node {id} is retired: it comes back with a new key, as a new node.")).into())
        }
        Some(NodeInfo { status: NodeStatus::Trusted, .. }) => {
            let place = leases::renew_for(deciding, &key, &request.quote_info).await?;
            Ok((secrets::answer(deciding, id)?, place))
        }
    }
}

async fn admit(deciding: &Deciding, key: &PublicKey, request: Request) -> Result<(Answer, Option<TxId>), Undecided> {
    let id = key.node_id();
    let mut info = candidate::info(key, &request)?;
    // What need not be verified is looked at first: verifying is what costs.
    let snapshot = deciding.node.snapshot();
    deciding.gov.governance.admit(&mut Tx::new(snapshot.state()), id, info.clone())?;
    let binding = attestation::Binding::public_key(key.spki_der());
    let judged = verdict::verdict(deciding, request.quote_info, binding).await?;
    info.evaluation = judged.evaluation();
    info.code_digest = judged.measurement;
    let act = move |gov: &crate::Gov, tx: &mut Tx<'_>, _: &governance::At<'_>| -> Result<Outcome<NodeInfo>, Refusal> {
        gov.governance.admit(tx, id, info.clone())
    };
    let (info, place) = deciding.decide(None, act).await?;
    tracing::info!(node = %id.short(), number = info.number, "a node asks to join");
    Ok((pending(id), place))
}

fn pending(id: NodeId) -> Answer {
    Answer { node_status: NodeStatus::Pending, node_id: id.to_string(), network_info: None }
}

fn state(message: impl Into<String>) -> Refusal {
    Refusal::InvalidNodeState(message.into())
}
