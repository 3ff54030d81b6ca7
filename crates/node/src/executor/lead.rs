//! The executor of a primary.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use adapter::{Committed, Fault, Opening, Reject};
use base::{Seqno, TxId, View};
use bytes::Bytes;
use crossbeam_channel::Receiver;
use kv::{Finished, WriteSet};
use ledger::Head;

use super::Executor;
use super::batch::{Executed, Open};
use super::hosting::Refusals;
use crate::peers::Peers;
use crate::publisher::{Answer, Publication, Published};
use crate::sealer::{ClosedBatch, Draft, SealedBatch};
use crate::work::{Pending, Ready, Waiting};

/// Batches that are sealed or on their way. One: the next executes meanwhile, and closes when the first is committed.
const IN_FLIGHT_MAX: usize = 1;
/// Under a flood a free log is not kept waiting for the batch to fill.
const CLOSE_EAGERLY_AT: usize = 512;
/// Work that arrives while the open batch cannot close is looked for this often.
const NAP_MAX: Duration = Duration::from_micros(500);
/// A batch costs all nodes together about a millisecond of processor time, whatever is in it. So the road rests this long for
/// every entry of a batch before the next one closes: not noticeably after one of a single caller …
const REST_PER_ENTRY: Duration = Duration::from_millis(1);
/// … and this long at most: at most 250 batches a second, of as many entries as come …
const REST_MAX: Duration = Duration::from_millis(4);
/// … and no longer than until so many entries are there, which share what a batch costs: callers that all wait for the last
/// batch send no more until it is answered, and a rest would only let both sides idle.
const REST_ENTRIES: usize = 40;

/// What a primary has beside the store.
pub struct Leading {
    view: View,
    pub(super) open: Option<Open>,
    in_flight: VecDeque<InFlight>,
    ready: Ready,
    /// Work that waits, by hosted ledger.
    waiting: Vec<Waiting>,
    refusals: Refusals,
    /// Hosted ledgers that members decided to open and that have not begun.
    pub(super) unopened: VecDeque<usize>,
    /// Milliseconds since 1970 of the last batch.
    time: u64,
    /// The next batch closes then, at the earliest.
    rests_until: Instant,
}

/// A batch that was closed and is not committed.
struct InFlight {
    /// Of its signature.
    txid: TxId,
    /// Once it is sealed.
    entries: Vec<(Seqno, WriteSet)>,
    answers: Vec<Answer>,
}

impl Leading {
    /// Whether the next piece of work begins a batch. One that nothing came of is begun anew: it would tell a time
    /// that is long over.
    pub(super) fn needs_opening(&self) -> bool {
        self.open.as_ref().is_none_or(|open| open.is_empty() && open.opening.time < now())
    }

    /// How long the open batch has to wait yet, though the log is free.
    fn rest(&self) -> Option<Duration> {
        let open = self.open.as_ref().filter(|open| !open.is_empty() && !open.is_full())?;
        if open.drafts.len() >= REST_ENTRIES || self.in_flight.len() >= IN_FLIGHT_MAX {
            return None;
        }
        self.rests_until.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero())
    }

    /// Drops what is not on its way, and gives the answers that may still become due.
    pub fn abandon(self, peers: &Peers) -> Vec<(TxId, Vec<Answer>)> {
        let Self { open, in_flight, mut ready, .. } = self;
        let lost = open.into_iter().flat_map(|open| open.answers).map(|answer| answer.to);
        let queued = std::iter::from_fn(|| ready.next()).map(|pending| pending.reply);
        for reply in lost.chain(queued) {
            reply.answer(peers, Err(Reject::unavailable()));
        }
        in_flight.into_iter().map(|batch| (batch.txid, batch.answers)).collect()
    }
}

/// How long the road rests after a batch of so many entries closed.
fn rest_after(entries: usize) -> Duration {
    REST_PER_ENTRY.saturating_mul(u32::try_from(entries).unwrap_or(u32::MAX)).min(REST_MAX)
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    u64::try_from(now).unwrap_or(u64::MAX)
}

impl Executor {
    /// This node is the primary from here on.
    pub(super) fn lead(&mut self, view: View) -> Result<(), Fault> {
        tracing::info!(view = view.0, seqno = self.committed.seqno().0, "this node is the primary");
        self.leading = Some(Leading {
            view,
            open: None,
            in_flight: VecDeque::new(),
            ready: Ready::default(),
            waiting: Vec::new(),
            refusals: Refusals::default(),
            unopened: VecDeque::new(),
            time: 0,
            rests_until: Instant::now(),
        });
        self.note_ledgers(1);
        if self.committed.seqno() == Seqno(0) {
            self.found()?;
        }
        self.open_ledgers()?;
        self.open_to_work();
        Ok(())
    }

    /// Writes the first batch of a service: its own tables, then what governance starts from.
    fn found(&mut self) -> Result<(), Fault> {
        let opening = self.opening()?;
        let mut open = Open::new(opening, self.refusals()?);
        let genesis = self.tools.genesis.as_ref();
        let genesis =
            genesis.ok_or_else(|| Fault::new("a node that joined was made the primary of an empty ledger"))?;
        for writes in genesis.entries() {
            open.keep(&mut self.store, Draft { writes, claims: base::Digest::ZERO, slot: None });
        }
        for adapter in self.ledgers.iter().filter_map(|ledger| ledger.adapter()) {
            let mut tx = self.store.tx();
            adapter.open(&mut tx)?;
            let finished = tx.finish();
            if !finished.writes.is_empty() {
                let Finished { writes, claims, .. } = finished;
                open.keep(&mut self.store, Draft { writes, claims, slot: None });
            }
        }
        self.derive_anew()?;
        self.close(open)
    }

    /// What each hosted ledger tells those who bring it work, if it takes none.
    pub(super) fn refusals(&mut self) -> Result<Vec<Option<Reject>>, Fault> {
        let Some(leading) = &mut self.leading else { return Ok(Vec::new()) };
        leading.refusals.at(self.store.head(), &self.tools.tables, &self.ledgers)
    }

    pub(super) fn opening(&mut self) -> Result<Opening, Fault> {
        let first = self.store.head().seqno().next();
        let leading = self.leading.as_mut().ok_or_else(|| Fault::new("a batch was opened on a backup"))?;
        leading.time = leading.time.max(now());
        Ok(Opening {
            time: leading.time,
            view: leading.view,
            first,
            entropy: crypto::random::<32>().map_err(Fault::new)?,
        })
    }

    /// How long to look at commands alone: an open batch that cannot close now is not kept waiting by work that comes
    /// meanwhile, and to wake up for each piece of it costs more than to run it.
    pub(super) fn nap(&self) -> Option<Duration> {
        let leading = self.leading.as_ref()?;
        let waits = leading.open.as_ref().is_some_and(|open| !open.is_empty()) && !leading.in_flight.is_empty();
        let rest = leading.rest();
        (waits || rest.is_some()).then(|| rest.map_or(NAP_MAX, |rest| rest.min(NAP_MAX)))
    }

    /// Whether work may run now.
    pub(super) fn wants_work(&self) -> bool {
        let full = |open: &Open| open.is_full();
        self.leading.as_ref().is_some_and(|leading| !leading.open.as_ref().is_some_and(full))
    }

    /// Runs the next piece of work, if there is one and it may run. A free log goes before a long queue.
    pub(super) fn execute_next(&mut self, work: &Receiver<Pending>) -> Result<bool, Fault> {
        if !self.wants_work() {
            return Ok(false);
        }
        let Some(leading) = self.leading.as_mut() else { return Ok(false) };
        let executed = leading.open.as_ref().map_or(0, |open| open.drafts.len());
        if executed >= CLOSE_EAGERLY_AT && leading.in_flight.len() < IN_FLIGHT_MAX {
            return Ok(false);
        }
        let Some(pending) = leading.ready.next().or_else(|| work.try_recv().ok()) else { return Ok(false) };
        self.execute(pending)?;
        Ok(true)
    }

    pub(super) fn execute(&mut self, pending: Pending) -> Result<(), Fault> {
        if self.leading.as_ref().is_some_and(Leading::needs_opening) {
            let open = Open::new(self.opening()?, self.refusals()?);
            if let Some(leading) = &mut self.leading {
                leading.open = Some(open);
            }
        }
        let Some(Leading { open: Some(open), in_flight, ready, waiting, .. }) = &mut self.leading else {
            self.tools.route.send(pending);
            return Ok(());
        };
        let slot = usize::from(pending.work.ledger.0);
        waiting.resize_with(self.ledgers.len(), Waiting::default);
        match open.execute(pending, &mut self.store, &self.ledgers)? {
            Executed::Kept { wakes } => {
                let woken = wakes.and_then(|key| waiting[slot].take(&key));
                woken.into_iter().for_each(|(work, room)| ready.wake(work, room));
            }
            Executed::Idle(answer) => match (open.is_empty(), in_flight.back_mut()) {
                (false, _) => open.answers.push(answer),
                (true, Some(batch)) => batch.answers.push(answer),
                (true, None) => self.publish(Publication::Answer(answer)),
            },
            Executed::Refused(reply, reject) => reply.answer(&self.tools.peers, Err(reject)),
            Executed::Later(pending, wait) => {
                let answer = waiting[slot].put(wait, pending.work, pending.room).map(|()| adapter::Submitted::Waiting);
                metrics::gauge!("coco_work_waiting").set(waiting.iter().map(Waiting::len).sum::<usize>() as f64);
                pending.reply.answer(&self.tools.peers, answer);
            }
            Executed::NotNow(pending) => ready.put_back(pending),
        }
        Ok(())
    }

    /// Closes the open batch if the log is free and the batch has anything in it.
    pub(super) fn close_if_due(&mut self) -> Result<bool, Fault> {
        let Some(leading) = &mut self.leading else { return Ok(false) };
        if leading.in_flight.len() >= IN_FLIGHT_MAX || leading.rest().is_some() {
            return Ok(false);
        }
        let Some(open) = leading.open.take_if(|open| !open.is_empty()) else { return Ok(false) };
        self.close(open)?;
        self.open_ledgers()?;
        Ok(true)
    }

    /// Ends a batch and gives it to the sealer.
    fn close(&mut self, mut open: Open) -> Result<(), Fault> {
        let ends = open.end(&mut self.store)?;
        let Open { opening, drafts, answers, .. } = open;
        let state = self.store.head().clone();
        let entries = drafts.len();
        // The signature's place.
        let txid = TxId { view: opening.view, seqno: state.seqno().next() };
        self.store.skip_to(txid.seqno);
        self.store.close();
        if let Some(leading) = &mut self.leading {
            leading.rests_until = Instant::now() + rest_after(entries);
            leading.in_flight.push_back(InFlight { txid, entries: Vec::new(), answers });
        }
        let batch = ClosedBatch { opening, drafts, ends, state, head: self.committed.clone() };
        // Fails only once the sealer is gone, and then the node is stopping.
        let _ = self.tools.sealer.send(batch);
        Ok(())
    }

    /// A batch is sealed. Of one that this node gave up meanwhile nothing is left to complete.
    pub(super) fn sealed(&mut self, SealedBatch { txid, late, entries }: SealedBatch) {
        let in_flight = self.leading.iter_mut().flat_map(|leading| &mut leading.in_flight);
        let Some(batch) = in_flight.into_iter().find(|batch| batch.txid == txid) else { return };
        batch.entries = entries;
        for (entry, writes) in late {
            self.store.amend(txid.seqno, entry, &writes);
        }
    }

    /// If the committed batch is the oldest of this primary's own, publishes it. Its writes are on the head already.
    pub(super) fn settle_own(&mut self, bytes: &Bytes, head: &Head) -> Result<bool, Fault> {
        let Some(leading) = &mut self.leading else { return Ok(false) };
        let Some(InFlight { entries, answers, .. }) = leading.in_flight.pop_front_if(|batch| batch.txid == head.txid)
        else {
            return Ok(false);
        };
        self.committed = head.clone();
        let snapshot = self.store.commit(self.committed.seqno());
        let known = self.ledgers.len();
        let of_ledgers = self.follow_ledgers(&entries);
        let committed = Arc::new(Committed { last: self.committed.txid, entries });
        let root = self.committed.root();
        self.publish(Publication::Batch(Box::new(Published {
            snapshot,
            committed,
            root,
            bytes: bytes.clone(),
            answers,
            of_ledgers,
        })));
        self.note_ledgers(known);
        self.open_ledgers()?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_is_over_once_enough_entries_share_a_batch() {
        let opening = Opening { time: 1, view: View(1), first: Seqno(1), entropy: [0; 32] };
        let mut leading = Leading {
            view: View(1),
            open: Some(Open::new(opening, Vec::new())),
            in_flight: VecDeque::new(),
            ready: Ready::default(),
            waiting: Vec::new(),
            refusals: Refusals::default(),
            unopened: VecDeque::new(),
            time: 1,
            rests_until: Instant::now() + Duration::from_secs(3_600),
        };
        let rests = (1..=REST_ENTRIES).map(|entries| {
            let draft = || Draft { writes: WriteSet::default(), claims: base::Digest::ZERO, slot: None };
            leading.open.as_mut().unwrap().drafts.resize_with(entries, draft);
            leading.rest().is_some()
        });
        let rests: Vec<bool> = rests.collect();
        assert_eq!(rests.iter().filter(|rests| **rests).count(), REST_ENTRIES - 1);
        assert_eq!(rests.last(), Some(&false));
    }

    #[test]
    fn the_road_rests_as_long_as_the_batch_was_and_never_long() {
        let ms = Duration::from_millis;
        assert_eq!([0, 1, 3, 4, 1_000, usize::MAX].map(rest_after), [ms(0), ms(1), ms(3), ms(4), ms(4), ms(4)]);
    }
}
