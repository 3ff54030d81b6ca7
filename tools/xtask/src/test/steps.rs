//! The steps, in the order in which they run: what is quick and finds much comes first.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::count::Count;
use super::network::{Network, Role};
use super::openapi::openapi;
use super::{Context, Step};
use crate::command::{Tool, repository};
use crate::instructions::Outcome;
use crate::report::say;

pub const BUILD: &str = "build";

/// Lines about failed tests that are told again at the end.
const FAILURES: usize = 30;

const fn step(name: &'static str, shows: &'static str, run: fn(&Context) -> anyhow::Result<Count>) -> Step {
    Step { name, shows, run }
}

pub const STEPS: &[Step] = &[
    step(BUILD, "what people run and what tests run, in release mode", build),
    step("rust", "unit tests, scenarios, vectors, layer test", rust),
    step("fuzz", "parsers of what comes from outside, on changed seeds; the same changes each time", fuzz),
    step("simulator", "whole clusters in one thread, one seed each", simulator),
    step("instructions", "what each stage takes of the CPU is at most 5 % above what it took", instructions),
    step("ledger-python", "CCF's own Python package verifies our ledgers, and finds flipped bits", ledger_python),
    step("governance", "CCF's own member tools govern networks, which they audit then", governance),
    step("openapi", "nodes answer as their OpenAPI documents say, whatever they are asked", openapi),
    step("namespaces", "five nodes with addresses of their own: join, retire, lapse, upgrade, partitions", namespaces),
    step("story", "docs/story.md, typed: four members from founding to the audit, and what they are shown", story),
    step("clients-primary", "real clients against the primary, then an audit of all ledgers", clients_primary),
    step("clients-backup", "the same clients against a backup", clients_backup),
    step("web3py-modules", "web3.py's own module tests; enough must pass", web3py_modules),
    step("rpc-compat", "the execution-apis cases, after importing their chain; enough must pass", rpc_compat),
    step("crash", "nodes are killed under load, again and again; nothing acknowledged is lost", crash),
];

fn build(_: &Context) -> anyhow::Result<Count> {
    let packages = ["coco", "coco-node", "sim", "crash"].map(|package| format!("--package={package}"));
    Ok(Count::one(Tool::cargo(&["build", "--release"]).args(&packages).succeeds()?))
}

fn rust(_: &Context) -> anyhow::Result<Count> {
    let (text, succeeded) = Tool::cargo(&["test", "--release", "--workspace", "--no-fail-fast"]).tee()?;
    Ok(Count::sum_of(&text).and_succeeded(succeeded))
}

/// Rounds of the fastest targets; the others have fewer. About half a minute on two cores.
const FUZZ_ROUNDS: &str = "400000";

/// Without coverage to lead it, so that it needs no build of its own (`docs/fuzzing.md`). As part of the whole workspace: what
/// the tests are built from is there already.
fn fuzz(_: &Context) -> anyhow::Result<Count> {
    let cargo = Tool::cargo(&["test", "--release", "--workspace", "--test", "replay"]);
    let (text, succeeded) = cargo.env("FUZZ_ROUNDS", FUZZ_ROUNDS).tee()?;
    Ok(Count::sum_of(&text).and_succeeded(succeeded))
}

fn simulator(context: &Context) -> anyhow::Result<Count> {
    let seeds = format!("0..{}", context.simulator_seeds);
    let succeeded = Tool::new(context.metadata.binary("sim")).args(&["--seeds", &seeds]).succeeds()?;
    Ok(if succeeded { Count { passed: context.simulator_seeds, failed: 0 } } else { Count::one(false) })
}

fn instructions(context: &Context) -> anyhow::Result<Count> {
    let Outcome { passed, failed } = crate::instructions::check(&context.metadata)?;
    Ok(Count { passed, failed })
}

fn ledger_python(context: &Context) -> anyhow::Result<Count> {
    let environment = |version: u64| context.metadata.python_environment(&format!("ccf{version}"));
    let script = repository().join("crates/ledger/tests/python/run.sh");
    Ok(Count::one(Tool::new("sh").arg(script).arg(environment(7)).arg(environment(6)).succeeds()?))
}

/// Needs to be root, on a system that lets root have network namespaces; says so where it is not.
fn namespaces(context: &Context) -> anyhow::Result<Count> {
    let script = repository().join("clients/namespaces/five_nodes.py");
    let python = Tool::new("python3").arg(script).arg(context.metadata.binary("coco"));
    let (text, succeeded) =
        python.arg(context.metadata.binary("coco-node")).arg(context.metadata.scratch("namespaces")).tee()?;
    let told = Count::last_of(&text).context("five_nodes.py did not say what passed")?;
    if !succeeded {
        context.tell_at_the_end(failures(&text));
    }
    Ok(told.and_succeeded(succeeded))
}

/// Every command of the page, in one shell; a page that is not true any more fails.
fn story(context: &Context) -> anyhow::Result<Count> {
    let here = repository().join("clients/story");
    let python = |file: &str| Tool::new("python3").env("PYTHONDONTWRITEBYTECODE", "1").arg(here.join(file));
    let mut count = Count::one(python("test_page.py").succeeds()?);
    let node = context.metadata.binary("coco-node");
    let programs = node.parent().context("coco-node is in no directory")?;
    let typed = python("story.py").arg(repository().join("docs/story.md")).arg(programs);
    let (text, succeeded) = typed.arg(context.metadata.scratch("story")).tee()?;
    let told = Count::last_of(&text).context("story.py did not say what passed")?;
    if let Some(from) = text.find("FAILED") {
        context.tell_at_the_end(text[from..].to_owned());
    }
    count += told.and_succeeded(succeeded);
    Ok(count)
}

fn clients_primary(context: &Context) -> anyhow::Result<Count> {
    let network = Network::start(context, "clients-primary", &["--signing", "dual"])?;
    let mut count = suites(context, &network, Role::Primary, &["all"])?;
    for dir in network.stop()? {
        let verified = Tool::new(context.metadata.binary("coco")).args(&["ledger", "verify"]).arg(&dir).succeeds()?;
        count += Count::one(verified);
        count += foreign_audit(context, &dir, &[7, 6])?;
    }
    Ok(count)
}

/// One network for each version of the tools.
fn governance(context: &Context) -> anyhow::Result<Count> {
    let mut count = Count::default();
    for version in [7, 6] {
        let bin = tools_of_ccf(context, version)?;
        let network = Network::start(context, "governance", &["--signing", "dual", "--bare"])?;
        let life = repository().join("clients/ccf/life.py");
        let (text, succeeded) = Tool::new(bin.join("python")).arg(life).arg(network.ready_file()).tee()?;
        match Count::last_of(&text) {
            Some(told) => count += told.and_succeeded(succeeded),
            None => bail!("the tools of CCF {version} did not say what passed"),
        }
        if !succeeded {
            context.tell_at_the_end(format!("{}\n{}", failures(&text), network.post_mortem()));
        }
        for dir in network.stop()? {
            count += foreign_audit(context, &dir, &[version])?;
            let coco = Tool::new(context.metadata.binary("coco"));
            count += Count::one(coco.args(&["governance", "log", "--quiet"]).arg(&dir).succeeds()?);
        }
    }
    Ok(count)
}

/// Where the programs of CCF's own package are, in this version.
fn tools_of_ccf(context: &Context, version: u64) -> anyhow::Result<PathBuf> {
    let environment = context.metadata.python_environment(&format!("ccf{version}"));
    let make = repository().join("crates/ledger/tests/python/python-env.sh");
    Tool::new("sh").arg(make).arg(&environment).args(&[&version.to_string()]).must()?;
    Ok(environment.join("bin"))
}

/// CCF's own package, in these versions, on a whole ledger: the chunk that is still open too.
fn foreign_audit(context: &Context, ledger: &Path, versions: &[u64]) -> anyhow::Result<Count> {
    let mut count = Count::default();
    for version in versions {
        let bin = tools_of_ccf(context, *version)?;
        let read = Tool::new(bin.join("python")).arg(bin.join("read_ledger.py")).args(&["-q", "--uncommitted"]);
        count += Count::one(read.arg(ledger).succeeds()?);
        let chain =
            Tool::new(bin.join("python")).arg(bin.join("verify_ledger_secrets_chain.py")).args(&["--uncommitted"]);
        count += Count::one(chain.arg(ledger).succeeds()?);
    }
    Ok(count)
}

fn clients_backup(context: &Context) -> anyhow::Result<Count> {
    let network = Network::start(context, "clients-backup", &[])?;
    let mut count = suites(context, &network, Role::Backup, &["all"])?;
    for dir in network.stop()? {
        count += foreign_audit(context, &dir, &[7])?;
    }
    Ok(count)
}

/// The chain id that web3.py's own tests expect in some places.
const WEB3PY_CHAIN_ID: u64 = 131_277_322_940_537;

fn web3py_modules(context: &Context) -> anyhow::Result<Count> {
    let path = repository().join("crates/development/src/genesis.json");
    let mut genesis: Value = serde_json::from_slice(&fs::read(&path)?).context("the default genesis is not JSON")?;
    genesis["config"]["chainId"] = WEB3PY_CHAIN_ID.into();
    let own = context.metadata.scratch("web3py-genesis.json");
    fs::create_dir_all(context.metadata.scratch(""))?;
    fs::write(&own, serde_json::to_vec(&genesis)?)?;
    let own = own.to_str().context("a path is not text")?;
    let network = Network::start(context, "web3py-modules", &["--genesis", own])?;
    suites(context, &network, Role::Primary, &["web3py-module-tests"])
}

fn rpc_compat(context: &Context) -> anyhow::Result<Count> {
    let Some(vectors) = &context.vectors else {
        say("SKIPPED: there are no test vectors");
        return Ok(Count::default());
    };
    let cases = vectors.join("ethereum/rpc-compat");
    let file = |name: &str| cases.join(name).to_str().map(String::from).context("a path is not text");
    let (genesis, chain) = (file("genesis.json")?, file("chain.rlp")?);
    let network = Network::start(context, "rpc-compat", &["--blobs", "--genesis", &genesis, "--import", &chain])?;
    suites(context, &network, Role::Primary, &["rpc-compat"])
}

fn crash(context: &Context) -> anyhow::Result<Count> {
    let cycles = context.crash_cycles;
    let mut tool = Tool::new(context.metadata.binary("crash")).args(&["--cycles", &cycles.to_string()]);
    Ok(if tool.succeeds()? { Count { passed: cycles, failed: 0 } } else { Count::one(false) })
}

/// The suites in `clients/` against one node. Those that are judged by how many of their tests pass count what passed, and
/// fail if that is too little: the driver knows.
fn suites(context: &Context, network: &Network, role: Role, names: &[&str]) -> anyhow::Result<Count> {
    let (text, succeeded) = network.clients(role)?.args(names).tee()?;
    let count = Count::last_of(&text);
    if let Some(Count { passed, .. }) = count
        && succeeded
    {
        return Ok(Count { passed, failed: 0 });
    }
    context.tell_at_the_end(format!("{}\n{}", failures(&text), network.post_mortem()));
    match count {
        Some(count) => Ok(count.and_succeeded(false)),
        None => bail!("the suites did not say how many tests passed"),
    }
}

/// The first failures that the suites told of, and their closing table.
fn failures(text: &str) -> String {
    let failed = |line: &&str| line.contains('✖') || line.contains("Error") || line.contains("FAILED");
    let table = text.rfind("\nsuite ").map_or("", |from| &text[from..]);
    text.lines().filter(failed).take(FAILURES).chain(table.lines()).collect::<Vec<_>>().join("\n")
}
