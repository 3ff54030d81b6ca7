//! `instructions`: how many instructions each stage of the road takes for one transaction, and whether that is still so.
//!
//! ```text
//!  benches/benches/instructions.rs ─ gungraun-runner ─ valgrind ─▶ found ─┐
//!  benches/instructions.toml ──────────────────────────────────▶ expected ┴─▶ a table; more than 5 % above is a failure
//! ```
//!
//! Instructions are the same in every run, on whatever machine, which no time is. `benches/README.md` says what is counted.

mod compare;
mod measure;
mod tools;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::command::repository;
use crate::metadata::Metadata;
use crate::report::say;
use compare::{Counts, Line};
use tools::Ready;

/// What came of it.
pub struct Outcome {
    pub passed: u64,
    pub failed: u64,
}

/// `cargo xtask instructions`: all stages, or those that are named; with `--accept` what is found is written down.
pub fn run(args: &[String]) -> anyhow::Result<bool> {
    let accept = args.iter().any(|arg| arg == "--accept");
    let stages: Vec<&str> = args.iter().map(String::as_str).filter(|arg| *arg != "--accept").collect();
    if let Some(flag) = stages.iter().find(|stage| stage.starts_with('-')) {
        bail!("{flag} is not known: see `cargo xtask help`");
    }
    let metadata = Metadata::read()?;
    let runner = match tools::ready(&metadata)? {
        Ready::With(runner) => runner,
        Ready::Not(why) => bail!("nothing can be counted here: {why}"),
    };
    let found = measure::measure(&metadata, &runner)?;
    let expected = read()?;
    if let Some(stage) = stages.iter().find(|stage| !found.contains_key(**stage) && !expected.contains_key(**stage)) {
        bail!("there is no stage {stage}");
    }
    let asked = |stage: &str| stages.is_empty() || stages.contains(&stage);
    if accept {
        let accepted = compare::accept(&expected, &found, asked);
        fs::write(path(), compare::write(&accepted)).with_context(|| format!("cannot write {}", path().display()))?;
    }
    let lines = compare::compare(&read()?, &found).into_iter().filter(|line| asked(&line.stage));
    Ok(show(&lines.collect::<Vec<_>>()).failed == 0)
}

/// The step of `cargo xtask test`.
pub fn check(metadata: &Metadata) -> anyhow::Result<Outcome> {
    match tools::ready(metadata)? {
        Ready::With(runner) => Ok(show(&compare::compare(&read()?, &measure::measure(metadata, &runner)?))),
        Ready::Not(why) => {
            say(&format!("SKIPPED: {why}"));
            Ok(Outcome { passed: 0, failed: 0 })
        }
    }
}

fn show(lines: &[Line]) -> Outcome {
    compare::table(lines).iter().for_each(|line| say(line));
    let failed = lines.iter().filter(|line| line.verdict.fails()).count();
    if failed > 0 {
        say("what is meant to cost more: `cargo xtask instructions --accept`, and say why in the commit");
    }
    Outcome { passed: (lines.len() - failed) as u64, failed: failed as u64 }
}

fn path() -> PathBuf {
    repository().join("benches/instructions.toml")
}

fn read() -> anyhow::Result<Counts> {
    let text = fs::read_to_string(path()).with_context(|| format!("cannot read {}", path().display()))?;
    toml::from_str(&text).with_context(|| format!("{} is not a number for each stage", path().display()))
}
