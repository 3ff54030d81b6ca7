//! Runs every file of `scenarios/` against the real driver.
//!
//! A file is a sequence of blocks: commands, a line `---`, and what the nodes then want done. Lines that start with
//! `#` are for the reader. `UPDATE_SCENARIOS=1 cargo test -p consensus --test scenarios` rewrites what follows `---`;
//! the difference is to be read before it is kept. The commands stand in `scenario/command.rs`.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod scenario;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use scenario::Cluster;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files
}

/// The text with every expected part replaced by what really happens.
fn play(text: &str) -> Result<String, String> {
    let mut cluster = Cluster::default();
    let mut out = String::new();
    let mut lines = text.lines();
    let mut commands = Vec::new();
    while let Some(line) = lines.next() {
        writeln!(out, "{line}").unwrap();
        match line {
            "---" => {
                for command in commands.drain(..) {
                    let done = cluster.run(command).map_err(|error| format!("`{command}`: {error}"))?;
                    out.push_str(&done);
                }
                // What is expected ends at the first blank line.
                if lines.by_ref().any(str::is_empty) {
                    out.push('\n');
                }
            }
            line if line.is_empty() || line.starts_with('#') => {}
            command => commands.push(command),
        }
    }
    match commands.first() {
        Some(command) => Err(format!("`{command}` is not followed by ---")),
        None => Ok(out),
    }
}

#[test]
fn every_scenario_goes_as_written() {
    let update = env::var_os("UPDATE_SCENARIOS").is_some();
    let mut different = Vec::new();
    let files = files();
    assert!(files.len() >= 34, "scenarios are missing");
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let expected = fs::read_to_string(&path).unwrap();
        let found = play(&expected).unwrap_or_else(|error| panic!("{name}: {error}"));
        if found == expected {
            continue;
        }
        if update {
            fs::write(&path, found).unwrap();
        } else {
            different.push(first_difference(&name, &expected, &found));
        }
    }
    assert!(different.is_empty(), "\n{}\nrewrite with UPDATE_SCENARIOS=1 if this is meant", different.join("\n"));
}

fn first_difference(name: &str, expected: &str, found: &str) -> String {
    let mut pairs = (1..).zip(expected.lines().zip(found.lines()));
    let unequal = pairs.find(|(_, (expected, found))| expected != found);
    let (number, (expected, found)) = unequal.unwrap_or((0, ("one is longer", "than the other")));
    format!("{name}:{number}\n  expected: {expected}\n  found:    {found}")
}
