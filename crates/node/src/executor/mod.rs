//! The executor: the one thread that owns the store.
//!
//! ```text
//!   primary:  work ─▶ execute ─▶ open batch ─ the log is free ─▶ close ─▶ (sealed, proposed, committed) ─▶ publish
//!   backup:                                        committed batch ─▶ open ─▶ apply ─▶ derive ─▶ publish
//! ```
//!
//! A batch closes as soon as the one before it is committed, there is anything to put in it, and the road has rested
//! (a millisecond for every entry of the one before, four at most): under little load a batch is one transaction and its
//! latency is one round trip, under much load batches grow by themselves. While one is on its way the next executes on top
//! of it; if it never arrives, both are rolled back.

mod batch;
mod follow;
mod hosting;
mod lead;
mod open;
mod start;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use adapter::Fault;
use base::{Seqno, TxId, View};
use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvError, RecvTimeoutError, Sender, TryRecvError, never, select};
use kv::Store;
use ledger::{Head, LedgerKeys};

use crate::genesis::{Genesis, ServiceTables};
use crate::hosting::{Hosting, Ledgers};
use crate::peers::Peers;
use crate::publisher::{Answer, Publication};
use crate::route::{Destination, Route};
use crate::sealer::{ClosedBatch, SealedBatch};
use crate::work::Pending;

pub use start::{Replayed, replay};

use lead::Leading;

/// What the executor is told, in order.
pub enum Command {
    /// This node is the primary of `view`, and everything before the view was handed over.
    Lead { view: View },
    /// It is not (any more). Work goes to the primary, if there is one.
    Follow { primary: Option<u64> },
    /// A batch that this primary closed is sealed.
    Sealed(SealedBatch),
    /// A batch is committed; `head` is where the ledger stands after it. Each batch once, in order.
    Committed { batch: Bytes, head: Head },
    /// The mark of this view is committed: what earlier views left uncommitted never will be.
    Opened { view: View },
    /// Nothing more comes.
    Stop,
}

/// What the executor works with.
pub struct Tools {
    pub hosting: Arc<Hosting>,
    pub keys: Arc<LedgerKeys>,
    pub tables: ServiceTables,
    /// What the service begins with, on a node that may begin one.
    pub genesis: Option<Genesis>,
    pub route: Arc<Route>,
    pub peers: Peers,
    /// Takes closed batches.
    pub sealer: Sender<ClosedBatch>,
    pub publisher: Sender<Publication>,
    /// History rows up to here can be read from disk. Written by the history thread.
    pub history_on_disk: Arc<AtomicU64>,
}

pub struct Executor {
    tools: Tools,
    store: Store,
    /// As of the newest committed version.
    ledgers: Ledgers,
    /// Where the ledger stands at the newest committed version.
    committed: Head,
    /// Set while this node is the primary.
    leading: Option<Leading>,
    /// Answers for batches that were on their way when this node ceased to be the primary: the next one may still
    /// commit them.
    unsettled: VecDeque<(TxId, Vec<Answer>)>,
}

impl Executor {
    /// Runs until told to stop, or until something is wrong that this node must not go on with.
    pub fn run(mut self, commands: &Receiver<Command>, work: &Receiver<Pending>) -> Result<(), Fault> {
        let nothing = never();
        loop {
            match commands.try_recv() {
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => break,
                Ok(command) => {
                    self.command(command, work)?;
                    continue;
                }
                Err(TryRecvError::Empty) => {}
            }
            // One piece of work at a time: what is committed meanwhile comes first.
            if self.execute_next(work)? {
                continue;
            }
            if self.close_if_due()? {
                continue;
            }
            let command = match self.nap() {
                Some(nap) => match commands.recv_timeout(nap) {
                    Err(RecvTimeoutError::Timeout) => continue,
                    received => received.map_err(|_| RecvError),
                },
                None => {
                    let wanted = if self.wants_work() { work } else { &nothing };
                    select! {
                        recv(commands) -> command => command,
                        recv(wanted) -> pending => {
                            if let Ok(pending) = pending {
                                self.execute(pending)?;
                            }
                            continue;
                        }
                    }
                }
            };
            match command {
                Ok(Command::Stop) | Err(_) => break,
                Ok(command) => self.command(command, work)?,
            }
        }
        let _ = self.tools.publisher.send(Publication::Stop);
        Ok(())
    }

    fn command(&mut self, command: Command, work: &Receiver<Pending>) -> Result<(), Fault> {
        match command {
            Command::Lead { view } => self.lead(view),
            Command::Follow { primary } => {
                self.tools.route.set(primary.map_or(Destination::Nowhere, Destination::Peer));
                self.follow(work);
                Ok(())
            }
            Command::Sealed(batch) => {
                self.sealed(batch);
                Ok(())
            }
            Command::Committed { batch, head } => self.committed(&batch, head),
            Command::Opened { view } => {
                self.give_up_before(view);
                Ok(())
            }
            Command::Stop => Ok(()),
        }
    }

    /// This node is not the primary: what it speculated is undone, what it had queued finds another way.
    fn follow(&mut self, work: &Receiver<Pending>) {
        let Some(leading) = self.leading.take() else { return };
        self.store.rollback(self.committed.seqno());
        self.unsettled.extend(leading.abandon(&self.tools.peers));
        work.try_iter().for_each(|pending| self.tools.route.send(pending));
    }

    fn forget_history(&mut self) {
        self.store.forget_history(Seqno(self.tools.history_on_disk.load(Ordering::Acquire)));
    }

    fn publish(&mut self, publication: Publication) {
        // Fails only once the publisher is gone, and then the node is stopping.
        let _ = self.tools.publisher.send(publication);
    }

    fn open_to_work(&self) {
        self.tools.route.set(Destination::Here);
    }
}
