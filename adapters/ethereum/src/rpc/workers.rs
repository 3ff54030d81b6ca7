//! Threads for what takes long: running code, reading many blocks, checking many signatures.
//!
//! In each lane a bounded number runs at a time, so that the executor of a primary is not starved by readers; a bounded number
//! waits; past that callers are told that the node is busy.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use super::errors::Error;

/// Jobs of a lane that run or wait to run.
const JOBS_MAX: usize = 4_096;

/// Who takes turns with whom: what takes a millisecond does not stand behind what takes seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lane {
    /// Signatures of transactions.
    Admission,
    /// Code that is called, and what is about one block.
    Calls,
    /// Many blocks, traces, whole blocks that are simulated.
    Long,
}

pub(super) struct Lanes {
    admission: Workers,
    calls: Workers,
    long: Workers,
}

impl Lanes {
    pub(super) fn new() -> Self {
        let cores = thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
        // More than run at once: the turn of the next job costs a wake-up or two, and with as many jobs as cores a core
        // idles through each of them.
        Self { admission: Workers::new(2 * cores), calls: Workers::new(cores), long: Workers::new(cores) }
    }

    pub(super) fn of(&self, lane: Lane) -> &Workers {
        match lane {
            Lane::Admission => &self.admission,
            Lane::Calls => &self.calls,
            Lane::Long => &self.long,
        }
    }
}

pub(super) struct Workers {
    running: Arc<Semaphore>,
    jobs: Arc<AtomicUsize>,
}

impl Workers {
    fn new(threads: usize) -> Self {
        Self { running: Arc::new(Semaphore::new(threads)), jobs: Arc::default() }
    }

    /// Runs `work` on a thread that may block. A panic in it is an error of this call alone.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let job = Job::new(&self.jobs).ok_or_else(Error::busy)?;
        let crashed = || Error::internal("method handler crashed");
        let running = self.running.clone();
        // A task of its own waits for the turn. The caller may not look for long, while its client does not take what is
        // written to it: it would have the turn and not use it, and nobody else could.
        let waiting = tokio::spawn(async move {
            let turn = running.acquire_owned().await.map_err(|_| Error::busy())?;
            // The thread runs to its end in any case, so the places are given back by the thread.
            let places = (job, turn);
            let done = tokio::task::spawn_blocking(move || {
                let done = catch_unwind(AssertUnwindSafe(work));
                drop(places);
                done
            });
            done.await.map_err(|_| crashed())?.map_err(|_| crashed())
        });
        AbortOnDropHandle::new(waiting).await.map_err(|_| crashed())?
    }
}

/// A place among the jobs.
struct Job(Arc<AtomicUsize>);

impl Job {
    fn new(jobs: &Arc<AtomicUsize>) -> Option<Self> {
        let taken = jobs.fetch_add(1, Ordering::Relaxed) + 1;
        // Made first, so that a refusal gives the place back too.
        let job = Self(jobs.clone());
        (taken <= JOBS_MAX).then_some(job)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_of_one_call() {
        let workers = Workers::new(2);
        let error = workers.run(|| -> u8 { panic!("as planned") }).await.unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (-32603, "method handler crashed"));
        assert_eq!(workers.run(|| 5).await, Ok(5));
    }

    #[tokio::test]
    async fn a_caller_that_does_not_look_keeps_nobody_from_working() {
        let workers = Workers::new(2);
        let mut idle: Vec<_> = (0..64).map(|_| Box::pin(workers.run(|| ()))).collect();
        for call in &mut idle {
            assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        assert_eq!(workers.run(|| 5).await, Ok(5));
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let jobs = Arc::new(AtomicUsize::new(JOBS_MAX - 1));
        let last = Job::new(&jobs);
        assert!(last.is_some() && Job::new(&jobs).is_none());
        drop(last);
        assert!(Job::new(&jobs).is_some());
    }
}
