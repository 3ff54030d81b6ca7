//! One measurement of a key-value ledger over its REST door: values are written, or read.
//!
//! An answer to a write comes once it is committed and visible on the node that was asked, so it is the receipt too. The door
//! has no batches and announces nothing: there are single calls only, and when a write is visible on the other nodes is not seen.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tokio::time::{sleep, timeout};

use crate::book::Measured;
use crate::http::Connection;
use crate::pace::{Due, Pace, Schedule};
use crate::timeline::Timeline;
use crate::{Endpoint, Error};

const PATIENCE: Duration = Duration::from_secs(60);
const BREATH: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Values are put over older ones.
    Put,
    /// Values are read that were put before.
    Get,
}

/// What is accessed, and how.
#[derive(Clone, Copy, Debug)]
pub struct Values {
    pub access: Access,
    /// Different keys.
    pub keys: usize,
    /// Bytes in each value.
    pub size: usize,
    /// Stop after so many calls.
    pub total: Option<usize>,
}

/// Connections take turns with the nodes. `progress` hears how many calls were answered.
pub async fn run_values(
    nodes: &[Endpoint],
    connections: usize,
    values: Values,
    pace: Pace,
    mut progress: impl FnMut(u64),
) -> Result<Measured, Error> {
    if !pace.is_possible() || pace.batch != 1 || nodes.is_empty() || connections == 0 || values.keys == 0 {
        return Err(Error::Load("a run needs a node, a connection, a key, single calls and a rate above zero".into()));
    }
    let mut open = Vec::new();
    for i in 0..connections {
        let node = &nodes[i % nodes.len()];
        open.push((node, Connection::open(node).await?));
    }
    let started = Instant::now();
    let tally =
        RefCell::new(Tally { started, last: started, timeline: Timeline::new(started), measured: Measured::default() });
    let sending = open.into_iter().enumerate().map(|(lane, (node, connection))| {
        send(node, connection, values, Schedule { started, lane, lanes: connections, pace }, &tally)
    });
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

async fn send(
    node: &Endpoint,
    mut connection: Connection,
    values: Values,
    schedule: Schedule,
    tally: &RefCell<Tally>,
) -> Result<(), Error> {
    let Values { access, keys, size, total } = values;
    let mut value = vec![0; size];
    for call in 0.. {
        // All connections together go through the calls one by one.
        let number = call * schedule.lanes + schedule.lane;
        if total.is_some_and(|total| number >= total) {
            break;
        }
        let Some(Due { at, lateness }) = schedule.wait(call).await else { break };
        lateness.into_iter().for_each(|lateness| tally.borrow_mut().measured.lateness.record(lateness));
        let place = format!("kv/bench/{}", number % keys);
        let (method, body) = match access {
            Access::Put => {
                fill(&mut value, number as u64);
                ("PUT", &value[..])
            }
            Access::Get => ("GET", &[][..]),
        };
        let mut busy = 0;
        let well = loop {
            const OK: u16 = 200;
            const NOT_FOUND: u16 = 404;
            const UNAVAILABLE: u16 = 503;
            let asked = timeout(PATIENCE, connection.request(method, &place, body)).await;
            let (status, answer) = asked.map_err(|_| Error::Late { at: node.to_string(), what: place.clone() })??;
            match status {
                OK => break access == Access::Put || answer.len() == size,
                NOT_FOUND => break false,
                UNAVAILABLE if at.elapsed() < PATIENCE => busy += 1,
                _ => {
                    let what = format!("status {status} to {method} {place}");
                    return Err(Error::Foreign { at: node.to_string(), what });
                }
            }
            sleep(BREATH).await;
        };
        tally.borrow_mut().answered(at, well, busy);
    }
    tally.borrow_mut().measured.wire += connection.wire();
    Ok(())
}

/// Bytes that differ from call to call and do not compress (xorshift).
fn fill(value: &mut [u8], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for chunk in value.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        chunk.copy_from_slice(&state.to_le_bytes()[..chunk.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_differ_from_call_to_call() {
        let value = |seed| {
            let mut value = [0; 20];
            fill(&mut value, seed);
            value
        };
        assert_ne!(value(1), value(2));
        assert_eq!(value(7), value(7));
        assert!(value(0)[16..].iter().any(|byte| *byte != 0));
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
