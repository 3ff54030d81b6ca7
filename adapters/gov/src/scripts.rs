//! Where members' scripts run: in processes of their own, which are this program again under another name. Only a program that begins
//! with [`script_process`] may be started so: any other would run all of itself once more for every script.

use std::cell::Cell;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use governance::engine::{Apart, Clock, Done, Failure, Job, Late, PROCESS, Runner, Watched, serve};

/// Called first of all by a program that is a node: if it was started to run scripts it does that, and nothing else.
#[must_use]
pub fn script_process() -> Option<ExitCode> {
    if std::env::args_os().next()? != PROCESS {
        return None;
    }
    // The node notices that it has ended, and says so.
    Some(serve(&clock()).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS))
}

/// What runs scripts.
pub type Scripts = Arc<dyn Runner + Send + Sync>;

/// In processes of their own: for a program that begins with [`script_process`].
#[must_use]
pub fn apart() -> Scripts {
    Arc::new(Apart::own_program(clock()))
}

/// On threads of this process: where there are no processes, and in tests. A script that does not end holds its thread.
#[must_use]
pub fn watched() -> Scripts {
    Arc::new(Watched::new(clock()))
}

thread_local! {
    /// When the runner first started the clock of the call that this thread waits for.
    static BEGUN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// A call that is over.
pub struct Ended {
    pub result: Result<Done, Failure>,
    /// Until there was a place to run in; all the time, if nothing was run.
    pub waited: Duration,
    /// From then on.
    pub ran: Duration,
}

/// Runs a call. A runner that lets calls wait for a place starts the clock of a call once there is one, on the thread that waits;
/// where the clock is started elsewhere, none waited.
pub fn run(runner: &dyn Runner, job: Job) -> Ended {
    BEGUN.set(None);
    let asked = Instant::now();
    let result = runner.run(job);
    let ended = Instant::now();
    let begun = if matches!(result, Err(Failure::Busy)) { ended } else { BEGUN.get().unwrap_or(asked) };
    Ended { result, waited: begun - asked, ran: ended - begun }
}

fn clock() -> Clock {
    Arc::new(|time: Duration| -> Late {
        let begun = Instant::now();
        BEGUN.set(BEGUN.get().or(Some(begun)));
        let end = begun + time;
        Box::new(move || Instant::now() >= end)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;
    use std::thread;

    use governance::engine::{Bounds, Call, Given, NoService};
    use kv::{NoHistory, State, Tables};

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3_600);

    /// What the processes of the other test run: this program again, told to do this and nothing else.
    #[test]
    fn a_process_for_scripts() {
        assert!(script_process().is_none_or(|end| end == ExitCode::SUCCESS));
    }

    fn ballot(script: &str, time: Duration) -> Job {
        let state = State::new(Arc::new(Tables::new()), Arc::new(NoHistory));
        Job {
            script: script.into(),
            author: None,
            call: Call::Vote { proposal: "{}".into(), proposer: String::new() },
            before: state.clone(),
            state,
            bounds: Bounds { time, steps: u64::MAX, ..Bounds::LEAST },
            time: 0,
            seed: 0,
            service: Arc::new(NoService),
            given: Given::default(),
            compiled: None,
        }
    }

    #[test]
    fn a_call_that_waited_for_a_place_ran_from_then_on() {
        // An hour is over when the test says so.
        let over = Arc::new(AtomicBool::new(false));
        let says = over.clone();
        let clock: Clock = Arc::new(move |time: Duration| -> Late {
            let (mut late, over) = (clock()(time), says.clone());
            Box::new(move || late() || (time >= HOUR && over.load(Ordering::Acquire)))
        });
        let (start, started) = mpsc::channel();
        let runner = Apart::new(clock, move || {
            start.send(()).unwrap();
            let mut command = Command::new("/proc/self/exe");
            command.arg0(PROCESS).args(["--exact", "scripts::tests::a_process_for_scripts"]);
            command
        });
        thread::scope(|scope| {
            // As many as there are places.
            for _ in 0..3 {
                scope.spawn(|| runner.run(ballot("export function vote() { while (true) {} }", HOUR)));
                started.recv().unwrap();
            }
            let waits = scope.spawn(|| run(&runner, ballot("export function vote() { return true; }", MINUTE)));
            // It waits by now. If it does not yet, what follows holds, too, and shows less.
            thread::sleep(Duration::from_millis(50));
            let (had_a_place, freed) = (waits.is_finished(), Instant::now());
            over.store(true, Ordering::Release);
            let Ended { result, ran, .. } = waits.join().unwrap();
            assert!(!had_a_place && result.is_ok());
            assert!(ran <= freed.elapsed());
        });
    }
}
