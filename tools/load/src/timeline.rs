//! A long run in slices of five seconds: small enough to see a stall, few enough to keep all.

use std::time::{Duration, Instant};

use crate::Histogram;

pub const SLICE: Duration = Duration::from_secs(5);

/// One slice of a run.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Slice {
    /// Seen on every node in it.
    pub transactions: u64,
    pub p50: Duration,
    pub p99: Duration,
    pub max: Duration,
    /// The longest time that ended in it in which something was under way and nothing was committed.
    pub stall: Duration,
}

/// Slices, the last one still open.
#[derive(Clone, Debug)]
pub struct Timeline {
    started: Instant,
    done: Vec<Slice>,
    open: Histogram,
    stall: Duration,
}

impl Timeline {
    pub fn new(started: Instant) -> Self {
        Self { started, done: Vec::new(), open: Histogram::default(), stall: Duration::ZERO }
    }

    pub fn record(&mut self, now: Instant, latency: Duration) {
        self.advance(now);
        self.open.record(latency);
    }

    pub fn stalled(&mut self, now: Instant, stall: Duration) {
        self.advance(now);
        self.stall = self.stall.max(stall);
    }

    /// All slices, once the run is over.
    #[must_use]
    pub fn slices(mut self) -> Vec<Slice> {
        if self.open.count() > 0 {
            self.close();
        }
        self.done
    }

    fn advance(&mut self, now: Instant) {
        let current = (now.duration_since(self.started).as_nanos() / SLICE.as_nanos()) as usize;
        while self.done.len() < current {
            self.close();
        }
    }

    fn close(&mut self) {
        self.done.push(Slice {
            transactions: self.open.count(),
            p50: self.open.quantile(0.5),
            p99: self.open.quantile(0.99),
            max: self.open.max(),
            stall: std::mem::take(&mut self.stall),
        });
        self.open = Histogram::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_follow_each_other_and_an_empty_one_is_there_too() {
        let started = Instant::now();
        let mut timeline = Timeline::new(started);
        let at = |ms| started + Duration::from_millis(ms);
        let ms = Duration::from_millis;
        timeline.record(at(0), ms(1));
        timeline.record(at(4_999), ms(3));
        timeline.record(at(15_000), ms(9));
        timeline.stalled(at(15_001), ms(10_001));
        let slices = timeline.slices();
        assert_eq!(slices.iter().map(|slice| slice.transactions).collect::<Vec<_>>(), [2, 0, 0, 1]);
        assert_eq!((slices[0].max, slices[1].p99, slices[3].stall), (ms(3), Duration::ZERO, ms(10_001)));
    }
}
