//! Proposals that time decides: a policy may want a delay between the votes and the deed. The primary looks at the open ones,
//! one after the other, and asks the constitution again.

use std::time::Duration;

use adapter::Role;
use governance::ProposalState;
use kv::Tx;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::decide::Deciding;

/// One open proposal is looked at this often: ballots are scripts and take what they take.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// After a look it rests so many times as long as that took …
const RESTS: u32 = 19;
/// … but no longer than this, for what a policy delays waits for it, too.
const REST_MAX: Duration = Duration::from_secs(10);

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
            let begun = Instant::now();
            let settled = deciding.decide(None, act).await;
            // Nobody waits for it, and ballots that are dear make it so every time: it has a twentieth of a core, like scripts that fail.
            look.reset_after(rest_after(begun.elapsed()));
            match settled {
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

/// How long it rests after a look that took so long.
fn rest_after(took: Duration) -> Duration {
    (took * RESTS).clamp(LOOK_EVERY, REST_MAX)
}

/// The open proposal that comes after `last`, by id; after the last one the first.
fn next_open(deciding: &Deciding, last: &str) -> Option<String> {
    let snapshot = deciding.node.snapshot();
    let proposals = deciding.gov.governance.proposals(&Tx::new(snapshot.state())).ok()?;
    let open = proposals.into_iter().filter(|proposal| proposal.proposal_state == ProposalState::Open);
    let open: Vec<String> = open.map(|proposal| proposal.proposal_id).collect();
    open.iter().find(|id| id.as_str() > last).or(open.first()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_has_a_twentieth_of_the_time_unless_that_were_too_late() {
        assert_eq!(rest_after(Duration::from_millis(5)), LOOK_EVERY);
        assert_eq!(rest_after(Duration::from_millis(200)), Duration::from_millis(3_800));
        assert_eq!(rest_after(Duration::from_secs(1)), REST_MAX);
    }
}
