//! Whether a long measurement ended as it began: its last third is compared with its first.

use std::time::Duration;

use load::Slice;

/// Thirds of fewer slices say nothing.
const SLICES_MIN: usize = 6;
/// Latency has drifted if it grew by more than a quarter and by more than a clock's grain.
const LATENCY_GROWTH: f64 = 1.25;
const LATENCY_GRAIN: Duration = Duration::from_millis(2);
/// Memory has drifted if it grew by more than a tenth and by more than what allocators keep back.
const MEMORY_GROWTH: f64 = 1.1;
const MEMORY_GRAIN: f64 = (32 << 20) as f64;

/// Memory of every node at the end of a slice.
pub type Resident = Vec<(u64, u64)>;

/// The first third and the last: the middle one of their slices.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    pub p50: [Duration; 2],
    pub p99: [Duration; 2],
    /// Of the node that holds most; `None` if the nodes are elsewhere.
    pub resident_bytes: Option<[f64; 2]>,
}

impl Drift {
    /// `None` if the measurement was too short to tell.
    pub fn of(slices: &[Slice], memory: &[Resident]) -> Option<Self> {
        // The last slice is not whole.
        let whole = &slices[..slices.len().saturating_sub(1)];
        if whole.len() < SLICES_MIN {
            return None;
        }
        let of = |value: fn(&Slice) -> Duration| {
            ends(whole).map(|slices| middle(slices.iter().map(value).collect()).unwrap_or_default())
        };
        let largest = |node: &Resident| node.iter().map(|(_, bytes)| *bytes).max();
        let memory: Vec<u64> = memory.iter().filter_map(largest).collect();
        let resident = (memory.len() >= SLICES_MIN)
            .then(|| ends(&memory).map(|bytes| middle(bytes.to_vec()).unwrap_or_default() as f64));
        Some(Self { p50: of(|slice| slice.p50), p99: of(|slice| slice.p99), resident_bytes: resident })
    }

    pub fn latency_drifted(&self) -> bool {
        let drifted = |[first, last]: [Duration; 2]| {
            last > first + LATENCY_GRAIN && last.as_secs_f64() > first.as_secs_f64() * LATENCY_GROWTH
        };
        drifted(self.p50) || drifted(self.p99)
    }

    pub fn memory_drifted(&self) -> bool {
        self.resident_bytes.is_some_and(|[first, last]| last > first + MEMORY_GRAIN && last > first * MEMORY_GROWTH)
    }
}

fn ends<T>(all: &[T]) -> [&[T]; 2] {
    let third = all.len() / 3;
    [&all[..third], &all[all.len() - third..]]
}

fn middle<T: Ord + Copy>(mut all: Vec<T>) -> Option<T> {
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(p99: impl Fn(u64) -> u64) -> Vec<Slice> {
        let slice = |i| Slice { p50: Duration::from_millis(5), p99: Duration::from_millis(p99(i)), ..Slice::default() };
        (0..31).map(slice).collect()
    }

    fn memory(mib: impl Fn(u64) -> u64) -> Vec<Resident> {
        (0..30).map(|i| vec![(1, 1), (2, mib(i) << 20)]).collect()
    }

    #[test]
    fn steady_is_no_drift_and_one_spike_neither() {
        let drift = Drift::of(&slices(|i| if i == 28 { 900 } else { 20 }), &memory(|i| 400 + i)).unwrap();
        assert_eq!(drift.p99, [20, 20].map(Duration::from_millis));
        assert!(!drift.latency_drifted() && !drift.memory_drifted());
    }

    #[test]
    fn what_grows_is_found() {
        let drift = Drift::of(&slices(|i| 20 + i), &memory(|i| 400 + 10 * i)).unwrap();
        assert!(drift.latency_drifted() && drift.memory_drifted());
    }

    #[test]
    fn a_short_run_and_nodes_elsewhere_say_nothing() {
        assert_eq!(Drift::of(&slices(|_| 1)[..6], &[]), None);
        let drift = Drift::of(&slices(|_| 1), &vec![Resident::new(); 30]).unwrap();
        assert!(drift.resident_bytes.is_none() && !drift.memory_drifted());
    }
}
