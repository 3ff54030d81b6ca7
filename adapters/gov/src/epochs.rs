//! New ledger secrets and shares of them: the primary brings them when members want it or the epoch is over, and nobody else has to do
//! anything.
//!
//! Every node that votes must have the secret, or it could not go on; whoever is not trusted any more must not. Between a vote on a
//! node and the change in consensus both are true of one node, so the primary waits for consensus: a moment.

use std::collections::BTreeSet;
use std::time::Duration;

use adapter::{Reject, Role, Status};
use governance::recovery::{Holder, Recovery};
use governance::{Governance, Refusal};
use kv::Tx;
use ledger::genesis::NodeStatus;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::decide::{Deciding, now};

/// How often it is looked whether one is due.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// After it could not be brought.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Runs until cancelled.
pub async fn run(deciding: Deciding, stop: CancellationToken) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        let due = match due(&deciding) {
            Ok(Some(due)) => due,
            Ok(None) => continue,
            Err(refusal) => {
                tracing::warn!(%refusal, "rows of epochs cannot be read: the ledger keeps its secret until members set them anew");
                continue;
            }
        };
        let service = deciding.node.service();
        let act = move |gov: &crate::Gov, tx: &mut Tx<'_>, at: &governance::At<'_>| {
            let governance = &gov.governance;
            let recovery = governance.recovery(tx)?.map(recovery);
            let failed = |reject: Reject| Refusal::InternalError(reject.message);
            match (due, recovery) {
                (Due::Secret, recovery) => {
                    let made = service.rekey(tx.base(), recovery.as_ref()).map_err(failed)?;
                    governance.rekey(tx, &made, at.time, tx.base().seqno())
                }
                (Due::Shares, Some(recovery)) => {
                    let made = service.deal_shares(tx.base(), &recovery).map_err(failed)?;
                    governance.deal_shares(tx, &made)
                }
                (Due::Shares, None) => Err(Refusal::InvalidNodeState("Nobody is to hold shares.".to_owned())),
            }
        };
        match deciding.decide(None, act).await {
            Ok((_, place)) => tracing::info!(?due, place = place.map(tracing::field::display), "done"),
            Err(undecided) => {
                tracing::warn!(?due, ?undecided, "not done now");
                look.reset_after(AGAIN_AFTER);
            }
        }
    }
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Due {
    /// A new secret, and shares of it.
    Secret,
    Shares,
}

fn due(deciding: &Deciding) -> Result<Option<Due>, Refusal> {
    let status = deciding.node.status();
    if status.role != Role::Primary {
        return Ok(None);
    }
    let snapshot = deciding.node.snapshot();
    let tx = Tx::new(snapshot.state());
    let governance = &deciding.gov.governance;
    if governance.rekey_due(&tx, now(), status.committed.seqno)? && consensus_agrees(governance, &tx, &status)? {
        return Ok(Some(Due::Secret));
    }
    Ok(governance.shares_due(&tx)?.then_some(Due::Shares))
}

fn recovery(Recovery { threshold, holders }: Recovery) -> adapter::Recovery {
    let holder = |Holder { member, key, alone }| adapter::Holder { id: member.to_string(), key, alone };
    adapter::Recovery { threshold, holders: holders.into_iter().map(holder).collect() }
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
