//! What counting needs: a CPU that Callgrind can show whole, Callgrind, and the program that drives it.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use serde::Deserialize;

use crate::command::{Tool, repository};
use crate::metadata::Metadata;
use crate::report::say;

/// Whether instructions can be counted here.
pub enum Ready {
    /// With this program.
    With(PathBuf),
    Not(String),
}

/// Valgrind shows programs the same CPU (an Intel of 2013) on every machine that has at least these. On others it shows them an
/// older one, for which libraries choose other code, with other counts.
const CPU: [&str; 5] = ["aes", "avx2", "bmi1", "bmi2", "pclmulqdq"];

const RUNNER: &str = "gungraun-runner";

/// Looks for what is needed, and builds the runner if it is not there.
pub fn ready(metadata: &Metadata) -> anyhow::Result<Ready> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Ok(Ready::Not("counts are recorded for Linux on x86-64, and compare with nothing else".to_owned()));
    }
    let lacking = lacking(&fs::read_to_string("/proc/cpuinfo").context("/proc/cpuinfo cannot be read")?);
    if !lacking.is_empty() {
        return Ok(Ready::Not(format!("this CPU lacks {}: counts would not compare", lacking.join(", "))));
    }
    if Tool::new("valgrind").arg("--version").output().is_err() {
        return Ok(Ready::Not("valgrind is missing (on Debian: apt-get install valgrind)".to_owned()));
    }
    Ok(Ready::With(runner(metadata)?))
}

fn lacking(cpuinfo: &str) -> Vec<&'static str> {
    let flags = cpuinfo.lines().find_map(|line| line.strip_prefix("flags")).unwrap_or_default();
    CPU.into_iter().filter(|flag| !flags.split_whitespace().any(|word| word == *flag)).collect()
}

/// The runner in the version that the library is: they refuse each other otherwise. Kept below `target`, by version.
fn runner(metadata: &Metadata) -> anyhow::Result<PathBuf> {
    let lock = fs::read_to_string(repository().join("Cargo.lock")).context("Cargo.lock cannot be read")?;
    let version = version_of(RUNNER, &lock)?;
    let root = metadata.scratch(&format!("{RUNNER}-{version}"));
    let program = root.join("bin").join(RUNNER);
    if !program.exists() {
        say(&format!("building {RUNNER} {version}, once"));
        // Unoptimized: it starts Valgrind and reads short files.
        let install = Tool::cargo(&["install", "--quiet", "--locked", "--debug", "--no-default-features"]);
        let install = install.args(&["--features", "runner", "--version", &format!("={version}"), "--root"]).arg(&root);
        install.arg(RUNNER).must()?;
    }
    Ok(program)
}

fn version_of(name: &str, lock: &str) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        version: String,
    }
    let lock: Lock = toml::from_str(lock).context("Cargo.lock is not what it was")?;
    let mut found = lock.package.into_iter().filter(|package| package.name == name);
    match (found.next(), found.next()) {
        (Some(package), None) => Ok(package.version),
        _ => anyhow::bail!("Cargo.lock does not name one {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_cpu_is_told_by_what_it_lacks() {
        let flags = |flags: &str| format!("processor\t: 0\nflags\t\t: fpu {flags} sse2\nbugs\t\t: avx2\n");
        assert!(lacking(&flags("aes avx2 bmi1 bmi2 pclmulqdq")).is_empty());
        assert_eq!(lacking(&flags("aes avx bmi1 bmi2 pclmulqdq")), ["avx2"]);
        assert_eq!(lacking("").len(), CPU.len());
    }

    #[test]
    fn the_runner_has_the_version_of_the_lock_file() {
        let package = |name: &str, version: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
        let lock = package("gungraun", "0.20.1") + &package(RUNNER, "0.20.0");
        assert_eq!(version_of(RUNNER, &lock).unwrap(), "0.20.0");
        assert!(version_of(RUNNER, &(lock.clone() + &package(RUNNER, "0.21.0"))).is_err());
        assert!(version_of("other", &lock).is_err());
        let ours = fs::read_to_string(repository().join("Cargo.lock")).unwrap();
        assert!(version_of(RUNNER, &ours).is_ok());
    }
}
