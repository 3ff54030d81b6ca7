//! `cargo xtask`: everything that is done with this repository, in one place.
//!
//! | command | does |
//! |---|---|
//! | `up` | builds both binaries in release mode and runs `coco up` |
//! | `test` | every test, those with outside clients too |
//! | `compare` | measures Coco beside other systems: anvil, Hardhat, PostgreSQL |
//! | `instructions` | what each stage takes of the CPU, against what it took |
//! | `verify` | form, lints, layers, tidiness; never writes |
//! | `fix` | puts right what can be put right by itself |
//! | `install` | builds both binaries and puts them where cargo keeps programs |

mod command;
mod compare;
mod instructions;
mod layers;
mod metadata;
mod report;
mod test;
mod tidy;
mod unchecked;
mod verify;

use std::env;
use std::process::ExitCode;

use command::{Tool, repository};

const USAGE: &str = "\
usage: cargo xtask <command>

  up [ARGS...]     build coco and coco-node in release mode, then `coco up ARGS...` (--help lists them)
  test             run every test; installs what outside clients need (npm packages, Python environments) by itself
    --list           print the steps and what each shows
    --only STEP      run only this step (again for more)
    --skip STEP      leave this step out (again for more)
    --cycles N       rounds of the crash test (default 20)
    --seeds N        seeds for the simulator (default 200)
  instructions     count the instructions of each stage, and compare them with benches/instructions.toml
    STAGE...         only these stages
    --accept         write down what is found
  compare [ARGS...]  measure Coco beside anvil, Hardhat and PostgreSQL (--help lists the options)
  verify           check form, lints, layers and tidiness; writes nothing
  fix              format, and apply what clippy can put right
  install          build coco and coco-node, and put them into cargo's bin directory
";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let result = match args.split_first().map(|(command, rest)| (command.as_str(), rest)) {
        Some(("up", rest)) => up(rest),
        Some(("test", rest)) => test::run(rest),
        Some(("compare", rest)) => compare::compare(rest),
        Some(("instructions", rest)) => instructions::run(rest),
        Some(("verify", [])) => verify::verify(),
        Some(("fix", [])) => verify::fix(),
        Some(("install", [])) => install(),
        Some(("help" | "--help" | "-h", _)) => {
            report::say(USAGE);
            Ok(true)
        }
        _ => {
            report::complain(USAGE);
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            report::complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn up(args: &[String]) -> anyhow::Result<bool> {
    Tool::cargo(&["build", "--release", "--package", "coco", "--package", "coco-node"]).must()?;
    let coco = metadata::Metadata::read()?.binary("coco");
    Tool::new(coco).arg("up").args(args).in_dir(&env::current_dir()?).become_it()
}

fn install() -> anyhow::Result<bool> {
    for package in ["bin/coco", "bin/coco-node"] {
        let path = repository().join(package);
        Tool::cargo(&["install", "--locked", "--path"]).arg(path).must()?;
    }
    Ok(true)
}
