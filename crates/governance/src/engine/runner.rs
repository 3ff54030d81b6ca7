//! Who runs the calls: the caller's thread, or a thread that the caller does not wait for longer than it must.
//!
//! The engine looks at its meter at jumps and calls. Between two looks a script can keep a built-in function busy for long
//! (a search in two huge texts, say), and nothing stops that. So a node whose thread must not stand still uses
//! [`Watched`]: when a call's time is up its caller goes on, and the thread ends when it next looks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::{Done, Failure, Job, Late};

/// Runs calls of scripts.
pub trait Runner {
    /// Runs one call to its end, or until its time is up.
    fn run(&self, job: Job) -> Result<Done, Failure>;
}

/// Runs calls on the caller's thread, which needs twice the stack that [`super::Bounds`] grant.
pub struct Inline<C>(pub C);

impl<C: Fn(Duration) -> Late> Runner for Inline<C> {
    fn run(&self, job: Job) -> Result<Done, Failure> {
        let late = self.0(job.bounds.time);
        job.run(late)
    }
}

/// Beyond a call's own time: to start its thread, and to notice.
const GRACE: Duration = Duration::from_millis(50);

/// Calls that their callers gave up and that still run. More than these are not started.
const STRAYS_MAX: usize = 2;

/// A clock: given a span it starts to count, and the answer says when the span is over.
pub type Clock = Arc<dyn Fn(Duration) -> Late + Send + Sync>;

/// Runs each call on a thread of its own.
#[derive(Clone)]
pub struct Watched {
    clock: Clock,
    strays: Arc<AtomicUsize>,
}

impl Watched {
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, strays: Arc::default() }
    }
}

impl Runner for Watched {
    fn run(&self, job: Job) -> Result<Done, Failure> {
        // Callers count themselves in, so that two of them cannot both be the last that is let in.
        let inside = Inside::enter(&self.strays)?;
        let (send, receive) = mpsc::sync_channel(1);
        let (time, stack_bytes) = (job.bounds.time, job.bounds.stack_bytes);
        let clock = self.clock.clone();
        let work = move || {
            let result = job.run(clock(time));
            drop(inside);
            // A caller that gave up has no more use for it.
            let _ = send.send(result);
        };
        let thread = thread::Builder::new().name("script".to_owned()).stack_size(stack_bytes + (1 << 20)).spawn(work);
        thread.map_err(|_| Failure::Busy)?;
        match receive.recv_timeout(time + GRACE) {
            Ok(result) => result,
            Err(mpsc::RecvTimeoutError::Timeout) => Err(Failure::Overrun),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(Failure::thrown("the script's thread ended early")),
        }
    }
}

/// A call that runs.
struct Inside(Arc<AtomicUsize>);

impl Inside {
    fn enter(running: &Arc<AtomicUsize>) -> Result<Self, Failure> {
        let inside = Self(running.clone());
        // The newcomer is one of them.
        if running.fetch_add(1, Ordering::AcqRel) > STRAYS_MAX { Err(Failure::Busy) } else { Ok(inside) }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
