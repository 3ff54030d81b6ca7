//! Where members' scripts run: in processes of their own, which are this program again under another name.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use governance::engine::{Apart, Clock, Late, PROCESS, serve};

/// Called first of all by a program that is a node: if it was started to run scripts it does that, and nothing else.
#[must_use]
pub fn script_process() -> Option<ExitCode> {
    if std::env::args_os().next()? != PROCESS {
        return None;
    }
    // The node notices that it has ended, and says so.
    Some(serve(&clock()).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS))
}

pub(crate) fn runner() -> Apart {
    Apart::own_program(clock())
}

fn clock() -> Clock {
    Arc::new(|time: Duration| -> Late {
        let end = Instant::now() + time;
        Box::new(move || Instant::now() >= end)
    })
}
