//! Where an audit runs members' scripts: in processes of this program, as nodes do. One that does not end is ended, and keeps nobody
//! from judging the next.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use governance::engine::{Apart, Clock, Late, PROCESS, serve};

/// Called first of all: if the program was started to run scripts it does that, and nothing else.
pub fn process() -> Option<ExitCode> {
    if std::env::args_os().next()? != PROCESS {
        return None;
    }
    // Whoever started it notices that it has ended, and says so.
    Some(serve(&clock()).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS))
}

pub fn apart() -> Apart {
    Apart::own_program(clock())
}

fn clock() -> Clock {
    Arc::new(|time: Duration| -> Late {
        let end = Instant::now() + time;
        Box::new(move || Instant::now() >= end)
    })
}
