//! How an executor comes back after a restart: the ledger file is read from its beginning.

use std::collections::VecDeque;

use adapter::Fault;
use base::Seqno;
use kv::Store;
use ledger::{Head, check_batch};

use super::{Executor, Tools};
use crate::executor::follow::open_batch;
use crate::history::Archive;

/// What a ledger file gives back.
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

/// Reads the whole ledger file: every batch must continue the one before, every sealed part must open, and the last
/// signature must be the service's. What is not in the index yet goes there.
pub fn replay(archive: &Archive, mut store: Store, service: &crypto::PublicKey) -> Result<Replayed, Fault> {
    let end = archive.files.end();
    let indexed = archive.index.indexed().map_err(Fault::new)?;
    if indexed > end {
        // The ledger file lost its tail in a crash and the index did not; what is missing comes again.
        tracing::info!(indexed = indexed.0, ledger = end.0, "the index is ahead of the ledger file");
    }
    let mut head = Head::new();
    for batch in archive.files.batches(Seqno(1)) {
        let batch = batch.map_err(Fault::new)?;
        let after = head.seqno();
        let damaged = |source| Fault::new(Damaged { after, source });
        let mut checked = check_batch(&head, &batch, None).map_err(damaged)?;
        if checked.head.seqno() == end {
            checked = check_batch(&head, &batch, Some(service)).map_err(damaged)?;
        }
        head = checked.head;
        let entries = open_batch(&batch, &archive.tables, &archive.keys).map_err(damaged)?;
        for (seqno, writes) in &entries {
            store.apply(*seqno, writes);
        }
        store.skip_to(head.seqno());
        store.close();
        store.commit(head.seqno());
        if head.seqno() > indexed {
            archive.index(&entries, head.seqno()).map_err(Fault::new)?;
        }
        store.forget_history(head.seqno());
    }
    Ok(Replayed { store, head })
}

impl Executor {
    /// An executor on top of what was replayed. Adapters derive what they need from the state.
    pub fn new(tools: Tools, Replayed { store, head }: Replayed) -> Result<Self, Fault> {
        let mut executor =
            Self { tools, store, committed: head.clone(), head, leading: None, unsettled: VecDeque::new() };
        if executor.head.seqno() > Seqno(0) {
            executor.derive_anew()?;
            executor.store.close();
            executor.store.commit(executor.head.seqno());
        }
        Ok(executor)
    }

    /// What readers see at first.
    pub fn snapshot(&self) -> kv::Snapshot {
        self.store.snapshot()
    }
}
