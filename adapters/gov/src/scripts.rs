//! Where members' scripts run: in processes of their own, which are this program again under another name. Only a program that begins
//! with [`script_process`] may be started so: any other would run all of itself once more for every script.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use governance::engine::{Apart, Clock, Late, PROCESS, Runner, Watched, serve};

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

fn clock() -> Clock {
    Arc::new(|time: Duration| -> Late {
        let end = Instant::now() + time;
        Box::new(move || Instant::now() >= end)
    })
}
