//! One node of a network: where it is, whether it runs, what it says of itself.

use std::net::SocketAddr;

use development::{LedgerKind, NodeFile, NodeLayout};
use serde::{Deserialize, Serialize};

use super::http::Client;
use super::process::Process;
use crate::failure::Failure;

/// A node as its directory describes it.
pub struct Node {
    pub number: u64,
    pub id: String,
    pub layout: NodeLayout,
    pub file: NodeFile,
    /// Where it serves Ethereum clients.
    pub ethereum: Option<SocketAddr>,
}

/// What a node answers to `GET /node/status`. More may be in the answer than `coco` knows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Status {
    pub id: String,
    pub role: Role,
    pub primary: Option<u64>,
    pub view: u64,
    pub seqno: u64,
    pub committed: String,
    /// Whether it serves clients.
    pub serving: bool,
    /// Committed since the process started, if the node counts them.
    pub transactions: Option<u64>,
    pub pid: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Primary,
    Backup,
    Starting,
}

impl Role {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Backup => "backup",
            Self::Starting => "starting",
        }
    }
}

impl Node {
    pub fn read(layout: NodeLayout, id: String) -> Result<Self, Failure> {
        let file = NodeFile::read(layout.dir())?;
        let ethereum = file.ledger(LedgerKind::Ethereum).map(|ledger| ledger.listen);
        Ok(Self { number: file.number, id, layout, file, ethereum })
    }

    /// The process that runs it, if one does.
    pub fn process(&self) -> Option<Process> {
        Process::read(&self.layout.process()).filter(|process| process.alive())
    }

    /// What it says of itself. An answer of some other program at its address is none.
    pub fn status(&self, client: &Client) -> Result<Status, String> {
        let status: Status = client.get(self.file.http, "/node/status")?;
        if status.id != self.id {
            return Err(format!("{} is answered by another node ({})", self.file.http, status.id));
        }
        Ok(status)
    }

    /// Every address it listens on, with what it is for.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        let peer = self.file.own().map(|own| ("other nodes".to_owned(), own.peer));
        let ledgers = self.file.ledgers.iter().map(|ledger| (format!("the ledger `{}`", ledger.name), ledger.listen));
        let own = [("its status".to_owned(), self.file.http), ("its members".to_owned(), self.file.governance)];
        own.into_iter().chain(peer).chain(ledgers).collect()
    }
}
