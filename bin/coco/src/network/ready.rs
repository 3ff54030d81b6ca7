//! The ready file: a running network, described for scripts and tests.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use development::{ACCOUNTS, Account, Layout, Network};
use serde::Serialize;

use super::node::{Node, Role, Status};
use crate::failure::Failure;

/// Written when the network serves. Paths are absolute.
#[derive(Serialize)]
pub struct ReadyFile {
    pub ethereum: Ethereum,
    pub chain_id: u64,
    pub accounts: [Account; 10],
    pub members: Vec<Member>,
    pub nodes: Vec<ReadyNode>,
    pub service_certificate: PathBuf,
    pub ledger_dirs: Vec<PathBuf>,
}

/// Node 1's Ethereum addresses.
#[derive(Serialize)]
pub struct Ethereum {
    pub http: String,
    pub ws: String,
}

#[derive(Serialize)]
pub struct Member {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Serialize)]
pub struct ReadyNode {
    pub id: String,
    pub pid: u32,
    pub dir: PathBuf,
    /// The node's own endpoints.
    pub http: String,
    /// Where members talk to it: HTTPS, by the service's certificate.
    pub governance: String,
    /// The node's own RPC address.
    pub ethereum: String,
    pub primary: bool,
}

impl ReadyFile {
    /// `statuses` are the nodes', in the same order.
    pub fn new(dir: &Path, network: &Network, nodes: &[Node], statuses: &[Status]) -> Result<Self, Failure> {
        let layout = Layout::new(dir);
        let missing = || Failure::new(format!("the network in {} hosts no Ethereum ledger", dir.display()));
        let first = nodes.first().and_then(|node| node.ethereum).ok_or_else(missing)?;
        let describe = |(node, status): (&Node, &Status)| {
            Ok(ReadyNode {
                id: node.id.clone(),
                pid: status.pid,
                dir: node.layout.dir().to_owned(),
                http: format!("http://{}", node.file.http),
                governance: format!("https://{}", node.file.governance),
                ethereum: format!("http://{}", node.ethereum.ok_or_else(missing)?),
                primary: status.role == Role::Primary,
            })
        };
        Ok(Self {
            ethereum: Ethereum { http: format!("http://{first}"), ws: format!("ws://{first}") },
            chain_id: network.chain_id().ok_or_else(missing)?,
            accounts: ACCOUNTS,
            members: network
                .members
                .iter()
                .map(|name| Member { certificate: layout.member_certificate(name), key: layout.member_key(name) })
                .collect(),
            nodes: nodes.iter().zip(statuses).map(describe).collect::<Result<_, Failure>>()?,
            service_certificate: layout.service_certificate(),
            ledger_dirs: nodes.iter().map(|node| node.layout.ledger()).collect(),
        })
    }

    /// Whoever waits for the file finds it whole.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let json = serde_json::to_vec_pretty(self)
            .map_err(|e| Failure::from_error("cannot describe the network as JSON", &e))?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let written = || -> std::io::Result<()> {
            let mut file = File::create(&beside)?;
            file.write_all(&json)?;
            file.write_all(b"\n")?;
            fs::rename(&beside, path)
        };
        written().map_err(|e| Failure::file("write", path, &e).hint("its directory must exist and be writable"))
    }
}
