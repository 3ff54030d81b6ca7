//! Proposals that time decides: a policy may want a delay between the votes and the deed. The primary looks at the open ones,
//! one after the other, and asks the constitution again.

use std::time::Duration;

use adapter::Role;
use governance::ProposalState;
use kv::Tx;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::decide::Deciding;

/// One open proposal is looked at this often: ballots are scripts and take what they take.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs until cancelled.
pub async fn run(deciding: Deciding, stop: CancellationToken) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = String::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        if deciding.node.status().role != Role::Primary {
            continue;
        }
        if let Some(proposal) = next_open(&deciding, &last) {
            last.clone_from(&proposal);
            let act = move |gov: &crate::Gov, tx: &mut Tx<'_>, at: &governance::At<'_>| {
                gov.governance.settle(tx, &proposal, at)
            };
            match deciding.decide(None, act).await {
                Ok((proposal, Some(place))) => {
                    tracing::info!(proposal = proposal.proposal_id, state = ?proposal.proposal_state, %place, "decided by time");
                }
                Ok((_, None)) => {}
                // Whoever votes next is told the same.
                Err(undecided) => tracing::debug!(?undecided, "an open proposal could not be settled"),
            }
        }
    }
}

/// The open proposal that comes after `last`, by id; after the last one the first.
fn next_open(deciding: &Deciding, last: &str) -> Option<String> {
    let snapshot = deciding.node.snapshot();
    let proposals = deciding.gov.governance.proposals(&Tx::new(snapshot.state())).ok()?;
    let open = proposals.into_iter().filter(|proposal| proposal.proposal_state == ProposalState::Open);
    let open: Vec<String> = open.map(|proposal| proposal.proposal_id).collect();
    open.iter().find(|id| id.as_str() > last).or(open.first()).cloned()
}
