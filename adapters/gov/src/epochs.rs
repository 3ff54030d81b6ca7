//! New ledger secrets: the primary makes one when members want it or the epoch is over, and nobody else has to do anything.
//!
//! Every node that votes must have the secret, or it could not go on; whoever is not trusted any more must not. Between a vote on a
//! node and the change in consensus both are true of one node, so the primary waits for consensus: a moment.

use std::collections::BTreeSet;
use std::time::Duration;

use adapter::{Role, Status};
use governance::{Governance, Refusal};
use kv::Tx;
use ledger::genesis::NodeStatus;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::decide::{Deciding, now};

/// How often it is looked whether one is due.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Runs until cancelled.
pub async fn run(deciding: Deciding, stop: CancellationToken) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        match due(&deciding) {
            Ok(false) => continue,
            Ok(true) => {}
            Err(refusal) => {
                tracing::warn!(%refusal, "rows of epochs cannot be read: the ledger keeps its secret until members set them anew");
                continue;
            }
        }
        let service = deciding.node.service();
        let act = move |gov: &crate::Gov, tx: &mut Tx<'_>, at: &governance::At<'_>| {
            let made = service.rekey(tx.base()).map_err(|reject| Refusal::InternalError(reject.message))?;
            gov.governance.rekey(tx, &made, at.time, tx.base().seqno())
        };
        match deciding.decide(None, act).await {
            Ok((_, place)) => tracing::info!(place = place.map(tracing::field::display), "the ledger has a new secret"),
            Err(undecided) => tracing::warn!(?undecided, "no new ledger secret could be made now"),
        }
    }
}

fn due(deciding: &Deciding) -> Result<bool, Refusal> {
    let status = deciding.node.status();
    if status.role != Role::Primary {
        return Ok(false);
    }
    let snapshot = deciding.node.snapshot();
    let tx = Tx::new(snapshot.state());
    let governance = &deciding.gov.governance;
    Ok(governance.rekey_due(&tx, now(), status.committed.seqno)? && consensus_agrees(governance, &tx, &status)?)
}

/// Whether everybody who votes is in good standing, and nobody follows who is not trusted.
fn consensus_agrees(governance: &Governance, tx: &Tx<'_>, status: &Status) -> Result<bool, Refusal> {
    let (mut sound, mut trusted) = (BTreeSet::new(), BTreeSet::new());
    for (id, info) in governance.node_infos(tx) {
        if info.status == NodeStatus::Trusted {
            trusted.insert(info.number);
        }
        if governance.in_good_standing(tx, id)? {
            sound.insert(info.number);
        }
    }
    let votes = !status.voters.is_empty() && status.voters.iter().all(|number| sound.contains(number));
    Ok(votes && status.learners.iter().all(|number| trusted.contains(number)))
}
