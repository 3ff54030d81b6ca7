//! How fast to send, and when each call is due.

use std::time::{Duration, Instant};

use tokio::time::sleep_until;

#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Transactions in one request; 1 = single calls.
    pub batch: usize,
    /// Transactions a second over all connections; `None` = as fast as the answers come.
    pub rate: Option<f64>,
    /// When to stop sending.
    pub length: Option<Duration>,
}

impl Pace {
    pub(crate) fn is_possible(&self) -> bool {
        self.batch > 0 && self.rate.is_none_or(|rate| rate > 0.0 && rate.is_finite())
    }
}

/// When one connection's calls are due.
#[derive(Clone, Copy)]
pub(crate) struct Schedule {
    pub started: Instant,
    pub lane: usize,
    pub lanes: usize,
    pub pace: Pace,
}

/// A call that may be made now.
pub(crate) struct Due {
    /// What its latency counts from.
    pub at: Instant,
    /// How late this client is by itself, if it is known: the connection was free when the call became due.
    pub lateness: Option<Duration>,
}

impl Schedule {
    /// Waits until a call is due; `None` once the run is over.
    ///
    /// Without a rate a call is due when the one before it was answered. With one, it is due at its time: one that has to
    /// wait for the answer before it is late from then on, so that a node which pauses is not asked less often.
    pub async fn wait(&self, call: usize) -> Option<Due> {
        let Some(at) = self.due(call) else {
            let at = Instant::now();
            return (!self.over(at)).then_some(Due { at, lateness: None });
        };
        if self.over(at) {
            return None;
        }
        let free = Instant::now() <= at;
        sleep_until(at.into()).await;
        Some(Due { at, lateness: free.then(|| at.elapsed()) })
    }

    /// Calls of all lanes alternate at equal distances.
    fn due(&self, call: usize) -> Option<Instant> {
        let rate = self.pace.rate?;
        let before = (call * self.lanes + self.lane) * self.pace.batch;
        Some(self.started + Duration::from_secs_f64(before as f64 / rate))
    }

    fn over(&self, due: Instant) -> bool {
        self.pace.length.is_some_and(|length| due.duration_since(self.started) >= length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { batch: 10, rate: Some(1_000.0), length: Some(Duration::from_millis(100)) };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_rate_is_spread_over_lanes_at_equal_distances() {
        let started = Instant::now();
        let due = |lane, call| Schedule { started, lane, lanes: 2, pace: PACE }.due(call).unwrap() - started;
        assert_eq!([due(0, 0), due(1, 0), due(0, 1), due(1, 1)], [ms(0), ms(10), ms(20), ms(30)]);
        let schedule = Schedule { started, lane: 0, lanes: 1, pace: PACE };
        assert!(schedule.over(started + ms(100)) && !schedule.over(started + ms(99)));
        assert_eq!(Schedule { pace: Pace { rate: None, ..PACE }, ..schedule }.due(5), None);
        assert!(PACE.is_possible() && !Pace { batch: 0, ..PACE }.is_possible());
        assert!(
            !Pace { rate: Some(0.0), ..PACE }.is_possible() && !Pace { rate: Some(f64::NAN), ..PACE }.is_possible()
        );
    }

    #[tokio::test]
    async fn a_call_whose_time_has_passed_is_late_from_its_time() {
        let started = Instant::now().checked_sub(ms(50)).unwrap();
        let schedule = Schedule { started, lane: 0, lanes: 1, pace: PACE };
        let due = schedule.wait(2).await.unwrap();
        assert_eq!((due.at - started, due.lateness), (ms(20), None));
        assert!(schedule.wait(10).await.is_none());
        let due = schedule.wait(9).await.unwrap();
        assert!(due.lateness.is_some() && Instant::now() >= due.at);
    }
}
