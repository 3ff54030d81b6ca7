//! What a node was told when it joined a network, and what it tells the people who run it.

use std::net::SocketAddr;
use std::path::Path;

use base::NodeId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::files::{self, Readers};
use crate::node_file::{read_id, write_id};
use crate::{Error, LedgerKind, NodeFile, NodeLayout};

/// What it was told. Sealed with its keys: whoever could change it could have the node follow others.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Joined {
    /// Its number in consensus.
    pub number: u64,
    /// Every node that was trusted then, itself included.
    pub nodes: Vec<Neighbour>,
    /// The hosted ledgers, ascending by name.
    pub ledgers: Vec<JoinedLedger>,
    /// Whether nodes sign roots too.
    pub dual_signatures: bool,
}

/// A node, as another must know it to talk with it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Neighbour {
    pub number: u64,
    #[serde(serialize_with = "write_id", deserialize_with = "read_id")]
    pub id: NodeId,
    /// `host:port`.
    pub address: String,
}

/// A hosted ledger.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct JoinedLedger {
    pub name: String,
    pub kind: LedgerKind,
    /// What every node starts it from.
    pub row: Map<String, Value>,
    /// Where this node serves it, unless its `node.toml` says otherwise.
    pub listen: SocketAddr,
}

impl Joined {
    /// Where a ledger is served: as the node's file says, or else as was chosen when it joined.
    #[must_use]
    pub fn listen(&self, ledger: &JoinedLedger, file: &NodeFile) -> SocketAddr {
        let told = file.ledgers.iter().find(|told| told.name == ledger.name);
        told.map_or(ledger.listen, |told| told.listen)
    }
}

/// `joined.json`: what is public of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Membership {
    pub number: u64,
    #[serde(serialize_with = "write_id", deserialize_with = "read_id")]
    pub id: NodeId,
    pub ledgers: Vec<Served>,
}

/// A hosted ledger, and where its clients find it on this node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Served {
    pub name: String,
    pub kind: LedgerKind,
    pub listen: SocketAddr,
    /// Ethereum: what its transactions are signed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<u64>,
}

impl Membership {
    #[must_use]
    pub fn of(id: NodeId, joined: &Joined, file: &NodeFile) -> Self {
        let served = |ledger: &crate::JoinedLedger| Served {
            name: ledger.name.clone(),
            kind: ledger.kind,
            listen: joined.listen(ledger, file),
            chain_id: ledger.row.get("genesis").and_then(|genesis| genesis["config"]["chainId"].as_u64()),
        };
        Self { number: joined.number, id, ledgers: joined.ledgers.iter().map(served).collect() }
    }

    /// `None` until the node has joined.
    pub fn read(node_dir: &Path) -> Result<Option<Self>, Error> {
        read_json(&NodeLayout::new(node_dir).joined())
    }

    pub fn write(&self, node_dir: &Path) -> Result<(), Error> {
        write_json(&NodeLayout::new(node_dir).joined(), self)
    }
}

/// `joining.json`: how far a node is on its way into a network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Joining {
    pub state: JoiningState,
    #[serde(serialize_with = "write_id", deserialize_with = "read_id")]
    pub id: NodeId,
    /// The door that was asked last.
    pub door: String,
    /// SHA-256 of the network's constitution, once it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constitution: Option<String>,
    /// The kind of TEE that vouches for the node, once it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// What the code was measured as, in hexadecimal, if the node measures itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measurement: Option<String>,
    /// What it has of the ledger that it begins with, while it takes that from a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<Fetched>,
    /// Why it goes no further at the moment, or at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JoiningState {
    /// No node of the network has heard of it yet.
    Asking,
    /// Its evidence was accepted; members, or their rules, must trust it.
    Pending,
    /// It has the network's secrets.
    Trusted,
    /// It has them, and takes ledger files from a node.
    Fetching,
    /// The network does not want it, or it does not want the network.
    Refused,
}

/// Ledger files that have come.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Fetched {
    /// Of all files.
    pub bytes: u64,
    /// The last entry that is here …
    pub seqno: u64,
    /// … and the last one that the network had when it was asked.
    pub of: u64,
    /// The last entry that the snapshot of the state has, once one is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<u64>,
}

impl Joining {
    /// `None` for a node that never asked.
    pub fn read(node_dir: &Path) -> Result<Option<Self>, Error> {
        read_json(&NodeLayout::new(node_dir).joining())
    }

    pub fn write(&self, node_dir: &Path) -> Result<(), Error> {
        write_json(&NodeLayout::new(node_dir).joining(), self)
    }
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    if !path.try_exists().map_err(|e| Error::io("read", path, e))? {
        return Ok(None);
    }
    serde_json::from_slice(&files::read(path)?).map(Some).map_err(|e| Error::content(path, e.to_string()))
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    let json = serde_json::to_vec_pretty(value).map_err(|e| Error::content(path, e.to_string()))?;
    files::write(path, &json, Readers::Everyone)
}
