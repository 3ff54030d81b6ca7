//! A node's lease: it asks its platform for evidence before the time runs out, and shows it; another node verifies it.
//!
//! What a node shows goes down the road as a row, and the primary looks at it; what the primary shows, the trusted node with the
//! lowest number does. Only where there is no other node in good standing, a node's own word must do. A node that has
//! lost the network comes back by `POST /node/join`, with evidence of the same kind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapter::{Role, Status};
use attestation::{Binding, Presented, Statement};
use base::{NodeId, TxId};
use crypto::PublicKey;
use governance::nodes::{Lease, Shown};
use governance::{Governance, Refusal};
use kv::Tx;
use ledger::genesis::{NodeStatus, QuoteInfo};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::evidence::quote_info;
use super::verdict::{Judged, verdict};
use crate::decide::{Deciding, Undecided, blocking, now};

/// Asks this node's platform for evidence with this report data. May take its time; says why there is none.
pub type Attester = Arc<dyn Fn([u8; 64]) -> Result<Presented, String> + Send + Sync>;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After evidence was shown in vain, or there was none.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Runs until cancelled.
pub async fn run(deciding: Deciding, stop: CancellationToken) {
    // Apart: a platform that answers slowly keeps no other node's evidence waiting.
    tokio::join!(renew_own(&deciding, &stop), renew_others(&deciding, &stop));
}

async fn renew_own(deciding: &Deciding, stop: &CancellationToken) {
    let (mut own, mut look) = (Own::default(), interval());
    while stop.run_until_cancelled(look.tick()).await.is_some() {
        if let Err(undecided) = own.look(deciding).await {
            tracing::warn!(?undecided, "this node's lease could not be renewed");
        }
    }
}

async fn renew_others(deciding: &Deciding, stop: &CancellationToken) {
    let (mut refused, mut look) = (BTreeMap::new(), interval());
    while stop.run_until_cancelled(look.tick()).await.is_some() {
        if let Err(undecided) = verify_others(deciding, &mut refused).await {
            tracing::debug!(?undecided, "what nodes show could not be verified now");
        }
    }
}

fn interval() -> Interval {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look
}

/// This node's own lease.
#[derive(Default)]
struct Own {
    /// For which lease evidence was shown, and when.
    shown: Option<(u64, Instant)>,
}

impl Own {
    async fn look(&mut self, deciding: &Deciding) -> Result<(), Undecided> {
        let Some(attester) = deciding.gov.joining.attester.clone() else { return Ok(()) };
        let id = deciding.node.status().id;
        let Some(lease) = due(deciding, id)? else { return Ok(()) };
        let tried = self.shown.filter(|(after, at)| *after == lease.renewed && at.elapsed() < AGAIN_AFTER);
        if tried.is_some() {
            return Ok(());
        }
        let report_data = statement(id, &lease).report_data();
        let gather = move || {
            attester(report_data).map_err(|why| Refusal::InternalError(format!("There is no evidence: {why}")).into())
        };
        let gathered = blocking(gather).await;
        // Whatever came of it.
        self.shown = Some((lease.renewed, Instant::now()));
        let shown = Shown { quote_info: quote_info(&gathered?), after: lease.renewed };
        deciding.decide(None, move |gov, tx, _| gov.governance.show(tx, id, &shown)).await?;
        Ok(())
    }
}

/// Looks at what others show, if it is this node that has to.
async fn verify_others(deciding: &Deciding, refused: &mut BTreeMap<NodeId, String>) -> Result<(), Undecided> {
    let shown: Vec<(NodeId, Shown)> = {
        let snapshot = deciding.node.snapshot();
        let tx = Tx::new(snapshot.state());
        let governance = &deciding.gov.governance;
        let status = deciding.node.status();
        let all = governance.all_shown(&tx).into_iter();
        all.filter(|(id, _)| verifier(governance, &tx, &status, *id) == Some(status.id)).collect()
    };
    refused.retain(|id, _| shown.iter().any(|(shown, _)| shown == id));
    for (id, shown) in shown {
        if refused.get(&id) == Some(&shown.digest()) {
            continue;
        }
        match verify(deciding, id, &shown).await {
            Ok(judged) => {
                renew(deciding, id, shown, &judged).await?;
                tracing::info!(node = %id.short(), "its lease is renewed");
            }
            Err(Undecided::Refused(refusal)) => {
                tracing::warn!(node = %id.short(), %refusal, "a lease is not renewed");
                refused.insert(id, shown.digest());
            }
            Err(undecided) => return Err(undecided),
        }
    }
    Ok(())
}

/// Who looks at what a node shows.
fn verifier(governance: &Governance, tx: &Tx<'_>, status: &Status, node: NodeId) -> Option<NodeId> {
    let primary = match status.role {
        Role::Primary => Some(status.id),
        Role::Backup { primary } => primary,
    };
    if let Some(primary) = primary.filter(|primary| *primary != node) {
        return Some(primary);
    }
    let mut nodes = governance.node_infos(tx);
    nodes.retain(|(id, _)| *id != node && governance.in_good_standing(tx, *id).unwrap_or(false));
    Some(nodes.iter().min_by_key(|(_, info)| info.number).map_or(node, |(id, _)| *id))
}

/// Verifies evidence for a lease.
async fn verify(deciding: &Deciding, id: NodeId, shown: &Shown) -> Result<Judged, Undecided> {
    let lease = Lease { renewed: shown.after, evidence: None, lapsed: false, evaluation: None };
    let binding = Binding::Exact(statement(id, &lease).report_data().to_vec());
    verdict(deciding, shown.quote_info.clone(), binding).await
}

/// Renews a lease, whose evidence was verified.
async fn renew(deciding: &Deciding, id: NodeId, shown: Shown, judged: &Judged) -> Result<Option<TxId>, Undecided> {
    let evaluation = judged.evaluation();
    let act = move |gov: &crate::Gov, tx: &mut Tx<'_>, at: &governance::At<'_>| {
        gov.governance.renew_lease(tx, id, &shown, evaluation.clone(), at.time)
    };
    let ((), place) = deciding.decide(None, act).await?;
    Ok(place)
}

/// A trusted node asks to join again. If its lease is to be renewed, and it shows evidence for that, it is; a lapsed one must.
pub async fn renew_for(
    deciding: &Deciding,
    key: &PublicKey,
    quote_info: &QuoteInfo,
) -> Result<Option<TxId>, Undecided> {
    let id = key.node_id();
    let Some(lease) = due(deciding, id)? else { return Ok(None) };
    let shown = Shown { quote_info: quote_info.clone(), after: lease.renewed };
    let judged = match verify(deciding, id, &shown).await {
        Ok(judged) => judged,
        // A node that polls since it was let in shows what it was let in with.
        Err(Undecided::Refused(_)) if !lease.lapsed => return Ok(None),
        Err(undecided) => return Err(undecided),
    };
    // Written down like what nodes show by themselves, so that an audit finds what a lease was renewed with.
    let written = shown.clone();
    deciding.decide(None, move |gov, tx, _| gov.governance.show(tx, id, &written)).await?;
    renew(deciding, id, shown, &judged).await
}

/// The lease of a trusted node, once half of its time is over.
fn due(deciding: &Deciding, id: NodeId) -> Result<Option<Lease>, Refusal> {
    let snapshot = deciding.node.snapshot();
    let tx = Tx::new(snapshot.state());
    let governance = &deciding.gov.governance;
    let trusted = governance.node_info(&tx, id)?.is_some_and(|info| info.status == NodeStatus::Trusted);
    let Some(period) = governance.lease_period(&tx)?.filter(|_| trusted) else { return Ok(None) };
    let half = period.seconds.saturating_mul(500);
    let lease = governance.lease(&tx, id)?;
    Ok(lease.filter(|lease| lease.lapsed || now() >= lease.renewed.saturating_add(half)))
}

/// What a node says of itself to renew its lease.
fn statement(id: NodeId, lease: &Lease) -> Statement {
    Statement { key: id.0, nonce: lease.nonce() }
}
