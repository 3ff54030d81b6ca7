//! One node of a network: where it is, whether it runs, what it says of itself.

use std::net::SocketAddr;

use development::{Joining, LedgerKind, Membership, NodeFile, NodeLayout, Origin};
use serde::{Deserialize, Serialize};

use super::http::Client;
use super::process::Process;
use crate::failure::Failure;

/// A node as its directory describes it.
pub struct Node {
    /// In consensus; 0 for one that has not joined its network yet.
    pub number: u64,
    /// Empty for one that has no key yet.
    pub id: String,
    pub layout: NodeLayout,
    pub file: NodeFile,
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
    /// The nodes that vote, by number, as far as this node knows.
    #[serde(default)]
    pub voters: Vec<u64>,
    /// Those that follow and do not vote, or not yet.
    #[serde(default)]
    pub learners: Vec<u64>,
    /// The hosted ledgers, in the order in which they were opened.
    #[serde(default)]
    pub ledgers: Vec<Hosted>,
    pub pid: u32,
}

/// A hosted ledger, as one node has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hosted {
    pub name: String,
    /// Absent where the node cannot read what members decided.
    pub kind: Option<String>,
    pub status: String,
    /// Its doors that are open.
    pub listeners: Vec<Listener>,
    /// Why it is not served, or not wholly.
    #[serde(default)]
    pub trouble: Option<String>,
}

/// A door.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Listener {
    pub name: String,
    pub address: SocketAddr,
}

impl Hosted {
    /// Where its clients find it.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listeners.first().map(|listener| listener.address)
    }
}

impl Status {
    /// A hosted ledger, by its name.
    pub fn hosted(&self, name: &str) -> Option<&Hosted> {
        self.ledgers.iter().find(|ledger| ledger.name == name)
    }

    /// Where it serves the first ledger of a kind that it serves.
    pub fn door(&self, kind: LedgerKind) -> Option<SocketAddr> {
        let of_kind = self.ledgers.iter().filter(|ledger| ledger.kind.as_deref() == Some(kind.name()));
        of_kind.filter_map(Hosted::address).next()
    }
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
    /// One of those that a network was made with.
    pub fn read(layout: NodeLayout, id: String) -> Result<Self, Failure> {
        let file = NodeFile::read(layout.dir())?;
        let number = match &file.origin {
            Origin::Founder(founder) => founder.number,
            Origin::Joiner(_) => 0,
        };
        Ok(Self { number, id, layout, file })
    }

    /// One that joined, or is about to. `None` if the directory is not such a one's.
    pub fn joiner(layout: NodeLayout) -> Result<Option<Self>, Failure> {
        if !layout.file().exists() {
            return Ok(None);
        }
        let file = NodeFile::read(layout.dir())?;
        if matches!(file.origin, Origin::Founder(_)) {
            return Ok(None);
        }
        if let Some(Membership { number, id, .. }) = Membership::read(layout.dir())? {
            return Ok(Some(Self { number, id: id.to_string(), layout, file }));
        }
        let id = Joining::read(layout.dir())?.map(|joining| joining.id.to_string()).unwrap_or_default();
        Ok(Some(Self { number: 0, id, layout, file }))
    }

    /// Whether it is still on its way into its network.
    pub fn is_joining(&self) -> bool {
        self.number == 0
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
        let ledgers = self.file.ledgers.iter().map(|ledger| (format!("the ledger `{}`", ledger.name), ledger.listen));
        let own = [
            ("its status".to_owned(), self.file.http),
            ("its members".to_owned(), self.file.governance),
            ("other nodes".to_owned(), self.file.peer),
        ];
        own.into_iter().chain(ledgers).collect()
    }
}
