//! Who runs the calls: the caller's thread, or a thread that the caller does not wait for longer than it must.
//!
//! The engine looks at its meter at jumps and calls. Between two looks a script can keep a built-in function busy for long
//! (a search in two huge texts, say), and nothing stops that. So a node whose thread must not stand still uses
//! [`Watched`]: when a call's time is up its caller goes on. The thread becomes a stray: it runs when nobody else wants to
//! run, and ends when it next looks at its meter. While there are too many of them no call is begun.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use rustix::process::Pid;

use super::{Done, Failure, Job, Late};

/// Runs calls of scripts.
pub trait Runner {
    /// Runs one call to its end, or until its time is up. `placed` is called once there is a place to run in: until then the call waited
    /// for others, and it is not called at all if none was to be had.
    fn run_placed(&self, job: Job, placed: &mut dyn FnMut()) -> Result<Done, Failure>;

    /// For those to whom waiting does not matter.
    fn run(&self, job: Job) -> Result<Done, Failure> {
        self.run_placed(job, &mut || ())
    }
}

/// Runs calls on the caller's thread, which needs twice the stack that [`super::Bounds`] grant.
pub struct Inline<C>(pub C);

impl<C: Fn(Duration) -> Late> Runner for Inline<C> {
    fn run_placed(&self, job: Job, placed: &mut dyn FnMut()) -> Result<Done, Failure> {
        placed();
        let late = self.0(job.bounds.time);
        job.run(late)
    }
}

/// Beyond a call's own time: to start its thread, and to notice.
const GRACE: Duration = Duration::from_millis(50);

/// Calls that run at once, strays among them.
const RUNNING_MAX: usize = 3;

/// The least that Linux knows.
#[cfg(target_os = "linux")]
const NICE: i32 = 19;
/// Several times what an honest call takes. One that takes longer goes on behind every other thread: what runs for a second at the same
/// rank as the road would be felt there.
const ORDINARY: Duration = Duration::from_millis(3);

/// A clock: given a span it starts to count, and the answer says when the span is over.
pub type Clock = Arc<dyn Fn(Duration) -> Late + Send + Sync>;

/// Runs each call on a thread of its own.
#[derive(Clone)]
pub struct Watched {
    clock: Clock,
    running: Arc<AtomicUsize>,
}

impl Watched {
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, running: Arc::default() }
    }
}

impl Runner for Watched {
    fn run_placed(&self, job: Job, placed: &mut dyn FnMut()) -> Result<Done, Failure> {
        let (place, thread) = Place::take(&self.running)?;
        placed();
        let (send, receive) = mpsc::sync_channel(1);
        let (time, stack_bytes) = (job.bounds.time, job.bounds.stack_bytes);
        let clock = self.clock.clone();
        let work = move || {
            place.enter();
            let result = job.run(clock(time));
            drop(place);
            // A caller that gave up has no more use for it.
            let _ = send.send(result);
        };
        // Twice: a constitution may be checked from within a call, in a runtime of its own.
        let stack_bytes = 2 * stack_bytes + (1 << 20);
        let started = thread::Builder::new().name("script".to_owned()).stack_size(stack_bytes).spawn(work);
        started.map_err(|_| Failure::Busy)?;
        let mut received = receive.recv_timeout(ORDINARY);
        if matches!(received, Err(mpsc::RecvTimeoutError::Timeout)) {
            thread.step_back();
            received = receive.recv_timeout(time + GRACE);
        }
        match received {
            Ok(result) => result,
            Err(mpsc::RecvTimeoutError::Timeout) => Err(Failure::Overrun),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(Failure::thrown("the script's thread ended early")),
        }
    }
}

/// The thread of a call, while it runs the call.
#[derive(Clone, Default)]
struct Thread(Arc<Mutex<Option<Pid>>>);

impl Thread {
    fn set(&self, id: Option<Pid>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = id;
    }

    /// Makes it wait for all others. Best effort: where it fails the thread competes like any other.
    #[cfg(target_os = "linux")]
    fn step_back(&self) {
        // Under the lock: the thread cannot end meanwhile, and its number cannot become another's.
        let id = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = *id {
            let _ = rustix::process::setpriority_process(Some(id), NICE);
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn step_back(&self) {}
}

/// One of the few places to run in.
struct Place {
    running: Arc<AtomicUsize>,
    thread: Thread,
}

impl Place {
    fn take(running: &Arc<AtomicUsize>) -> Result<(Self, Thread), Failure> {
        let place = Self { running: running.clone(), thread: Thread::default() };
        let thread = place.thread.clone();
        let before = running.fetch_add(1, Ordering::AcqRel);
        if before < RUNNING_MAX { Ok((place, thread)) } else { Err(Failure::Busy) }
    }

    /// Called on the thread itself.
    fn enter(&self) {
        #[cfg(target_os = "linux")]
        self.thread.set(Some(rustix::thread::gettid()));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.thread.set(None);
        self.running.fetch_sub(1, Ordering::AcqRel);
    }
}
