//! A histogram of durations with a bounded error and a bounded size.
//!
//! Buckets are powers of two of microseconds, each cut into 64 equal parts: a value is off by less than 1/64, up to 2^40 µs (12 days).

use std::time::Duration;

const PARTS_LOG2: u32 = 6;
const PARTS: usize = 1 << PARTS_LOG2;
const OCTAVES: usize = 40;

/// Durations, counted in buckets.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum_micros: u128,
    max_micros: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; OCTAVES * PARTS], count: 0, sum_micros: 0, max_micros: 0 }
    }
}

impl Histogram {
    pub fn record(&mut self, duration: Duration) {
        self.record_many(duration, 1);
    }

    /// The same duration several times.
    pub fn record_many(&mut self, duration: Duration, times: u64) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket(micros)] += times;
        self.count += times;
        self.sum_micros += u128::from(micros) * u128::from(times);
        self.max_micros = self.max_micros.max(micros);
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The value that `share` (0 to 1) of all values do not exceed; zero if there are none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = ((self.count as f64 * share).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (i, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_micros(upper(i).min(self.max_micros));
            }
        }
        Duration::ZERO
    }

    #[must_use]
    pub fn mean(&self) -> Duration {
        let mean = self.sum_micros.checked_div(u128::from(self.count)).unwrap_or(0);
        Duration::from_micros(u64::try_from(mean).unwrap_or(u64::MAX))
    }

    #[must_use]
    pub fn max(&self) -> Duration {
        Duration::from_micros(self.max_micros)
    }
}

/// Values below 64 have a bucket each; above, the leading seven bits choose it.
fn bucket(micros: u64) -> usize {
    let octave = (64 - micros.leading_zeros()).saturating_sub(PARTS_LOG2 + 1);
    let index = ((octave as usize) << PARTS_LOG2) + (micros >> octave) as usize;
    index.min(OCTAVES * PARTS - 1)
}

/// The largest value of a bucket.
fn upper(index: usize) -> u64 {
    if index < 2 * PARTS {
        return index as u64;
    }
    let octave = (index >> PARTS_LOG2) - 1;
    let lead = (index - (octave << PARTS_LOG2)) as u64;
    ((lead + 1) << octave) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket_and_is_off_by_less_than_a_sixtyfourth(micros in 0_u64..1 << 40) {
            let upper = upper(bucket(micros));
            prop_assert!(micros <= upper);
            prop_assert!((upper - micros) * 64 <= micros);
        }
    }

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        for index in 0..1_500 {
            assert_eq!(bucket(upper(index)), index);
            assert_eq!(bucket(upper(index) + 1), index + 1);
        }
    }

    #[test]
    fn quantiles_are_ranks() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), Duration::ZERO);
        (1..=100).for_each(|ms| histogram.record(Duration::from_micros(ms)));
        assert_eq!(histogram.quantile(0.5), Duration::from_micros(50));
        assert_eq!(histogram.quantile(0.99), Duration::from_micros(99));
        assert_eq!(histogram.quantile(1.0), Duration::from_micros(100));
        assert_eq!(histogram.quantile(0.0), Duration::from_micros(1));
        assert_eq!(histogram.mean(), Duration::from_micros(50));
        assert_eq!((histogram.count(), histogram.max()), (100, Duration::from_micros(100)));
    }

    #[test]
    fn what_is_longer_than_any_bucket_is_counted_in_the_last() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::MAX);
        assert_eq!(histogram.count(), 1);
        assert!(histogram.quantile(0.5) > Duration::from_secs(86_400));
    }
}
