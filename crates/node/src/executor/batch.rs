//! A batch in the making: entries of all hosted ledgers, in the order in which they ran.

use std::sync::Arc;

use adapter::{Batch, Closed, Fault, Opening, Outcome, Reject, Seal, Verdict, Wait};
use base::limits::{BATCH_BYTES_TARGET, BATCH_ENTRIES_MAX};
use base::{Digest, Seqno, TxId};
use kv::{Finished, Store};

use super::hosting::being_opened;
use crate::hosting::Ledger;
use crate::publisher::Answer;
use crate::sealer::{Draft, End};
use crate::work::{Pending, ReplyTo};

/// What an entry takes beside its rows, about.
const ENTRY_BYTES: usize = 200;

/// The open batch.
pub struct Open {
    pub opening: Opening,
    /// What each hosted ledger has in it.
    lanes: Vec<Option<Box<dyn Batch>>>,
    /// What those are told who bring work for a ledger that takes none now, by ledger.
    refusals: Vec<Option<Reject>>,
    pub drafts: Vec<Draft>,
    pub answers: Vec<Answer>,
    bytes: usize,
    full: bool,
}

/// What became of a piece of work.
pub enum Executed {
    /// It is in the batch. Work that waits under the key may run now.
    Kept {
        wakes: Option<bytes::Bytes>,
    },
    /// It has no entry: it wrote nothing, or was refused. Its answer is due when what it read is committed.
    Idle(Answer),
    /// Whatever the state is.
    Refused(ReplyTo, Reject),
    Later(Pending, Wait),
    /// It must wait for the next batch.
    NotNow(Pending),
}

impl Open {
    /// One refusal or none for each hosted ledger.
    pub fn new(opening: Opening, refusals: Vec<Option<Reject>>) -> Self {
        let lanes = refusals.iter().map(|_| None).collect();
        Self { opening, lanes, refusals, drafts: Vec::new(), answers: Vec::new(), bytes: 0, full: false }
    }

    pub fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }

    /// Nothing more goes in.
    pub fn is_full(&self) -> bool {
        self.full || self.bytes >= BATCH_BYTES_TARGET || self.drafts.len() >= BATCH_ENTRIES_MAX
    }

    /// Runs one piece of work on the head.
    pub fn execute(&mut self, pending: Pending, store: &mut Store, ledgers: &[Arc<Ledger>]) -> Result<Executed, Fault> {
        let slot = usize::from(pending.work.ledger.0);
        let Some(ledger) = ledgers.get(slot) else {
            let reject = Reject::caller(0, "this network hosts no such ledger");
            return Ok(Executed::Refused(pending.reply, reject));
        };
        let seen = TxId { view: self.opening.view, seqno: store.head().seqno() };
        let adapter = match (self.refusals.get(slot), &ledger.adapter) {
            (Some(None), Ok(adapter)) => adapter,
            (Some(Some(reject)), _) => {
                return Ok(Executed::Idle(Answer { to: pending.reply, txid: seen, reply: Err(reject.clone()) }));
            }
            // It came after this batch had begun.
            _ => return Ok(Executed::Refused(pending.reply, being_opened(&ledger.name))),
        };
        let lane = match &mut self.lanes[slot] {
            Some(lane) => lane,
            empty => empty.insert(adapter.begin(store.head(), &self.opening)?),
        };
        let mut tx = store.tx();
        let outcome = match lane.execute(&mut tx, &pending.work) {
            Verdict::Keep(outcome) => outcome,
            Verdict::Drop(reject) => {
                return Ok(Executed::Idle(Answer { to: pending.reply, txid: seen, reply: Err(reject) }));
            }
            Verdict::Later(wait) => return Ok(Executed::Later(pending, wait)),
            Verdict::Full if self.drafts.is_empty() => {
                let reject = Reject::caller(0, "the work is too large for any batch");
                return Ok(Executed::Refused(pending.reply, reject));
            }
            Verdict::Full => {
                self.full = true;
                return Ok(Executed::NotNow(pending));
            }
        };
        let Finished { writes, claims, .. } = tx.finish();
        let Outcome { reply, wakes, closes } = outcome;
        if writes.is_empty() {
            return Ok(Executed::Idle(Answer { to: pending.reply, txid: seen, reply: Ok(reply) }));
        }
        self.full |= closes;
        let txid = self.keep(store, Draft { writes, claims, slot: Some(slot) });
        self.answers.push(Answer { to: pending.reply, txid, reply: Ok(reply) });
        Ok(Executed::Kept { wakes })
    }

    /// Nothing more goes in: every hosted ledger that has entries writes what the next batch must see, and says what it has
    /// left to do.
    pub fn end(&mut self, store: &mut Store) -> Result<Vec<End>, Fault> {
        let mut ends = Vec::new();
        for slot in 0..self.lanes.len() {
            let Some(lane) = self.lanes[slot].take() else { continue };
            if !self.drafts.iter().any(|draft| draft.slot == Some(slot)) {
                continue;
            }
            let mut tx = store.tx();
            let Closed { derived, seal } = lane.close(&mut tx)?;
            let Finished { writes, claims, .. } = tx.finish();
            if seal.is_some() || !writes.is_empty() {
                let seal = seal.unwrap_or_else(|| as_it_is(claims));
                ends.push(End { slot, seal });
                self.keep(store, Draft { writes, claims, slot: Some(slot) });
            }
            store.set_derived(slot, derived);
        }
        Ok(ends)
    }

    /// Puts an entry's writes on the head and gives its place.
    pub fn keep(&mut self, store: &mut Store, draft: Draft) -> TxId {
        let seqno = Seqno(self.opening.first.0 + self.drafts.len() as u64);
        store.apply(seqno, &draft.writes);
        self.bytes += draft.writes.bytes() + ENTRY_BYTES;
        self.drafts.push(draft);
        TxId { view: self.opening.view, seqno }
    }
}

/// What is left to do of an entry that is complete.
fn as_it_is(claims: Digest) -> Seal {
    Box::new(move |tx, _| {
        tx.set_claims(claims);
        Ok(())
    })
}
