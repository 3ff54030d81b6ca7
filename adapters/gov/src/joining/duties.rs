//! What the primary does for nodes by itself, since it follows from the rows, from time, and from whom consensus counts: retired nodes
//! are let go, leases begin, run out, and end.

use std::time::Duration;

use adapter::{Role, Status};
use base::NodeId;
use governance::{Governance, Refusal};
use kv::Tx;
use ledger::genesis::NodeStatus;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::decide::{Deciding, now};

/// One duty is done this often: each is a decision, and members' come first.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duty {
    /// Consensus does not count it any more.
    LetGo(NodeId),
    BeginLease(NodeId),
    Lapse(NodeId),
    EndLease(NodeId),
}

/// Runs until cancelled.
pub async fn run(deciding: Deciding, stop: CancellationToken) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        let status = deciding.node.status();
        if status.role != Role::Primary {
            continue;
        }
        let snapshot = deciding.node.snapshot();
        let duty = match next(&deciding.gov.governance, &Tx::new(snapshot.state()), &status, now()) {
            Ok(Some(duty)) => duty,
            Ok(None) => continue,
            Err(refusal) => {
                tracing::warn!(%refusal, "rows of nodes cannot be read: nothing is done for nodes until members set them anew");
                continue;
            }
        };
        match deciding.decide(None, move |gov, tx, at| carry_out(&gov.governance, tx, duty, at.time)).await {
            Ok(_) => tracing::info!(?duty, "done"),
            Err(undecided) => tracing::debug!(?undecided, ?duty, "not done now"),
        }
    }
}

fn carry_out(
    governance: &Governance,
    tx: &mut Tx<'_>,
    duty: Duty,
    time: u64,
) -> Result<governance::Outcome<()>, Refusal> {
    match duty {
        Duty::LetGo(id) => governance.let_go(tx, id),
        Duty::BeginLease(id) => governance.begin_lease(tx, id, time),
        Duty::Lapse(id) => governance.lapse(tx, id, time),
        Duty::EndLease(id) => governance.end_lease(tx, id),
    }
}

/// What is to be done first, at a time (milliseconds since 1970).
pub fn next(governance: &Governance, tx: &Tx<'_>, status: &Status, now: u64) -> Result<Option<Duty>, Refusal> {
    let nodes = governance.node_infos(tx);
    // A node that has heard nothing of consensus yet knows of no voters.
    let counted =
        |number: u64| status.voters.is_empty() || status.voters.contains(&number) || status.learners.contains(&number);
    let gone = nodes
        .iter()
        .find(|(_, info)| info.status == NodeStatus::Retired && !info.retired_committed && !counted(info.number));
    if let Some((id, _)) = gone {
        return Ok(Some(Duty::LetGo(*id)));
    }
    let trusted = |id: &NodeId| nodes.iter().any(|(node, info)| node == id && info.status == NodeStatus::Trusted);
    let period = governance.lease_period(tx)?;
    let leases = governance.leases(tx);
    if let Some((id, _)) = leases.iter().find(|(id, _)| period.is_none() || !trusted(id)) {
        return Ok(Some(Duty::EndLease(*id)));
    }
    let Some(period) = period else { return Ok(None) };
    for (id, _) in nodes.iter().filter(|(id, _)| trusted(id)) {
        if governance.lease(tx, *id)?.is_none() {
            return Ok(Some(Duty::BeginLease(*id)));
        }
    }
    let run_out = leases.iter().find(|(_, lease)| !lease.lapsed && now > period.end(lease));
    let Some((id, _)) = run_out else { return Ok(None) };
    // The last one keeps its lease: see `Governance::lapse`.
    let left = leases.iter().any(|(other, lease)| other != id && !lease.lapsed);
    Ok(left.then_some(Duty::Lapse(*id)))
}
