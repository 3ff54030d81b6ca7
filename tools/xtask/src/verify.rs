//! `verify` checks and never writes; `fix` writes and never checks.

use std::time::Instant;

use crate::command::Tool;
use crate::report::say;
use crate::{layers, tidy};

/// One check: its name, and whether it holds.
type Check = (&'static str, fn() -> anyhow::Result<bool>);

pub fn verify() -> anyhow::Result<bool> {
    let checks: [Check; 4] = [
        ("format", format),
        ("clippy", clippy),
        ("layers", || list(layers::crossings()?)),
        ("tidy", || list(tidy::untidy()?)),
    ];
    let mut good = true;
    for (name, check) in checks {
        let begun = Instant::now();
        let passed = check()?;
        say(&format!(
            "verify {name}: {} ({:.1} s)",
            if passed { "ok" } else { "FAILED" },
            begun.elapsed().as_secs_f64()
        ));
        good &= passed;
    }
    Ok(good)
}

pub fn fix() -> anyhow::Result<bool> {
    let mut clippy = Tool::cargo(&["clippy", "--release", "--workspace", "--all-targets"]);
    clippy = clippy.args(&["--fix", "--allow-dirty", "--allow-staged"]);
    let fixed = clippy.succeeds()?;
    Ok(Tool::cargo(&["fmt", "--all"]).succeeds()? && fixed)
}

fn format() -> anyhow::Result<bool> {
    Tool::cargo(&["fmt", "--all", "--check"]).succeeds()
}

/// In release mode, so that build scripts and macros are shared with the build.
fn clippy() -> anyhow::Result<bool> {
    // The second is not among all targets, since it does not run by itself.
    let targets: [&[&str]; 2] =
        [&["--workspace", "--all-targets"], &["--package", "benches", "--bench", "instructions"]];
    let mut good = true;
    for named in targets {
        good &= Tool::cargo(&["clippy", "--release"]).args(named).args(&["--", "-D", "warnings"]).succeeds()?;
    }
    Ok(good)
}

fn list(found: Vec<String>) -> anyhow::Result<bool> {
    found.iter().for_each(|line| say(line));
    Ok(found.is_empty())
}
