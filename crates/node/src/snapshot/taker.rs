//! When a snapshot is taken: now and then while the node runs, when members want one, and at a planned stop.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use adapter::{Fault, Node};
use base::Seqno;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use ledger::tables::{LEDGER_FILES, SNAPSHOT_WANTED};

use super::{Folder, Pace, SnapshotError, io_error};
use crate::background;
use crate::history::Archive;

/// A snapshot is taken once the ledger has grown so much since the last one: about a second of a later start …
const LEDGER_BYTES: u64 = 128 << 20;
/// … and at least so many times the last one's size, so that what is written for snapshots stays a fraction of what is
/// written anyway.
const TIMES_ITS_SIZE: u64 = 4;
/// At a planned stop less is worth one: reading it back must be quicker than reading the ledger.
const LEDGER_BYTES_AT_STOP: u64 = 16 << 20;
const PART_OF_ITS_SIZE_AT_STOP: u64 = 4;
/// How often the ledger's length is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After a failure, a full disk say, it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(60);
/// How long the ledger file may take to have what the state has.
const LEDGER_PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AT_LEDGER_EVERY: Duration = Duration::from_millis(50);

/// The newest snapshot that is known to be good.
#[derive(Clone, Copy)]
pub struct Last {
    pub seqno: Seqno,
    pub bytes: u64,
}

/// Takes snapshots of what readers see: the road knows nothing of it.
pub struct Taker {
    pub folder: Folder,
    pub archive: Arc<Archive>,
    pub node: Node,
    pub last: Option<Last>,
}

impl Taker {
    /// Runs until `stop` is closed, which is once the ledger file is complete.
    pub fn run(mut self, stop: &Receiver<()>) -> Result<(), Fault> {
        background::step_back();
        if let Some(last) = self.last {
            show(last);
        }
        let mut not_before = Instant::now();
        while stop.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            if (self.is_due() || self.is_wanted()) && Instant::now() >= not_before && !self.attempt(Pace::Gentle) {
                not_before = Instant::now() + RETRY_AFTER;
            }
        }
        if self.is_worth_it_at_stop() {
            self.attempt(Pace::Quick);
        }
        Ok(())
    }

    fn is_due(&self) -> bool {
        let (grown, last) = self.grown();
        grown >= LEDGER_BYTES.max(last.saturating_mul(TIMES_ITS_SIZE))
    }

    /// Members decided on one since the last.
    fn is_wanted(&self) -> bool {
        let snapshot = self.node.snapshot();
        let table = snapshot.state().tables().find(LEDGER_FILES);
        let row = table.and_then(|table| snapshot.state().version(table, SNAPSHOT_WANTED).ok().flatten());
        row.is_some_and(|wanted| self.last.is_none_or(|last| last.seqno < wanted))
    }

    fn is_worth_it_at_stop(&self) -> bool {
        let (grown, last) = self.grown();
        grown >= LEDGER_BYTES_AT_STOP.max(last / PART_OF_ITS_SIZE_AT_STOP)
    }

    /// By how much the ledger has grown since the last snapshot, and that one's size.
    fn grown(&self) -> (u64, u64) {
        let last = self.last.unwrap_or(Last { seqno: Seqno(0), bytes: 0 });
        (self.archive.files.bytes_behind(last.seqno), last.bytes)
    }

    /// A failure is no reason to stop: without a snapshot the next start takes longer.
    fn attempt(&mut self, pace: Pace) -> bool {
        let began = Instant::now();
        match self.take(pace) {
            Ok(last) => {
                let seconds = began.elapsed().as_secs_f64();
                metrics::gauge!("coco_snapshot_seconds").set(seconds);
                show(last);
                tracing::info!(seqno = last.seqno.0, bytes = last.bytes, seconds, "a snapshot of the state is on disk");
                true
            }
            Err(error) => {
                metrics::counter!("coco_snapshots_failed_total").increment(1);
                tracing::warn!(%error, "no snapshot of the state could be taken; it is tried again later");
                false
            }
        }
    }

    fn take(&mut self, pace: Pace) -> Result<Last, SnapshotError> {
        let state = self.node.snapshot().state().bare();
        let seqno = state.seqno();
        self.wait_for_ledger(seqno)?;
        let head = self.archive.files.head_at(seqno, &self.archive.keys, None)?;
        let bytes = self.folder.take(&state, &head, &self.archive.keys, pace)?;
        let last = Last { seqno, bytes };
        let before = self.last.replace(last);
        // Two, in case the newest does not open one day.
        let kept: Vec<Seqno> = before.into_iter().chain([last]).map(|last| last.seqno).collect();
        self.folder.keep(&kept);
        Ok(last)
    }

    /// A snapshot of more than the ledger file has would be of no use after a crash.
    fn wait_for_ledger(&self, seqno: Seqno) -> Result<(), SnapshotError> {
        let until = Instant::now() + LEDGER_PATIENCE;
        while self.archive.files.durable() < seqno {
            if Instant::now() >= until {
                return Err(io_error("taken")(std::io::Error::other("the ledger file lags behind")));
            }
            thread::sleep(LOOK_AT_LEDGER_EVERY);
        }
        Ok(())
    }
}

fn show(last: Last) {
    metrics::gauge!("coco_snapshot_seqno").set(last.seqno.0 as f64);
    metrics::gauge!("coco_snapshot_bytes").set(last.bytes as f64);
}
