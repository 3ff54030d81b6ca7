//! `coco constitution check`: the engine's own verdict on a script, offline.

use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use governance::engine::{Bounds, Late, check_constitution};
use serde_json::json;

use super::script;
use crate::failure::Failure;
use crate::governance::plain_lines;
use crate::printer::{Printer, Tone};

pub fn run(file: &Path, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let verdict = judge(script(file)?)?;
    if json {
        printer.json(&json!({ "valid": verdict.is_ok(), "reason": verdict.as_ref().err() }))?;
    } else {
        printer.data(match &verdict {
            Ok(()) => format!("{}: {} is a constitution", printer.paint(Tone::Good, "valid"), file.display()),
            Err(why) => format!("{}: {}", printer.paint(Tone::Bad, "not valid"), plain_lines(why)),
        });
    }
    if verdict.is_err() && !json {
        printer.hint("a constitution exports validate(text), resolve(text, proposerId, votes, proposalId) and apply(text, proposalId)");
    }
    Ok(if verdict.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// On a thread with the stack that the engine wants for its bounds.
fn judge(script: String) -> Result<Result<(), String>, Failure> {
    let bounds = Bounds::LEAST;
    let thread = thread::Builder::new().stack_size(2 * bounds.stack_bytes + (1 << 20)).spawn(move || {
        let end = Instant::now() + bounds.time;
        let late: Late = Box::new(move || Instant::now() >= end);
        check_constitution(&script, &bounds, late)
    });
    let thread = thread.map_err(|e| Failure::from_error("cannot start a thread for the script", &e))?;
    thread.join().map_err(|_| Failure::new("the engine crashed on this script"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_tells_a_constitution_from_another_script() {
        judge(governance::constitution::DEFAULT.to_owned()).unwrap().unwrap();
        let missing = judge("export function validate(text) {}".to_owned()).unwrap().unwrap_err();
        assert!(missing.starts_with("not a constitution"), "{missing}");
        assert!(judge("for (;;) {}".to_owned()).unwrap().is_err());
    }
}
