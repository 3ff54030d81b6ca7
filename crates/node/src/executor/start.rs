//! How an executor comes back after a restart: the ledger file is read from where a snapshot of the state ends, or from its
//! beginning.
//!
//! ```text
//!   read, hash, check ─▶ open, index, apply        a thread each; the first is a few batches ahead
//! ```

use std::collections::VecDeque;
use std::thread;

use adapter::Fault;
use base::Seqno;
use bytes::Bytes;
use crossbeam_channel::bounded;
use kv::{Kind, Store};
use ledger::{Head, check_batch};

use super::{Executor, Tools};
use crate::executor::follow::{Learn, Unopened, open_batch};
use crate::history::Archive;
use crate::secrets::Speculative;

/// Checked batches that wait to be applied.
const BATCHES_AHEAD: usize = 16;

/// A store, and where the ledger stands there.
pub struct Replayed {
    pub store: Store,
    pub head: Head,
}

/// What is on disk is not what was written there.
#[derive(Debug, thiserror::Error)]
#[error(
    "the ledger files of this node are damaged behind entry {after} (`coco ledger verify` says where): restore them from another node"
)]
struct Damaged {
    after: Seqno,
    source: ledger::Corrupt,
}

/// Reads the ledger file behind `begun`: every batch must continue the one before, every sealed part must open, and the
/// last signature must be the service's. What is not in the index yet goes there, even if it is older.
pub fn replay(
    archive: &Archive,
    begun: Replayed,
    service: &crypto::PublicKey,
    learn: Learn<'_>,
) -> Result<Replayed, Fault> {
    let Replayed { mut store, head: begun } = begun;
    let end = archive.files.end();
    let indexed = archive.index.indexed();
    if indexed > end {
        // The ledger file lost its tail in a crash and the index did not; what is missing comes again.
        tracing::info!(indexed = indexed.0, ledger = end.0, "the index is ahead of the ledger file");
    }
    let mut first = begun.clone();
    if indexed < begun.seqno() {
        tracing::info!(
            indexed = indexed.0,
            state = begun.seqno().0,
            "the index lacks entries; they are read again for it"
        );
        // Whatever else it may stand at, the beginning always does.
        first = archive.files.head_at(indexed, &archive.keys, Some(service)).unwrap_or_default();
    }
    thread::scope(|scope| {
        let mut head = begun.clone();
        let (mut indexed_now, mut applied) = (0, 0);
        for checked in ahead(scope, check_behind(first, archive, service)) {
            let Checked { batch, after, head: now } = checked?;
            let opened = open_batch(&batch, &archive.tables, &archive.keys, learn);
            let mut entries = opened.map_err(|unopened| match unopened {
                Unopened::Corrupt(corrupt) => damaged(after)(corrupt),
                Unopened::Secret(fault) => fault,
            })?;
            if now.seqno() > indexed {
                archive.index(&entries, now.seqno()).map_err(Fault::new)?;
                indexed_now += entries.len();
            }
            if now.seqno() <= begun.seqno() {
                continue;
            }
            applied += entries.len();
            for (_, writes) in &mut entries {
                // History can be read back from the file.
                writes.sections.retain(|section| archive.tables.get(section.table).kind == Kind::State);
            }
            store.apply_all(&entries);
            store.skip_to(now.seqno());
            store.close();
            store.commit(now.seqno());
            // Before the next batch is opened: it may have rows of the new ledger's tables.
            if archive.hosting.concerned(entries.iter().map(|(_, writes)| writes)) {
                archive.hosting.follow(store.committed());
            }
            head = now;
        }
        store.forget_history(head.seqno());
        tracing::info!(seqno = head.seqno().0, applied, indexed = indexed_now, "the ledger is read back");
        Ok(Replayed { store, head })
    })
}

/// A batch that continues those before it.
struct Checked {
    batch: Bytes,
    /// Where the ledger stands before it …
    after: Seqno,
    /// … and behind it.
    head: Head,
}

fn damaged(after: Seqno) -> impl Fn(ledger::Corrupt) -> Fault {
    move |source| Fault::new(Damaged { after, source })
}

/// All batches of the file behind `last`, checked. Nothing is to be believed behind the first error.
fn check_behind(
    mut last: Head,
    archive: &Archive,
    service: &crypto::PublicKey,
) -> impl Iterator<Item = Result<Checked, Fault>> {
    let end = archive.files.end();
    archive.files.batches(last.seqno().next()).map(move |batch| {
        let batch = batch.map_err(Fault::new)?;
        let after = last.seqno();
        let mut checked = check_batch(&last, &batch, None).map_err(damaged(after))?;
        if checked.head.seqno() == end {
            checked = check_batch(&last, &batch, Some(service)).map_err(damaged(after))?;
        }
        last = checked.head.clone();
        Ok(Checked { batch, after, head: checked.head })
    })
}

/// Does the work of an iterator on a thread of its own.
fn ahead<'scope, T: Send + 'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    mut items: impl Iterator<Item = T> + Send + 'scope,
) -> impl Iterator<Item = T> + Send + 'scope {
    let (sender, receiver) = bounded(BATCHES_AHEAD);
    // Ends early once nobody takes any more.
    scope.spawn(move || items.try_for_each(|item| sender.send(item)));
    receiver.into_iter()
}

impl Executor {
    /// An executor on top of what was replayed. Adapters derive what they need from the state.
    pub fn new(tools: Tools, Replayed { store, head }: Replayed) -> Result<Self, Fault> {
        let mut executor = Self {
            ledgers: tools.hosting.ledgers(),
            secrets: Speculative::new(tools.secrets.clone()),
            tools,
            store,
            committed: head,
            leading: None,
            unsettled: VecDeque::new(),
        };
        if executor.committed.seqno() > Seqno(0) {
            executor.derive_anew()?;
            executor.store.close();
            executor.store.commit(executor.committed.seqno());
        }
        Ok(executor)
    }

    /// What readers see at first.
    pub fn snapshot(&self) -> kv::Snapshot {
        self.store.snapshot()
    }
}
