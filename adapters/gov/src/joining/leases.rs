//! A node's lease: it asks its platform for evidence before the time runs out, and shows it; another node verifies it.
//!
//! What a node shows goes down the road as a row, and the primary looks at it; what the primary shows, the trusted node with the
//! lowest number does, and while that has renewed nothing the next one, too. Only where there is no other node in good standing, a node's
//! own word must do. A node that has lost the network comes back by `POST /node/join`, with evidence of the same kind.

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
/// Before the next node looks at what the primary shows: those with lower numbers may be cut off.
const NEXT_AFTER: Duration = Duration::from_secs(5);
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
    let (mut seen, mut look) = (BTreeMap::new(), interval());
    while stop.run_until_cancelled(look.tick()).await.is_some() {
        if let Err(undecided) = verify_others(deciding, &mut seen).await {
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

/// What another node shows, since when this node knows of it.
struct Seen {
    digest: String,
    since: Instant,
    refused: bool,
}

/// Looks at what others show, if it is this node that has to.
async fn verify_others(deciding: &Deciding, seen: &mut BTreeMap<NodeId, Seen>) -> Result<(), Undecided> {
    let due: Vec<(NodeId, Shown)> = {
        let snapshot = deciding.node.snapshot();
        let tx = Tx::new(snapshot.state());
        let (governance, status) = (&deciding.gov.governance, deciding.node.status());
        let all = governance.all_shown(&tx);
        seen.retain(|id, seen| all.iter().any(|(other, shown)| other == id && shown.digest() == seen.digest));
        let is_due = |(id, shown): &(NodeId, Shown)| {
            let new = || Seen { digest: shown.digest(), since: Instant::now(), refused: false };
            let seen = seen.entry(*id).or_insert_with(new);
            let turn = turn(governance, &tx, &status, *id);
            !seen.refused && turn.is_some_and(|turn| seen.since.elapsed() >= NEXT_AFTER * turn)
        };
        all.into_iter().filter(is_due).collect()
    };
    for (id, shown) in due {
        match verify(deciding, id, &shown).await {
            Ok(judged) => match renew(deciding, id, shown, &judged).await {
                Ok(_) => tracing::info!(node = %id.short(), "its lease is renewed"),
                // Another node was quicker.
                Err(Undecided::Refused(refusal)) => tracing::debug!(node = %id.short(), %refusal, "renewed already"),
                Err(undecided) => return Err(undecided),
            },
            Err(Undecided::Refused(refusal)) => {
                tracing::warn!(node = %id.short(), %refusal, "a lease is not renewed");
                seen.entry(id).and_modify(|seen| seen.refused = true);
            }
            Err(undecided) => return Err(undecided),
        }
    }
    Ok(())
}

/// How many look at what a node shows before this one does; `None` if this one does not.
fn turn(governance: &Governance, tx: &Tx<'_>, status: &Status, node: NodeId) -> Option<u32> {
    let primary = match status.role {
        Role::Primary => status.id,
        Role::Backup { primary } => primary?,
    };
    if primary != node {
        return (primary == status.id).then_some(0);
    }
    let mut nodes = governance.node_infos(tx);
    nodes.retain(|(id, _)| *id != node && governance.in_good_standing(tx, *id).unwrap_or(false));
    if nodes.is_empty() {
        return (node == status.id).then_some(0);
    }
    nodes.sort_by_key(|(_, info)| info.number);
    nodes.iter().position(|(id, _)| *id == status.id)?.try_into().ok()
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

#[cfg(test)]
mod tests {
    use adapter::Role;
    use base::{Digest, NodeId};
    use kv::Tx;
    use ledger::genesis::node_key;
    use serde_json::json;

    use super::super::tests::network::{Network, node, row};
    use super::turn;

    /// Who is cut off is in good standing until its lease runs out: the primary's must not run out with it.
    #[tokio::test]
    async fn the_primary_looks_first_and_at_its_own_the_others_one_after_the_other() {
        let network = Network::new();
        let id = |number: u8| NodeId(Digest([number; 32]));
        for number in 11..=14_u8 {
            let status = if number == 14 { "Pending" } else { "Trusted" };
            let info = node(number.into(), status, &format!("10.0.0.{number}:1"));
            network.write(|tx| row(tx, "nodes.info", &node_key(id(number)), &info));
        }
        let lapsed = json!({ "renewed": 1, "lapsed": true });
        let turns = |shown: u8| {
            let snapshot = network.deciding.node.snapshot();
            let (tx, governance) = (Tx::new(snapshot.state()), &network.deciding.gov.governance);
            let mut status = network.deciding.node.status();
            [11, 12, 13, 14].map(|looks: u8| {
                status.id = id(looks);
                status.role = if looks == 12 { Role::Primary } else { Role::Backup { primary: Some(id(12)) } };
                turn(governance, &tx, &status, id(shown))
            })
        };
        let others = turns(12).map(|turn| turn.is_some());
        assert_eq!((turns(11), turns(13)), ([None, Some(0), None, None], [None, Some(0), None, None]));
        assert_eq!(others, [true, false, true, false]);
        let [Some(first), _, Some(second), _] = turns(12) else { panic!("both look") };
        assert_eq!(second, first + 1);
        network.write(|tx| row(tx, "public:coco.gov.nodes.leases", &node_key(id(11)), &lapsed));
        assert_eq!(turns(12)[..3], [None, None, Some(first)], "a lapsed one vouches for nobody");
    }
}
