//! Election timeouts from a seed.
//!
//! The library draws them from the thread's own source whenever its role or view changes. The driver replaces every
//! such draw, so that a run can be repeated. The draws only spread elections; nothing secret hangs on them.

use base::View;

use crate::{Config, Member};

/// The sequence of one node's timeouts (the finalizer of splitmix64 over a counter).
pub struct Timeouts {
    min: u64,
    state: u64,
    current: usize,
}

impl Timeouts {
    pub fn new(config: &Config, view: View) -> Self {
        let Member(id) = config.id;
        let mut timeouts = Self { min: u64::from(config.election_ticks), state: config.seed, current: 0 };
        // Nodes may share a seed, and a restarted node must not repeat what it drew before.
        timeouts.state ^= mix(id).rotate_left(17) ^ mix(view.0).rotate_left(34);
        timeouts.draw();
        timeouts
    }

    /// The timeout that holds now, at least one election timeout and below two.
    pub const fn current(&self) -> usize {
        self.current
    }

    /// The next one.
    pub fn draw(&mut self) {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        // The bound is below 2^33, so the sum fits any machine this runs on.
        self.current = (self.min + mix(self.state) % self.min) as usize;
    }
}

const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(id: u64, seed: u64, view: u64) -> Vec<usize> {
        let mut timeouts = Timeouts::new(&Config::new(Member(id), vec![Member(id)], seed), View(view));
        let next = |_| {
            timeouts.draw();
            timeouts.current()
        };
        (0..200).map(next).collect()
    }

    #[test]
    fn draws_repeat_with_the_seed_and_differ_between_nodes_seeds_and_restarts() {
        assert_eq!(draws(1, 7, 1), draws(1, 7, 1));
        for other in [draws(2, 7, 1), draws(1, 8, 1), draws(1, 7, 2)] {
            assert_ne!(draws(1, 7, 1), other);
        }
    }

    #[test]
    fn draws_cover_one_to_two_election_timeouts() {
        let drawn = draws(1, 7, 1);
        for timeout in 10..20 {
            assert!(drawn.contains(&timeout), "{timeout}");
        }
        assert!(drawn.iter().all(|timeout| (10..20).contains(timeout)));
    }
}
