//! A member's share of a node's time for scripts. Whose requests take long waits the longer until the next is looked at, and keeps
//! nobody else waiting: neither other members nor the road.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governance::MemberId;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

/// What a request may take without any consequence: ten times what an ordinary one takes, on a busy machine too.
const FREE: Duration = Duration::from_millis(50);
/// For all beyond that the member waits so many times as long: it has a twentieth of a core at most, on each node.
const WAITS: u32 = 19;

/// When each member's next request is looked at. Only for those whose signatures were verified, so as many as there are members.
#[derive(Clone, Default)]
pub struct Patience(Arc<Mutex<BTreeMap<MemberId, Arc<tokio::sync::Mutex<Instant>>>>>);

/// A member's turn: one request of it is judged at a time. It goes where the work goes, which runs to its end though nobody may
/// wait for it any more.
pub struct Turn(OwnedMutexGuard<Instant>);

impl Patience {
    /// Waits for the member's turn.
    pub async fn turn(&self, member: MemberId) -> Turn {
        let next = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever is alone with its entry and need not wait has no use for it.
            let now = Instant::now();
            all.retain(|_, next| Arc::strong_count(next) > 1 || next.try_lock().is_ok_and(|next| *next > now));
            all.entry(member).or_insert_with(|| Arc::new(tokio::sync::Mutex::new(now))).clone()
        };
        let next = next.lock_owned().await;
        tokio::time::sleep_until(*next).await;
        Turn(next)
    }
}

impl Turn {
    /// The request was judged, and that took so long.
    pub fn end(mut self, took: Duration) {
        *self.0 = Instant::now() + took.saturating_sub(FREE) * WAITS;
    }
}

#[cfg(test)]
mod tests {
    use base::Digest;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_takes_long_waits_and_nobody_else() {
        let patience = Patience::default();
        let (slow, quick) = (MemberId(Digest([1; 32])), MemberId(Digest([2; 32])));
        let (begun, quickly) = (Instant::now(), FREE);
        patience.turn(slow).await.end(FREE + Duration::from_secs(1));
        for _ in 0..3 {
            patience.turn(quick).await.end(quickly);
        }
        assert_eq!(begun.elapsed(), Duration::ZERO, "the others did not wait");
        patience.turn(slow).await.end(quickly);
        assert_eq!(begun.elapsed(), Duration::from_secs(19));
        patience.turn(slow).await.end(quickly);
        assert_eq!(begun.elapsed(), Duration::from_secs(19), "it was quick this time");
        patience.turn(quick).await.end(quickly);
        assert_eq!(patience.0.lock().unwrap().len(), 1, "nobody is remembered for nothing");
    }
}
