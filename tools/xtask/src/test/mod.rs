//! `cargo xtask test`: every test there is, as steps with a name, their time and their counts.
//!
//! A step that fails does not keep the others from running. The last line is `N passed, N failed`.

mod count;
mod network;
mod openapi;
mod steps;

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, bail};

use crate::command::repository;
use crate::metadata::Metadata;
use crate::report::say;
use count::Count;
use steps::STEPS;

/// What the steps share.
pub struct Context {
    /// Where programs are once they are built.
    metadata: Metadata,
    /// Where the network's public test data is, if it is there.
    vectors: Option<PathBuf>,
    crash_cycles: u64,
    simulator_seeds: u64,
    /// What failed steps have to say: told once more where people look first.
    afterwords: RefCell<Vec<String>>,
}

impl Context {
    pub fn tell_at_the_end(&self, text: String) {
        self.afterwords.borrow_mut().push(text);
    }
}

/// One step.
pub struct Step {
    pub name: &'static str,
    /// What it shows.
    pub shows: &'static str,
    pub run: fn(&Context) -> anyhow::Result<Count>,
}

struct Options {
    only: Vec<String>,
    skip: Vec<String>,
    crash_cycles: u64,
    simulator_seeds: u64,
}

pub fn run(args: &[String]) -> anyhow::Result<bool> {
    if args == ["--list"] {
        STEPS.iter().for_each(|step| say(&format!("{:18} {}", step.name, step.shows)));
        return Ok(true);
    }
    let options = parse(args)?;
    let context = Context {
        metadata: Metadata::read()?,
        vectors: vectors(),
        crash_cycles: options.crash_cycles,
        simulator_seeds: options.simulator_seeds,
        afterwords: RefCell::default(),
    };
    let chosen = |step: &&Step| {
        let named = |list: &[String]| list.iter().any(|name| name == step.name);
        // Nothing runs on programs that are not built.
        step.name == steps::BUILD || (options.only.is_empty() || named(&options.only)) && !named(&options.skip)
    };
    let begun = Instant::now();
    let mut total = Count::default();
    let mut table = Vec::new();
    for step in STEPS.iter().filter(chosen) {
        say(&format!("\n=== {}: {}", step.name, step.shows));
        let step_begun = Instant::now();
        let (count, word) = match (step.run)(&context) {
            Ok(count) if count.failed == 0 => (count, "ok"),
            Ok(count) => (count, "FAILED"),
            Err(error) => {
                say(&format!("{}: {error:#}", step.name));
                (Count { failed: 1, ..Count::default() }, "FAILED")
            }
        };
        total += count;
        let line = format!("{:18} {word:6} {:>7.1} s  {count}", step.name, step_begun.elapsed().as_secs_f64());
        say(&format!("=== {line}"));
        table.push(line);
        if step.name == steps::BUILD && count.failed > 0 {
            break;
        }
    }
    say("");
    context.afterwords.borrow().iter().for_each(|text| say(text));
    table.iter().for_each(|line| say(line));
    if context.vectors.is_none() {
        say(
            "SKIPPED: everything that needs the public test vectors; none at ../shared/vectors, and COCO_VECTORS is not set",
        );
    }
    say(&format!("{} passed, {} failed ({:.0} s)", total.passed, total.failed, begun.elapsed().as_secs_f64()));
    Ok(total.failed == 0)
}

fn parse(args: &[String]) -> anyhow::Result<Options> {
    let mut options = Options { only: Vec::new(), skip: Vec::new(), crash_cycles: 20, simulator_seeds: 200 };
    let mut args = args.iter();
    while let Some(flag) = args.next() {
        let value =
            args.next().with_context(|| format!("{flag} needs a value, or is not known: see `cargo xtask help`"))?;
        match flag.as_str() {
            "--only" => options.only.push(step_name(value)?),
            "--skip" => options.skip.push(step_name(value)?),
            "--cycles" => options.crash_cycles = value.parse().context("--cycles takes a number")?,
            "--seeds" => options.simulator_seeds = value.parse().context("--seeds takes a number")?,
            _ => bail!("{flag} is not known: see `cargo xtask help`"),
        }
    }
    Ok(options)
}

fn step_name(name: &str) -> anyhow::Result<String> {
    match STEPS.iter().find(|step| step.name == name) {
        Some(step) => Ok(step.name.to_owned()),
        None => bail!("there is no step {name}: `cargo xtask test --list` names them"),
    }
}

fn vectors() -> Option<PathBuf> {
    let path = match std::env::var_os("COCO_VECTORS") {
        Some(path) => PathBuf::from(path),
        None => repository().join("../shared/vectors"),
    };
    path.is_dir().then_some(path)
}
