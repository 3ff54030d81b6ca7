//! When proposals say that they were made.
//!
//! A node tells replays by a window of the last hundred proposals, in the order of `created_at` and then of a hash, and refuses
//! what comes before the middle of it. So with more than fifty in one second it would be the hash that decides. Here a second
//! has fewer: a fast run writes later seconds than it is, by a little.

use std::time::{SystemTime, UNIX_EPOCH};

/// Half of what would reach the middle of the window, since proposals arrive in another order than they were signed.
const A_SECOND_MAX: usize = 25;

/// Seconds since 1970 that do not go back.
#[derive(Default)]
pub struct Clock {
    second: u64,
    given: usize,
}

impl Clock {
    /// For the next proposal.
    pub fn next(&mut self) -> u64 {
        self.next_at(now())
    }

    fn next_at(&mut self, now: u64) -> u64 {
        if now > self.second {
            (self.second, self.given) = (now, 0);
        } else if self.given == A_SECOND_MAX {
            (self.second, self.given) = (self.second + 1, 0);
        }
        self.given += 1;
        self.second
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_never_full_and_the_clock_never_goes_back() {
        let mut clock = Clock::default();
        let seconds: Vec<u64> = (0..60).map(|_| clock.next_at(100)).collect();
        assert_eq!([0, 24, 25, 49, 50].map(|i| seconds[i]), [100, 100, 101, 101, 102]);
        assert_eq!(clock.next_at(101), 102);
        assert_eq!(clock.next_at(103), 103);
    }
}
