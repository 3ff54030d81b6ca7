//! Networks to test against, started and stopped with `coco` as a user would.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::Context;
use crate::command::{Tool, repository};

/// Which node to test against.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Primary,
    Backup,
}

/// Lines of a node's log that are shown after a failure.
const COMPLAINTS: usize = 12;

/// A running network; it is stopped when this goes out of scope.
pub struct Network {
    coco: PathBuf,
    dir: PathBuf,
    ready_file: PathBuf,
    ready: Value,
}

impl Network {
    /// A new network in a directory of its own below `target`, where it stays to be looked at until the next run.
    pub fn start(context: &Context, name: &str, more: &[&str]) -> anyhow::Result<Self> {
        let place = context.metadata.scratch(name);
        let coco = context.metadata.binary("coco");
        let dir = place.join("network");
        if dir.join("network.json").exists() {
            Tool::new(&coco).args(&["down", "--quiet", "--dir"]).arg(&dir).must()?;
        }
        if place.exists() {
            fs::remove_dir_all(&place).with_context(|| format!("cannot remove {}", place.display()))?;
        }
        fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
        let ready_file = place.join("ready.json");
        let up = Tool::new(&coco).args(&["up", "--quiet", "--detach", "--rpc-port", "0", "--dir"]).arg(&dir);
        up.arg("--ready-file").arg(&ready_file).args(more).must()?;
        let ready = serde_json::from_slice(&fs::read(&ready_file)?).context("the ready file is not JSON")?;
        Ok(Self { coco, dir, ready_file, ready })
    }

    /// The driver of the client suites, told where the network is and which node to talk to.
    pub fn clients(&self, role: Role) -> anyhow::Result<Tool> {
        let nodes = self.ready["nodes"].as_array().context("the ready file names no nodes")?;
        let wanted = |node: &&Value| node["primary"] == (role == Role::Primary);
        let node = nodes.iter().find(wanted).context("the network has no such node")?;
        let http = node["ethereum"].as_str().context("the ready file does not say where the node serves")?;
        let tool = Tool::new("python3").arg(repository().join("clients/run.py")).arg("--network-file");
        let tool = tool.arg(&self.ready_file).args(&["--http", http]);
        Ok(tool.args(&["--ws", &http.replacen("http", "ws", 1)]))
    }

    /// What `coco up` wrote for programs.
    pub fn ready_file(&self) -> &Path {
        &self.ready_file
    }

    /// What somebody looks for first when a test failed: which nodes still run, and what they complained about last.
    pub fn post_mortem(&self) -> String {
        let nodes = self.ready["nodes"].as_array().into_iter().flatten().enumerate();
        nodes.map(|(place, node)| self.post_mortem_of(place + 1, node)).collect()
    }

    fn post_mortem_of(&self, number: usize, node: &Value) -> String {
        let runs = node["pid"].as_u64().is_some_and(|pid| Path::new("/proc").join(pid.to_string()).exists());
        let mut text = format!("node {number} {}\n", if runs { "runs" } else { "DOES NOT RUN ANY MORE" });
        let log = node["dir"].as_str().map(|dir| Path::new(dir).join("node.log"));
        let log = log.and_then(|path| fs::read(path).ok()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let told = |line: &&str| ["\"WARN\"", "\"ERROR\"", "consensus role"].iter().any(|sign| line.contains(sign));
        let lines: Vec<&str> = log.lines().filter(told).collect();
        for line in &lines[lines.len().saturating_sub(COMPLAINTS)..] {
            text.push_str(&format!("  {line}\n"));
        }
        text
    }

    /// Stops the network in good order, and gives every node's ledger directory.
    pub fn stop(self) -> anyhow::Result<Vec<PathBuf>> {
        Tool::new(&self.coco).args(&["down", "--quiet", "--dir"]).arg(&self.dir).must()?;
        let dirs = self.ready["ledger_dirs"].as_array().context("the ready file names no ledgers")?;
        let dirs: Vec<PathBuf> = dirs.iter().filter_map(Value::as_str).map(PathBuf::from).collect();
        if dirs.iter().all(|dir| Path::is_dir(dir)) { Ok(dirs) } else { bail!("a ledger directory is missing") }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The test is over; if its nodes cannot be stopped there is nobody left to tell.
        let _ = Tool::new(&self.coco).args(&["down", "--quiet", "--dir"]).arg(&self.dir).succeeds();
    }
}
