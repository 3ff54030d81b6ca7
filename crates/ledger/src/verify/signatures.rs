//! ECDSA on all cores: it costs a quarter of a millisecond a signature, more than everything else about a small batch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;

use base::Digest;
use crossbeam_channel::{Receiver, Sender, bounded};
use crypto::PublicKey;

use super::report::{Broken, Reason};
use crate::chunk::ChunkName;
use crate::signature::Signatures;

/// Tasks that wait for a worker.
const TASKS_WAITING: usize = 256;

/// The signatures of one batch and what they must verify against.
pub(super) struct Task {
    pub(super) file: ChunkName,
    pub(super) root: Digest,
    pub(super) signatures: Signatures,
    pub(super) service: Arc<PublicKey>,
    pub(super) node: Option<Arc<PublicKey>>,
}

/// Workers, and the earliest fault that they found.
pub(super) struct Pool {
    tasks: Sender<Task>,
    idle: Receiver<()>,
    outcome: Arc<Outcome>,
}

#[derive(Default)]
struct Outcome {
    failed: AtomicBool,
    first: Mutex<Option<Broken>>,
}

impl Pool {
    pub(super) fn start<'scope>(scope: &'scope Scope<'scope, '_>, workers: usize) -> Self {
        let (tasks, queue) = bounded::<Task>(TASKS_WAITING);
        let (done, idle) = bounded(0);
        let outcome = Arc::new(Outcome::default());
        for _ in 0..workers {
            let (queue, done, outcome) = (queue.clone(), done.clone(), Arc::clone(&outcome));
            scope.spawn(move || {
                for task in queue {
                    if let Err(broken) = check(&task) {
                        outcome.note(broken);
                    }
                }
                drop(done);
            });
        }
        Self { tasks, idle, outcome }
    }

    /// Waits if the workers are behind.
    pub(super) fn submit(&self, task: Task) {
        // Workers take tasks until the queue is closed, which only `finish` does.
        let _ = self.tasks.send(task);
    }

    pub(super) fn failed(&self) -> bool {
        self.outcome.failed.load(Ordering::Relaxed)
    }

    /// Waits for all tasks, and gives the earliest fault.
    pub(super) fn finish(self) -> Result<(), Broken> {
        drop(self.tasks);
        // Nothing is ever sent here: the channel closes when the last worker has let go of its end.
        let _ = self.idle.recv();
        match self.outcome.first.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(broken) => Err(broken),
            None => Ok(()),
        }
    }
}

impl Outcome {
    fn note(&self, broken: Broken) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if first.as_ref().is_none_or(|first| broken.before(first)) {
            *first = Some(broken);
        }
        self.failed.store(true, Ordering::Relaxed);
    }
}

fn check(task: &Task) -> Result<(), Broken> {
    let Task { file, root, signatures, service, node } = task;
    let broken = |reason| Broken { file: file.to_string(), txid: Some(signatures.txid), reason };
    signatures.verify_service(service, root).map_err(|error| broken(Reason::Corrupt(error)))?;
    match (&signatures.raw, node) {
        (Some(raw), Some(key)) => raw.verify(key).map_err(|_| broken(Reason::NodeSignature(raw.node))),
        _ => Ok(()),
    }
}
