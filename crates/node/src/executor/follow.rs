//! What every node does with a committed batch that it did not execute itself.

use std::sync::Arc;

use adapter::{Committed, Fault, Reject};
use base::{Seqno, View};
use bytes::Bytes;
use kv::Tables;
use kv::WriteSet;
use ledger::{Corrupt, Head, LedgerKeys};

use super::Executor;
use crate::nodes::doors;
use crate::publisher::{Answer, Publication, Published};
use crate::secrets::MissingSecret;

impl Executor {
    /// A batch is committed.
    pub(super) fn committed(&mut self, batch: &Bytes, head: Head) -> Result<(), Fault> {
        if self.settle_own(batch, &head)? {
            self.forget_history();
            return Ok(());
        }
        if self.leading.is_some() {
            return Err(Fault::new(format!(
                "batch {} was committed in this primary's view, but not proposed by it",
                head.txid
            )));
        }
        let secrets = &self.tools.secrets;
        let learn = |seqno, writes: &WriteSet| secrets.learn(seqno, writes);
        let opened = open_batch(batch, self.store.head().tables(), secrets.keys(), &learn);
        let entries = opened.map_err(|unopened| self.with_doors(unopened.into()))?;
        self.apply(&entries, head)?;
        let snapshot = self.store.commit(self.committed.seqno());
        let of_ledgers = self.follow_ledgers(&entries);
        let answers = self.unsettled();
        let committed = Arc::new(Committed { last: self.committed.txid, entries });
        let root = self.committed.root();
        self.publish(Publication::Batch(Box::new(Published {
            snapshot,
            committed,
            root,
            bytes: batch.clone(),
            answers,
            of_ledgers,
        })));
        self.forget_history();
        Ok(())
    }

    /// Whoever cannot follow asks those whom it last knew.
    fn with_doors(&self, fault: Fault) -> Fault {
        let Some(MissingSecret { begins, historical, .. }) = fault.downcast_ref() else { return fault };
        let doors = doors(&self.tools.tables, self.store.head());
        Fault::new(MissingSecret { begins: *begins, historical: historical.clone(), doors })
    }

    /// Puts a batch on the store and lets the adapters follow.
    pub(super) fn apply(&mut self, entries: &[(Seqno, WriteSet)], head: Head) -> Result<(), Fault> {
        self.store.apply_all(entries);
        let writes: Vec<WriteSet> = entries.iter().map(|(_, writes)| writes.clone()).collect();
        for (slot, ledger) in self.ledgers.iter().enumerate() {
            let Some(adapter) = ledger.adapter() else { continue };
            let state = self.store.head();
            let derived = adapter.derive(state.derived(slot), state, &writes)?;
            self.store.set_derived(slot, derived);
        }
        self.store.skip_to(head.seqno());
        self.store.close();
        self.committed = head;
        Ok(())
    }

    /// Hosted ledgers follow the rows of what was just committed, before the next batch is opened. Whether it had any.
    pub(super) fn follow_ledgers(&mut self, entries: &[(Seqno, WriteSet)]) -> bool {
        let hosting = &self.tools.hosting;
        let concerned = hosting.concerned(entries.iter().map(|(_, writes)| writes));
        if concerned {
            hosting.follow(self.store.committed());
            self.ledgers = hosting.ledgers();
        }
        concerned
    }

    /// Lets the adapters derive from the whole state.
    pub(super) fn derive_anew(&mut self) -> Result<(), Fault> {
        for (slot, ledger) in self.ledgers.iter().enumerate() {
            let Some(adapter) = ledger.adapter() else { continue };
            let derived = adapter.derive(None, self.store.head(), &[])?;
            self.store.set_derived(slot, derived);
        }
        Ok(())
    }

    /// Nothing of an earlier view that is not committed by now ever will be: whoever waits for it is told.
    pub(super) fn give_up_before(&mut self, view: View) {
        let unsettled = std::mem::take(&mut self.unsettled);
        let (dead, alive) = unsettled.into_iter().partition(|(txid, _)| txid.view < view);
        self.unsettled = alive;
        for (_, answers) in dead {
            answers.into_iter().for_each(|answer| answer.to.answer(&self.tools.peers, Err(Reject::unavailable())));
        }
    }

    /// Answers that became due: for batches that this node proposed as a primary and that another one committed.
    /// Where another batch took the place, nothing is due; the callers learn that the outcome is unknown.
    fn unsettled(&mut self) -> Vec<Answer> {
        let mut due = Vec::new();
        while let Some((txid, answers)) = self.unsettled.pop_front_if(|(txid, _)| txid.seqno <= self.committed.seqno())
        {
            if txid == self.committed.txid {
                due.extend(answers);
            } else {
                answers.into_iter().for_each(|answer| {
                    answer.to.answer(&self.tools.peers, Err(Reject::unavailable()));
                });
            }
        }
        due
    }
}

/// Why a committed batch cannot be opened here.
#[derive(Debug, thiserror::Error)]
pub enum Unopened {
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// It brings a ledger secret that this node does not get.
    #[error(transparent)]
    Secret(Fault),
}

impl From<Unopened> for Fault {
    fn from(unopened: Unopened) -> Self {
        match unopened {
            Unopened::Corrupt(corrupt) => Self::new(corrupt),
            Unopened::Secret(fault) => fault,
        }
    }
}

/// Is told of each entry once it is open, before the next one is: it may bring a ledger secret.
pub type Learn<'a> = &'a dyn Fn(Seqno, &WriteSet) -> Result<(), Fault>;

/// The entries of a committed batch but for the signature that closes it.
pub fn open_batch(
    batch: &[u8],
    tables: &Tables,
    keys: &LedgerKeys,
    learn: Learn<'_>,
) -> Result<Vec<(Seqno, WriteSet)>, Unopened> {
    let mut entries = Vec::new();
    for entry in ledger::split(batch) {
        let entry = entry?;
        if !entry.is_signature() {
            let writes = ledger::open(&entry, tables, keys)?;
            learn(entry.txid.seqno, &writes).map_err(Unopened::Secret)?;
            entries.push((entry.txid.seqno, writes));
        }
    }
    Ok(entries)
}
