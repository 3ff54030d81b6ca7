//! Runs calls of scripts in processes of their own, which can be ended whatever a script makes the engine do.
//!
//! ```text
//!   node                                        process (this program again, under another name)
//!   ───────────────────────────────────────────────────────────────────────────────────────────────
//!   Prepare { bounds, script to keep } ────────▶ compile; only before the first call, and of a script that is to be kept
//!                       ◀── Ready ──────────────
//!   Run { script, call, bounds, time, seed } ──▶ a fresh runtime of the engine
//!   rights, bounds, rows ◀── Ask ──┐              ccf.kv…get(key)
//!                        ── Told ──┘
//!   answer checked, writes kept ◀── Done, log     or Failed, or the end of the process
//! ```
//!
//! The process has no state of the network, no environment, and of descriptors only the socket that it speaks through; what a
//! script may read it asks for, and what it writes stays on this side. An engine that a script has taken over can say what it
//! likes there: the same rights and bounds hold as for the script. What it could still do is answer for a later script, so
//! ballots never share a process with a constitution.
//!
//! A call that has used the CPU for longer than an ordinary one goes on behind every other thread, and its process is not used
//! again. What was compiled first does not count: a new process would take too long for its first call, be thrown away for
//! that, and the next one too.

mod child;
mod confine;
mod exchange;
mod process;
mod wire;

use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

pub use child::{PROCESS, serve};
use exchange::Exchange;
use process::Process;
use wire::Cut;

use super::{Clock, Done, Failure, Job, Runner, Step};

/// Calls that run at once in each pool; others wait.
const RUNNING_MAX: usize = 3;
/// Processes that are kept for the next call.
const KEPT_MAX: usize = 1;
/// Several times what an honest call takes of the CPU.
pub(super) const ORDINARY: Duration = Duration::from_millis(3);
/// Beyond a call's own time: to start a process, and to notice.
const GRACE: Duration = Duration::from_millis(100);

/// How a process is started: its standard input becomes the socket.
type Start = Arc<dyn Fn() -> Command + Send + Sync>;

/// Runs each call in a process that runs one call at a time.
#[derive(Clone)]
pub struct Apart {
    clock: Clock,
    ballots: Arc<Pool>,
    constitutions: Arc<Pool>,
}

impl Apart {
    /// Processes are started from what `start` gives: a program that calls [`serve`].
    #[must_use]
    pub fn new(clock: Clock, start: impl Fn() -> Command + Send + Sync + 'static) -> Self {
        let start: Start = Arc::new(start);
        let pool = || Arc::new(Pool::new(start.clone()));
        Self { clock, ballots: pool(), constitutions: pool() }
    }

    /// Processes are this program again, if it calls [`serve`] first of all. It is the one file that was measured, and no path
    /// can lead to another.
    #[must_use]
    #[cfg(target_os = "linux")]
    pub fn own_program(clock: Clock) -> Self {
        use std::os::unix::process::CommandExt;
        Self::new(clock, || {
            let mut command = Command::new("/proc/self/exe");
            command.arg0(PROCESS);
            command
        })
    }
}

impl Runner for Apart {
    fn run_placed(&self, job: Job, placed: &mut dyn FnMut()) -> Result<Done, Failure> {
        // Strangers can have a join policy asked: the constitution does not wait for that.
        let beside = matches!(job.call.step(), Step::Ballot | Step::Join);
        let pool = if beside { &self.ballots } else { &self.constitutions };
        let time = job.bounds.time + GRACE;
        let place = Pool::enter(pool, time)?;
        let process = place.process().map_err(|_| Failure::Busy)?;
        placed();
        let mut exchange =
            Exchange::begin(process, job, &mut *(self.clock)(time)).map_err(|cut| Exchange::not_begun(&cut))?;
        let mut late = (self.clock)(time);
        loop {
            let mut a_while = (self.clock)(ORDINARY);
            match exchange.go_on(&mut *a_while) {
                Ok(result) => {
                    place.keep(exchange.into_process());
                    return result;
                }
                Err(Cut::Late) if late() => return Err(Failure::Overrun),
                // What was not run for that long, on a busy machine, is no longer than others.
                Err(Cut::Late) if exchange.cpu_time() < ORDINARY => {}
                Err(Cut::Late) => return self.behind_all(exchange, place, time),
                Err(cut) => return Err(Exchange::failure(&cut)),
            }
        }
    }
}

impl Apart {
    /// The rest of a long call: process and whoever answers it run when nobody else wants to.
    fn behind_all(&self, mut exchange: Exchange, place: Place, time: Duration) -> Result<Done, Failure> {
        let end = exchange.step_back();
        let (send, receive) = mpsc::sync_channel(1);
        let clock = self.clock.clone();
        let work = move || {
            confine::step_back_thread();
            let mut late = clock(time);
            let result = exchange.go_on(&mut *late).unwrap_or_else(|cut| Err(Exchange::failure(&cut)));
            // Before the answer: whoever hears it finds the place free.
            drop((exchange, place));
            let _ = send.send(result);
        };
        thread::Builder::new().name("script".to_owned()).spawn(work).map_err(|_| Failure::Busy)?;
        let received = receive.recv_timeout(time);
        received.unwrap_or_else(|_| {
            // The thread has not been let run: with the process it ends soon.
            end.kill();
            Err(Failure::Overrun)
        })
    }
}

/// Processes for scripts of one kind.
struct Pool {
    start: Start,
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Default)]
struct State {
    running: usize,
    idle: Vec<Process>,
}

impl Pool {
    fn new(start: Start) -> Self {
        Self { start, state: Mutex::default(), left: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place to run in, as long as a call may take.
    fn enter(pool: &Arc<Self>, patience: Duration) -> Result<Place, Failure> {
        let full = |state: &mut State| state.running >= RUNNING_MAX;
        let waited = pool.left.wait_timeout_while(pool.state(), patience, full);
        let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() && state.running >= RUNNING_MAX {
            return Err(Failure::Busy);
        }
        state.running += 1;
        Ok(Place(pool.clone()))
    }
}

/// One of the few places to run in.
struct Place(Arc<Pool>);

impl Place {
    /// A process that waits for a call.
    fn process(&self) -> std::io::Result<Process> {
        loop {
            let idle = self.0.state().idle.pop();
            let Some(mut process) = idle else { return Process::start((self.0.start)()) };
            // It may have been ended meanwhile.
            if process.runs() {
                return Ok(process);
            }
        }
    }

    fn keep(&self, process: Process) {
        let mut state = self.0.state();
        if state.idle.len() < KEPT_MAX {
            state.idle.push(process);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.state().running -= 1;
        self.0.left.notify_one();
    }
}
