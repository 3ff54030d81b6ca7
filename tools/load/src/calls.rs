//! One measurement of calls whose answer is all there is to wait for.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tokio::time::sleep;

use crate::Error;
use crate::book::Measured;
use crate::http::Wire;
use crate::pace::{Due, Pace, Schedule};
use crate::timeline::Timeline;

/// How long a call is made again, and how often.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const BREATH: Duration = Duration::from_millis(5);

/// One connection, and what is said over it.
pub(crate) trait Caller {
    /// Makes a call: of all connections' calls together the one with this number. Whether its answer was what it had to be;
    /// `None`: the node was too busy to give one.
    async fn call(&mut self, number: usize) -> Result<Option<bool>, Error>;

    /// What went over the connection.
    fn wire(&self) -> Wire;

    /// After the last call: puts in order what is left of them. It does not count.
    async fn end(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// All callers make calls until the time is over or `total` are made. `progress` hears how many were answered.
pub(crate) async fn run_calls<C: Caller>(
    callers: Vec<C>,
    total: Option<usize>,
    pace: Pace,
    mut progress: impl FnMut(u64),
) -> Result<Measured, Error> {
    if !pace.is_possible() || pace.batch != 1 || callers.is_empty() {
        return Err(Error::Load("a run needs a node, a connection, single calls and a rate above zero".into()));
    }
    let started = Instant::now();
    let tally =
        RefCell::new(Tally { started, last: started, timeline: Timeline::new(started), measured: Measured::default() });
    let lanes = callers.len();
    let sending = callers
        .into_iter()
        .enumerate()
        .map(|(lane, caller)| send(caller, total, Schedule { started, lane, lanes, pace }, &tally));
    let showing = async {
        loop {
            sleep(Duration::from_millis(200)).await;
            progress(tally.borrow().measured.confirmed);
        }
    };
    tokio::select! {
        sent = try_join_all(sending) => { sent?; }
        never = showing => never,
    }
    let Tally { timeline, measured, .. } = tally.into_inner();
    Ok(Measured { slices: timeline.slices(), ..measured })
}

struct Tally {
    started: Instant,
    /// When something was answered last.
    last: Instant,
    timeline: Timeline,
    measured: Measured,
}

impl Tally {
    fn answered(&mut self, due: Instant, well: bool, busy: u64) {
        let now = Instant::now();
        let latency = now.saturating_duration_since(due);
        let stall = now.duration_since(self.last.max(due.min(now)));
        let measured = &mut self.measured;
        measured.answer.record(latency);
        measured.receipt.record(latency);
        measured.sent += 1;
        measured.confirmed += 1;
        measured.failed += u64::from(!well);
        measured.busy += busy;
        measured.elapsed = now.duration_since(self.started);
        measured.stall = measured.stall.max(stall);
        self.timeline.record(now, latency);
        self.timeline.stalled(now, stall);
        self.last = now;
    }
}

async fn send<C: Caller>(
    mut caller: C,
    total: Option<usize>,
    schedule: Schedule,
    tally: &RefCell<Tally>,
) -> Result<(), Error> {
    for call in 0.. {
        // All connections together go through the calls one by one.
        let number = call * schedule.lanes + schedule.lane;
        if total.is_some_and(|total| number >= total) {
            break;
        }
        let Some(Due { at, lateness }) = schedule.wait(call).await else { break };
        lateness.into_iter().for_each(|lateness| tally.borrow_mut().measured.lateness.record(lateness));
        let mut busy = 0;
        let well = loop {
            match caller.call(number).await? {
                Some(well) => break well,
                None if at.elapsed() < PATIENCE => busy += 1,
                None => break false,
            }
            sleep(BREATH).await;
        };
        tally.borrow_mut().answered(at, well, busy);
    }
    tally.borrow_mut().measured.wire += caller.wire();
    caller.end().await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers at once: wrongly every fifth time, after having been busy every third.
    struct Moody(bool);

    impl Caller for Moody {
        async fn call(&mut self, number: usize) -> Result<Option<bool>, Error> {
            self.0 = number.is_multiple_of(3) && !self.0;
            Ok((!self.0).then_some(!number.is_multiple_of(5)))
        }

        fn wire(&self) -> Wire {
            Wire { sent: 7, received: 0 }
        }
    }

    #[tokio::test]
    async fn every_call_is_answered_once_and_counted_as_it_was() {
        let pace = Pace { batch: 1, rate: None, length: None };
        let measured = run_calls(vec![Moody(false), Moody(false)], Some(30), pace, |_| {}).await.unwrap();
        assert_eq!((measured.confirmed, measured.failed, measured.busy), (30, 6, 10));
        assert_eq!(measured.wire.sent, 14);
    }

    #[test]
    fn an_idle_time_is_no_stall() {
        let started = Instant::now().checked_sub(Duration::from_secs(10)).unwrap();
        let timeline = Timeline::new(started);
        let mut tally = Tally { started, last: started, timeline, measured: Measured::default() };
        tally.answered(Instant::now(), true, 0);
        assert!(tally.measured.stall < Duration::from_secs(5));
        assert_eq!((tally.measured.confirmed, tally.measured.failed), (1, 0));
    }
}
