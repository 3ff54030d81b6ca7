//! What is under way in a run, and what came of it.
//!
//! ```text
//! begin ──▶ under way ── receipts read from one node ──▶ its block ── announced by every node ──▶ counted
//! ```
//!
//! A receipt is there for clients of a node from the moment the node announces its block. Nodes take turns to show that it
//! really is: each block's receipts are read from one of them, so every announcement is checked on a share of the blocks.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use alloy_primitives::B256;
use alloy_primitives::map::B256HashMap;

use crate::Histogram;
use crate::follow::SeenBlock;
use crate::http::Wire;
use crate::timeline::{Slice, Timeline};
use crate::transaction::Signed;

/// Blocks whose hashes are kept, to be looked at again.
const REMEMBERED_MAX: usize = 4_096;

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Accepted by a node.
    pub sent: u64,
    /// Seen on every node.
    pub confirmed: u64,
    /// Of these, the ones that did not do what they were meant to.
    pub failed: u64,
    /// Answers that said "later"; the transaction was sent again.
    pub busy: u64,
    /// From the start to the last receipt.
    pub elapsed: Duration,
    /// From due to the call's answer.
    pub answer: Histogram,
    /// From due to when the receipt was on the node that the transaction was sent to.
    pub receipt: Histogram,
    /// From due to when it was on every node.
    pub everywhere: Histogram,
    /// From due to when the call was really made, where the connection was free: this client's own lateness.
    pub lateness: Histogram,
    /// Calls that were due before they were signed.
    pub unsigned: u64,
    /// The longest time in which something was under way and nothing was committed.
    pub stall: Duration,
    /// Blocks with transactions of this run.
    pub blocks: u64,
    /// Some of them, by number.
    pub remembered: BTreeMap<u64, B256>,
    pub slices: Vec<Slice>,
    /// Calls and their answers.
    pub wire: Wire,
}

impl Measured {
    #[must_use]
    pub fn per_second(&self) -> f64 {
        if self.confirmed == 0 { 0.0 } else { self.confirmed as f64 / self.elapsed.as_secs_f64() }
    }
}

pub(crate) struct Book {
    started: Instant,
    nodes: usize,
    under_way: B256HashMap<Sent>,
    heights: BTreeMap<u64, Height>,
    /// The newest block that any node announced, and when.
    head: u64,
    head_at: Instant,
    remember_every: u64,
    all_sent: bool,
    timeline: Timeline,
    pub measured: Measured,
}

#[derive(Clone, Copy)]
struct Sent {
    due: Instant,
    node: usize,
}

/// A block on its way to all nodes.
struct Height {
    announced: Vec<Option<Instant>>,
    /// Own transactions in it and whether they failed, once its receipts were read.
    receipts: Option<Vec<(Sent, bool)>>,
    hash: B256,
}

impl Book {
    pub fn new(nodes: usize, started: Instant) -> Self {
        Self {
            started,
            nodes,
            under_way: B256HashMap::default(),
            heights: BTreeMap::new(),
            head: 0,
            head_at: started,
            remember_every: 1,
            all_sent: false,
            timeline: Timeline::new(started),
            measured: Measured::default(),
        }
    }

    /// Before it is sent to this node, since its receipt may be seen before its answer.
    pub fn begin(&mut self, transactions: &[Signed], due: Instant, node: usize) {
        if self.idle() {
            self.head_at = Instant::now();
        }
        self.under_way.extend(transactions.iter().map(|signed| (signed.hash, Sent { due, node })));
    }

    pub fn answered(&mut self, transactions: usize, due: Instant, busy: u64) {
        self.measured.sent += transactions as u64;
        self.measured.busy += busy;
        self.measured.answer.record_many(due.elapsed(), transactions as u64);
    }

    pub fn announced(&mut self, node: usize, numbers: impl Iterator<Item = u64>, now: Instant) {
        for number in numbers {
            if number > self.head {
                let stall = now.saturating_duration_since(self.head_at);
                if !self.idle() {
                    self.measured.stall = self.measured.stall.max(stall);
                    self.timeline.stalled(now, stall);
                }
                (self.head, self.head_at) = (number, now);
            }
            self.height(number).announced[node] = Some(now);
            self.settle(number, now);
        }
    }

    /// Receipts of blocks that were asked for; a block without own transactions need not be among them.
    pub fn seen(&mut self, numbers: &[u64], blocks: &[SeenBlock]) {
        for number in numbers {
            self.height(*number).receipts.get_or_insert_default();
        }
        for block in blocks {
            // Others may use the network at the same time.
            let own = block.receipts.iter().filter_map(|receipt| {
                self.under_way.remove(&receipt.transaction).map(|sent| (sent, !receipt.succeeded))
            });
            let own: Vec<_> = own.collect();
            let height = self.height(block.number);
            height.hash = block.hash;
            height.receipts = Some(own);
        }
        let now = Instant::now();
        numbers.iter().for_each(|number| self.settle(*number, now));
    }

    pub fn all_sent(&mut self) {
        self.all_sent = true;
    }

    pub fn complete(&self) -> bool {
        self.all_sent && self.idle()
    }

    /// How many have no receipt yet.
    pub fn missing(&self) -> usize {
        self.under_way.len()
    }

    pub fn end(self) -> Measured {
        Measured { slices: self.timeline.slices(), ..self.measured }
    }

    fn idle(&self) -> bool {
        let own = |height: &Height| height.receipts.as_ref().is_some_and(|own| !own.is_empty());
        self.under_way.is_empty() && !self.heights.values().any(own)
    }

    fn height(&mut self, number: u64) -> &mut Height {
        let nodes = self.nodes;
        let fresh = || Height { announced: vec![None; nodes], receipts: None, hash: B256::ZERO };
        self.heights.entry(number).or_insert_with(fresh)
    }

    /// Counts a block that is on every node and whose receipts were read.
    fn settle(&mut self, number: u64, now: Instant) {
        let Some(height) = self.heights.get(&number) else { return };
        if height.receipts.is_none() || height.announced.contains(&None) {
            return;
        }
        let Some(Height { announced, receipts: Some(own), hash }) = self.heights.remove(&number) else { return };
        let measured = &mut self.measured;
        let Some(everywhere) = announced.iter().flatten().max() else { return };
        for (Sent { due, node }, failed) in &own {
            let on_own = announced[*node].unwrap_or(*everywhere);
            measured.receipt.record(on_own.saturating_duration_since(*due));
            let latency = everywhere.saturating_duration_since(*due);
            measured.everywhere.record(latency);
            self.timeline.record(now, latency);
            measured.confirmed += 1;
            measured.failed += u64::from(*failed);
        }
        if !own.is_empty() {
            measured.elapsed = now.duration_since(self.started);
            measured.blocks += 1;
            self.remember(number, hash);
        }
    }

    /// Evenly over the whole run, however long it is.
    fn remember(&mut self, number: u64, hash: B256) {
        let kept = &mut self.measured.remembered;
        if number.is_multiple_of(self.remember_every) {
            kept.insert(number, hash);
        }
        if kept.len() > REMEMBERED_MAX {
            self.remember_every *= 2;
            kept.retain(|number, _| number.is_multiple_of(self.remember_every));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follow::SeenReceipt;

    fn signed(n: u8) -> Signed {
        Signed { hash: B256::repeat_byte(n), raw: Box::default() }
    }

    fn block(number: u64, receipts: &[(u8, bool)]) -> SeenBlock {
        let receipt = |&(n, succeeded): &(u8, bool)| SeenReceipt { transaction: B256::repeat_byte(n), succeeded };
        let receipts = receipts.iter().map(receipt).collect();
        SeenBlock { number, hash: B256::repeat_byte(0xcc), receipts }
    }

    #[test]
    fn a_transaction_counts_once_it_is_on_every_node() {
        let started = Instant::now();
        let at = |ms| started + Duration::from_millis(ms);
        let mut book = Book::new(2, started);
        book.begin(&[signed(1), signed(2)], at(10), 1);
        book.answered(2, at(10), 0);
        book.announced(1, 7..=7, at(20));
        book.seen(&[7], &[block(7, &[(1, true), (9, true)])]);
        book.all_sent();
        assert_eq!((book.measured.confirmed, book.missing(), book.complete()), (0, 1, false));
        book.announced(0, 7..=8, at(50));
        book.announced(1, 8..=8, at(60));
        book.seen(&[8], &[block(8, &[(2, false)])]);
        assert!(book.complete());
        let measured = book.end();
        assert_eq!((measured.sent, measured.confirmed, measured.failed, measured.blocks), (2, 2, 1, 2));
        assert_eq!(measured.receipt.quantile(0.1).as_millis(), 10);
        assert_eq!((measured.everywhere.quantile(0.1).as_millis(), measured.everywhere.max().as_millis()), (40, 50));
        assert_eq!(measured.remembered.len(), 2);
    }

    #[test]
    fn blocks_without_own_transactions_are_forgotten() {
        let mut book = Book::new(1, Instant::now());
        book.all_sent();
        book.announced(0, 1..=3, Instant::now());
        book.seen(&[1, 2, 3], &[block(2, &[(5, true)])]);
        assert!(book.complete() && book.heights.is_empty() && book.measured.remembered.is_empty());
    }

    #[test]
    fn a_stall_is_a_wait_for_a_block_and_not_for_work() {
        let started = Instant::now();
        let mut book = Book::new(1, started);
        book.announced(0, 1..=1, started + Duration::from_secs(9));
        assert_eq!(book.measured.stall, Duration::ZERO);
        book.begin(&[signed(1)], started, 0);
        let begun = book.head_at;
        book.announced(0, 2..=2, begun + Duration::from_millis(300));
        assert_eq!(book.measured.stall, Duration::from_millis(300));
    }

    #[test]
    fn few_blocks_are_remembered_and_evenly() {
        let mut book = Book::new(1, Instant::now());
        (1..=100_000).for_each(|number| book.remember(number, B256::ZERO));
        let kept = &book.measured.remembered;
        assert!(kept.len() <= REMEMBERED_MAX && kept.len() > REMEMBERED_MAX / 2);
        assert!(kept.keys().zip(kept.keys().skip(1)).all(|(a, b)| b - a == book.remember_every));
    }
}
