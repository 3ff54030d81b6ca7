//! The network under test, through the programs that people use.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use load::{Account, Endpoint};
use rustix::process::{Pid, Signal};
use serde::Deserialize;
use tokio::process::Command;

/// A network, its processes and files.
pub struct Network {
    coco: PathBuf,
    dir: PathBuf,
    count: u64,
    pub nodes: Vec<Node>,
    pub funder: Account,
    service_certificate: PathBuf,
    pub ledgers: Vec<PathBuf>,
}

#[derive(Clone)]
pub struct Node {
    pub number: usize,
    pub pid: u32,
    pub rpc: Endpoint,
}

/// What is read of the ready file.
#[derive(Deserialize)]
struct Ready {
    nodes: Vec<ReadyNode>,
    accounts: Vec<ReadyAccount>,
    service_certificate: PathBuf,
    ledger_dirs: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct ReadyNode {
    pid: u32,
    ethereum: String,
}

#[derive(Deserialize)]
struct ReadyAccount {
    private_key: String,
}

/// What is read of `coco status --json`.
#[derive(Deserialize)]
struct Status {
    primary: Option<usize>,
    nodes: Vec<NodeStatus>,
}

#[derive(Deserialize)]
struct NodeStatus {
    committed: Option<String>,
}

impl Network {
    pub async fn start(coco: PathBuf, dir: PathBuf, count: u64) -> Result<Self> {
        let (nodes, ready) = up(&coco, &dir, count).await?;
        let key = ready.accounts.first().map(|account| account.private_key.as_str()).unwrap_or_default();
        let funder = Account::parse(key).context("the network names no account with a key")?;
        let Ready { service_certificate, ledger_dirs: ledgers, .. } = ready;
        Ok(Self { coco, dir, count, nodes, funder, service_certificate, ledgers })
    }

    /// Starts what does not run, and returns when all serve.
    pub async fn up(&mut self) -> Result<()> {
        (self.nodes, _) = up(&self.coco, &self.dir, self.count).await?;
        Ok(())
    }

    pub async fn down(&self) -> Result<()> {
        run(&self.coco, &["--quiet".as_ref(), "down".as_ref(), "--dir".as_ref(), self.dir.as_os_str()]).await.map(drop)
    }

    /// Ends a node on the spot. It gets no chance to write anything.
    pub fn kill(&self, number: usize) -> Result<()> {
        let pid = i32::try_from(self.nodes[number - 1].pid).ok().and_then(Pid::from_raw);
        let pid = pid.with_context(|| format!("node {number} has no process"))?;
        rustix::process::kill_process(pid, Signal::KILL).with_context(|| format!("node {number} cannot be killed"))
    }

    /// The number of the primary.
    pub async fn primary(&self) -> Result<usize> {
        self.status().await?.primary.context("no node says that it is the primary")
    }

    /// What every node has at least: the lowest seqno that one says is committed.
    pub async fn committed(&self) -> Result<u64> {
        let status = self.status().await?;
        // View and seqno, with a point between.
        let seqno = |node: &NodeStatus| node.committed.as_ref()?.split_once('.')?.1.parse().ok();
        let seqnos: Option<Vec<u64>> = status.nodes.iter().map(seqno).collect();
        seqnos.and_then(|seqnos| seqnos.into_iter().min()).context("a node does not say what is committed")
    }

    async fn status(&self) -> Result<Status> {
        let dir = self.dir.as_os_str();
        let said = run(&self.coco, &["status".as_ref(), "--json".as_ref(), "--dir".as_ref(), dir]).await?;
        serde_json::from_slice(&said).context("`coco status --json` says something unexpected")
    }

    /// Audits one ledger with the service's certificate; tells how many entries were proven.
    pub async fn verify(&self, ledger: &Path) -> Result<u64> {
        #[derive(Deserialize)]
        struct Report {
            verified: Verified,
        }
        #[derive(Deserialize)]
        struct Verified {
            entries: u64,
        }
        let service = self.service_certificate.as_os_str();
        let arguments = ["ledger", "verify", "--json", "--service"].map(AsRef::as_ref);
        let said = run(&self.coco, &[&arguments[..], &[service, ledger.as_os_str()]].concat()).await?;
        let report: Report =
            serde_json::from_slice(&said).context("`coco ledger verify --json` says something unexpected")?;
        Ok(report.verified.entries)
    }
}

async fn up(coco: &Path, dir: &Path, count: u64) -> Result<(Vec<Node>, Ready)> {
    let file = dir.with_extension("ready.json");
    let count = count.to_string();
    let arguments = ["--quiet", "up", "--detach", "--rpc-port", "0", "--nodes", &count, "--dir"].map(AsRef::as_ref);
    run(coco, &[&arguments[..], &[dir.as_os_str(), "--ready-file".as_ref(), file.as_os_str()]].concat()).await?;
    let text = tokio::fs::read(&file).await.with_context(|| format!("{} cannot be read", file.display()))?;
    let ready: Ready = serde_json::from_slice(&text).context("the ready file is not as expected")?;
    let node = |(number, node): (usize, &ReadyNode)| {
        let rpc = node.ethereum.parse().map_err(anyhow::Error::msg)?;
        Ok(Node { number, pid: node.pid, rpc })
    };
    let nodes = (1..).zip(&ready.nodes).map(node).collect::<Result<Vec<Node>>>()?;
    Ok((nodes, ready))
}

/// Runs the command line program to its end, and gives what it printed.
async fn run(coco: &Path, arguments: &[&std::ffi::OsStr]) -> Result<Vec<u8>> {
    let output = Command::new(coco)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .with_context(|| format!("{} cannot be run", coco.display()))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let words: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    bail!("coco {} ended with {}:\n{}{}", words.join(" "), output.status, wrong, said)
}
