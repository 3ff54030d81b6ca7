//! Publishing, off the road: what is committed becomes visible, is announced, and answered, in this order.

use std::collections::BTreeMap;
use std::sync::Arc;

use adapter::{Committed, Plumbing, Reject, Submitted};
use base::{Digest, Seqno, TxId};
use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, select};
use kv::Snapshot;
use tokio::sync::watch;

use crate::history::{Keep, Room};
use crate::hosting::{Hosting, Visible};
use crate::peers::Peers;
use crate::work::ReplyTo;

/// What the publisher is given.
pub enum Publication {
    /// A batch is committed; each batch once, in order.
    Batch(Box<Published>),
    /// An answer that is due once `txid` is visible here: to work that this node forwarded, say.
    Answer(Answer),
    /// Nothing more comes.
    Stop,
}

pub struct Published {
    pub snapshot: Snapshot,
    pub committed: Arc<Committed>,
    /// Of the ledger's tree over all entries up to this batch's last.
    pub root: Digest,
    /// The batch as it goes into the ledger file; empty if it is there already.
    pub bytes: Bytes,
    /// Answers to work in this batch.
    pub answers: Vec<Answer>,
    /// It says something about hosted ledgers.
    pub of_ledgers: bool,
}

/// What somebody is told once `txid` is committed and visible.
pub struct Answer {
    pub to: ReplyTo,
    pub txid: TxId,
    /// A refusal says something about the state, too, and must not speak of what may never be committed.
    pub reply: Result<Bytes, Reject>,
}

pub struct Publisher {
    pub plumbing: Arc<Plumbing>,
    pub hosting: Arc<Hosting>,
    /// What readers see of the hosted ledgers.
    pub ledgers: watch::Sender<Arc<Vec<Visible>>>,
    pub peers: Peers,
    pub history: Sender<Keep>,
    pub room: Arc<Room>,
}

impl Publisher {
    /// Runs until told to stop. `batches` comes from the executor, in order; `answers` from peers, at any time.
    pub fn run(&self, batches: &Receiver<Publication>, answers: &Receiver<Publication>) {
        let mut visible = self.plumbing.node.snapshot().seqno();
        let mut early: BTreeMap<Seqno, Vec<Answer>> = BTreeMap::new();
        loop {
            let publication = select! {
                recv(batches) -> publication => publication,
                recv(answers) -> publication => publication,
            };
            let Ok(publication) = publication else { break };
            match publication {
                Publication::Batch(batch) => {
                    visible = batch.committed.last.seqno;
                    self.publish(*batch);
                    let later = early.split_off(&visible.next());
                    std::mem::replace(&mut early, later).into_values().flatten().for_each(|answer| self.answer(answer));
                }
                Publication::Answer(answer) if answer.txid.seqno <= visible => self.answer(answer),
                Publication::Answer(answer) => early.entry(answer.txid.seqno).or_default().push(answer),
                Publication::Stop => break,
            }
        }
        let _ = self.history.send(Keep::Stop);
    }

    fn publish(&self, Published { snapshot, committed, root, bytes, answers, of_ledgers }: Published) {
        let last = committed.last;
        self.plumbing.publish(snapshot.clone());
        if of_ledgers {
            self.ledgers.send_replace(Arc::new(self.hosting.show(snapshot.state())));
        }
        self.plumbing.status.send_modify(|status| {
            status.committed = last;
            status.root = root;
            status.transactions += committed.entries.len() as u64;
        });
        for adapter in self.hosting.ledgers().iter().filter_map(|ledger| ledger.adapter()) {
            adapter.published(&snapshot, &committed);
        }
        self.plumbing.announce(committed.clone());
        answers.into_iter().for_each(|answer| self.answer(answer));
        metrics::gauge!("coco_committed_seqno").set(last.seqno.0 as f64);
        metrics::counter!("coco_batches_committed_total").increment(1);
        metrics::counter!("coco_entries_committed_total").increment(committed.entries.len() as u64);
        // Blocks when the history thread is far behind: better slow than without bound.
        let room = self.room.take(bytes.len());
        let _ = self.history.send(Keep::Batch { bytes, committed, room });
    }

    fn answer(&self, Answer { to, txid, reply }: Answer) {
        to.answer(&self.peers, reply.map(|reply| Submitted::Committed { txid, reply }));
    }
}
