//! `sim --seed N` runs one seed, `sim --seeds A..B` a range; `--nodes`, `--steps`, `--changes` and `--bug` shape
//! the runs.

use std::io::{self, Write};
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use sim::{Bug, Options, run};

const USAGE: &str = "usage: sim (--seed N | --seeds A..B) [--nodes N] [--steps N] [--changes yes|no] [--bug NAME]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut out = io::stdout().lock();
    let done = match parse(&arguments) {
        Some((seeds, options)) => run_all(&mut out, seeds, &options),
        None => writeln!(out, "{USAGE}").map(|()| ExitCode::from(2)),
    };
    // Nobody reads any more: nothing is left to say.
    done.unwrap_or(ExitCode::FAILURE)
}

fn parse(arguments: &[String]) -> Option<(Range<u64>, Options)> {
    let mut seeds = 0..1;
    let mut options = Options::default();
    let (pairs, rest) = arguments.as_chunks::<2>();
    for [name, value] in pairs {
        match name.as_str() {
            "--seed" => {
                let seed = value.parse().ok()?;
                seeds = seed..seed + 1;
            }
            "--seeds" => {
                let (from, to) = value.split_once("..")?;
                seeds = from.parse().ok()?..to.parse().ok()?;
            }
            "--nodes" => options.nodes = value.parse().ok().filter(|nodes| (1..=9).contains(nodes))?,
            "--steps" => options.steps = value.parse().ok()?,
            "--changes" => options.changes = ["no", "yes"].iter().position(|word| word == value)? == 1,
            "--bug" => options.bug = Some(Bug::parse(value)?),
            _ => return None,
        }
    }
    (rest.is_empty() && !seeds.is_empty()).then_some((seeds, options))
}

fn run_all(out: &mut impl Write, seeds: Range<u64>, options: &Options) -> io::Result<ExitCode> {
    let alone = seeds.end - seeds.start == 1;
    let (mut committed, mut changes, mut slowest) = (0, 0, 0);
    for seed in seeds.clone() {
        let options = Options { seed, ..options.clone() };
        // A panic of the driver is a failure like any other, and must say how to repeat it.
        match panic::catch_unwind(AssertUnwindSafe(|| run(&options))) {
            Ok(Ok(outcome)) => {
                committed += outcome.committed;
                changes += outcome.changes;
                slowest = slowest.max(outcome.peace_ticks);
                if alone {
                    writeln!(out, "{outcome}")?;
                }
            }
            Ok(Err(violation)) => {
                writeln!(out, "seed {seed} failed {violation}\nrepeat with: {options}")?;
                return Ok(ExitCode::FAILURE);
            }
            Err(_) => {
                writeln!(out, "seed {seed} panicked\nrepeat with: {options}")?;
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    if !alone {
        let count = seeds.end - seeds.start;
        writeln!(
            out,
            "{count} seeds: {committed} entries committed, {changes} of them configurations, progress within {slowest} ticks of healing"
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
