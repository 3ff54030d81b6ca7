//! The network between the nodes: it loses, delays, doubles and reorders, and can be cut one way or both ways.

use std::collections::BTreeSet;

use consensus::Member;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub struct Network {
    /// Nothing passes from the first to the second.
    pub cut: BTreeSet<(Member, Member)>,
    /// Of a thousand messages, so many are lost.
    pub loss: u32,
    /// Of a thousand messages, so many arrive twice.
    pub doubles: u32,
    /// The longest way, in moments; the shortest is one. Messages overtake each other by it.
    pub delay: u64,
}

impl Network {
    pub const fn calm() -> Self {
        Self { cut: BTreeSet::new(), loss: 0, doubles: 0, delay: 4 }
    }

    /// When the copies of a message arrive, counted from now: none, one or two.
    pub fn route(&self, from: Member, to: Member, rng: &mut ChaCha8Rng) -> Vec<u64> {
        if self.cut.contains(&(from, to)) || rng.random_ratio(self.loss, 1000) {
            return Vec::new();
        }
        let copies = 1 + usize::from(rng.random_ratio(self.doubles, 1000));
        (0..copies).map(|_| rng.random_range(1..=self.delay)).collect()
    }
}
