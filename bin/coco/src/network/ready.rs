//! The ready file: a running network, described for scripts and tests.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use development::{ACCOUNTS, Account, Layout, LedgerKind, Network};
use serde::Serialize;
use serde_json::json;

use super::http::Client;
use super::node::{Node, Role, Status};
use crate::failure::Failure;

/// Written when the network serves, or the node that joined one. Paths are absolute.
#[derive(Serialize)]
pub struct ReadyFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ethereum: Option<Ethereum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<u64>,
    /// Empty where the node holds nobody's keys.
    pub accounts: Vec<Account>,
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
    pub number: u64,
    pub id: String,
    pub pid: u32,
    pub dir: PathBuf,
    /// The node's own endpoints.
    pub http: String,
    /// Where members talk to it: HTTPS, by the service's certificate.
    pub governance: String,
    /// The node's own RPC address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ethereum: Option<String>,
    /// Where it serves each hosted ledger, by name.
    pub ledgers: BTreeMap<String, String>,
    pub primary: bool,
}

impl ReadyNode {
    fn of(node: &Node, status: &Status) -> Self {
        Self {
            number: node.number,
            id: node.id.clone(),
            pid: status.pid,
            dir: node.layout.dir().to_owned(),
            http: format!("http://{}", node.file.http),
            governance: format!("https://{}", node.file.governance),
            ethereum: status.door(LedgerKind::Ethereum).map(|address| format!("http://{address}")),
            ledgers: status
                .ledgers
                .iter()
                .filter_map(|it| Some((it.name.clone(), format!("http://{}", it.address()?))))
                .collect(),
            primary: status.role == Role::Primary,
        }
    }
}

impl Ethereum {
    fn at(address: SocketAddr) -> Self {
        Self { http: format!("http://{address}"), ws: format!("ws://{address}") }
    }
}

impl ReadyFile {
    /// `statuses` are the nodes', in the same order.
    pub fn new(dir: &Path, network: &Network, nodes: &[Node], statuses: &[Status]) -> Self {
        let layout = Layout::new(dir);
        Self {
            ethereum: statuses.first().and_then(|status| status.door(LedgerKind::Ethereum)).map(Ethereum::at),
            chain_id: network.chain_id(),
            accounts: ACCOUNTS.to_vec(),
            members: network
                .members
                .iter()
                .map(|name| Member { certificate: layout.member_certificate(name), key: layout.member_key(name) })
                .collect(),
            nodes: nodes.iter().zip(statuses).map(|(node, status)| ReadyNode::of(node, status)).collect(),
            service_certificate: layout.service_certificate(),
            ledger_dirs: nodes.iter().map(|node| node.layout.ledger()).collect(),
        }
    }

    /// Of a node that joined a network elsewhere: what is on this machine.
    pub fn joined(node: &Node, status: &Status, client: &Client) -> Self {
        let layout = Layout::new(node.layout.dir());
        let ethereum = status.door(LedgerKind::Ethereum);
        Self {
            ethereum: ethereum.map(Ethereum::at),
            chain_id: ethereum.and_then(|door| chain_id(door, client)),
            accounts: Vec::new(),
            members: Vec::new(),
            nodes: vec![ReadyNode::of(node, status)],
            service_certificate: layout.service_certificate(),
            ledger_dirs: vec![node.layout.ledger()],
        }
    }

    /// Whoever waits for the file finds it whole.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|e| Failure::from_error("cannot describe the network as JSON", &e))?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let written = || -> std::io::Result<()> {
            let mut file = File::create(&beside)?;
            file.write_all(&text)?;
            file.write_all(b"\n")?;
            fs::rename(&beside, path)
        };
        written().map_err(|e| Failure::file("write", path, &e).hint("its directory must exist and be writable"))
    }
}

/// What an Ethereum ledger's transactions are signed for, as it says itself.
fn chain_id(door: SocketAddr, client: &Client) -> Option<u64> {
    let said = client.call(door, "eth_chainId", &json!([])).ok()?;
    u64::from_str_radix(said.as_str()?.strip_prefix("0x")?, 16).ok()
}
