//! The node as an adapter's listeners see it, and the other end that the node holds.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use base::{Digest, NodeId, TxId, View};
use kv::Snapshot;
use tokio::sync::{broadcast, oneshot, watch};

use crate::{Committed, Files, Handover, Reject, Service, Submitted, Work};

/// Batches that a slow subscriber may lag behind before it is told that it missed some.
const COMMITTED_KEPT: usize = 1_024;
/// Longer than any election and any queue. A node that is cut off for longer may learn what became of the work only when
/// it is back, and its callers are not kept until then.
const ANSWER_WITHIN: Duration = Duration::from_secs(40);

/// What a node is at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Executes and orders.
    Primary,
    /// Follows, and forwards work to the primary, if there is one.
    Backup { primary: Option<NodeId> },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    pub id: NodeId,
    pub role: Role,
    pub view: View,
    /// The newest committed entry that readers of this node see.
    pub committed: TxId,
    /// The root of the ledger's Merkle tree over all entries up to `committed`.
    pub root: Digest,
    /// Entries committed since this node started: a ledger's transactions, and the blocks they are in.
    pub transactions: u64,
    /// Who decides with it: the nodes that vote in consensus, by their numbers, ascending; as far as this node knows.
    pub voters: Vec<u64>,
    /// Those that follow and do not vote, or not yet.
    pub learners: Vec<u64>,
}

/// A node, for its adapters' listeners. A clone is another handle on the same node.
#[derive(Clone)]
pub struct Node(Arc<Inner>);

struct Inner {
    snapshot: ArcSwap<Snapshot>,
    committed: broadcast::Sender<Arc<Committed>>,
    status: watch::Receiver<Status>,
    submit: Box<dyn Fn(Submission) + Send + Sync>,
    service: Arc<dyn Service>,
    files: OnceLock<Arc<dyn Files>>,
}

/// Work on its way, and where its answer goes. Dropped without an answer it counts as [`Reject::unavailable`].
pub struct Submission {
    pub work: Work,
    pub answer: oneshot::Sender<Result<Submitted, Reject>>,
}

/// The node's end of a [`Node`].
pub struct Plumbing {
    pub node: Node,
    pub status: watch::Sender<Status>,
}

impl Plumbing {
    /// `submit` takes work to the executor or the primary; it must not block, and answers itself if it cannot.
    pub fn new(
        snapshot: Snapshot,
        status: Status,
        service: Arc<dyn Service>,
        submit: impl Fn(Submission) + Send + Sync + 'static,
    ) -> Self {
        let (status, seen) = watch::channel(status);
        let (committed, _) = broadcast::channel(COMMITTED_KEPT);
        let snapshot = ArcSwap::from_pointee(snapshot);
        let files = OnceLock::new();
        let inner = Inner { snapshot, committed, status: seen, submit: Box::new(submit), service, files };
        Self { node: Node(Arc::new(inner)), status }
    }

    /// What is given to nodes that begin with it. Once; without it there is nothing to give.
    pub fn gives(&self, files: Arc<dyn Files>) {
        let _ = self.node.0.files.set(files);
    }

    /// Shows readers a newer version. Comes before [`crate::Adapter::published`] and before any answer.
    pub fn publish(&self, snapshot: Snapshot) {
        self.node.0.snapshot.store(Arc::new(snapshot));
    }

    /// Tells subscribers what is committed.
    pub fn announce(&self, batch: Arc<Committed>) {
        // Nobody listening is no failure.
        let _ = self.node.0.committed.send(batch);
    }
}

impl Node {
    /// The newest committed version and the window before it.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.snapshot.load_full()
    }

    /// Sends work down the road, from any node. Resolves when the work is committed and visible in this node's
    /// [`Node::snapshot`], when it was put aside to wait, or when it was refused; and after 40 s at the latest, as
    /// [`Reject::unavailable`].
    pub async fn submit(&self, work: Work) -> Result<Submitted, Reject> {
        let (answer, answered) = oneshot::channel();
        (self.0.submit)(Submission { work, answer });
        within(ANSWER_WITHIN, answered).await
    }

    /// Batches from now on, each after it is visible. A receiver that lags is told how many it missed.
    #[must_use]
    pub fn committed(&self) -> broadcast::Receiver<Arc<Committed>> {
        self.0.committed.subscribe()
    }

    #[must_use]
    pub fn status(&self) -> Status {
        self.0.status.borrow().clone()
    }

    /// What the keys of the service do.
    #[must_use]
    pub fn service(&self) -> Arc<dyn Service> {
        self.0.service.clone()
    }

    /// What this node has on its disk for nodes that begin with it.
    #[must_use]
    pub fn files(&self) -> Option<Arc<dyn Files>> {
        self.0.files.get().cloned()
    }

    /// What a node needs to be one of the service, for one that the committed ledger trusts; else refused.
    pub fn hand_over(&self, to: NodeId) -> Result<Handover, Reject> {
        self.0.service.hand_over(self.snapshot().state(), to)
    }

    /// Changes of status.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.0.status.clone()
    }
}

/// The answer, if there is one in time.
async fn within(
    patience: Duration,
    answered: oneshot::Receiver<Result<Submitted, Reject>>,
) -> Result<Submitted, Reject> {
    match tokio::time::timeout(patience, answered).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) | Err(_) => Err(Reject::unavailable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let (keeps_silent, answered) = oneshot::channel();
        assert_eq!(within(Duration::from_millis(1), answered).await, Err(Reject::unavailable()));
        drop(keeps_silent);
        let (answers, answered) = oneshot::channel();
        answers.send(Ok(Submitted::Waiting)).unwrap();
        assert_eq!(within(ANSWER_WITHIN, answered).await, Ok(Submitted::Waiting));
    }
}
