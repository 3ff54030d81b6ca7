//! What a node is made from.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use adapter::{Fault, Neighbour};
use base::{NodeId, Seqno};
use crypto::{Certificate, KeyPair, Secret};
use ledger::genesis::NodeStatus;

use crate::nodes::{Listed, Nodes};
use crate::secrets::KeepSecrets;

/// What a node is told at start.
pub struct Settings {
    /// Its `log`, `ledger`, `index` and `snapshots` are here.
    pub dir: PathBuf,
    /// This node's number in consensus.
    pub number: u64,
    pub origin: Origin,
    /// Where it listens for other nodes.
    pub peers: SocketAddr,
    /// The node's own endpoints.
    pub http: SocketAddr,
    /// Where members reach it.
    pub governance: SocketAddr,
    /// Where it serves hosted ledgers, by their names. Of others their rows say the port.
    pub ledgers: BTreeMap<String, SocketAddr>,
    /// Puts the node's own signature beside the service's, for tools of CCF before 7.0.
    pub dual_signatures: bool,
    /// Keeps every version of the state in memory.
    pub archive: bool,
}

/// How the node came to its network: which nodes it knows of before its ledger says more, itself included.
pub enum Origin {
    /// It is one of those that the network begins with.
    Founded(Vec<Founder>),
    /// It joined these.
    Joined(Vec<Neighbour>),
}

impl Origin {
    /// The nodes, as far as other nodes need to know them.
    pub(super) fn nodes(&self) -> Result<Nodes, Fault> {
        let trusted = |number, id, address| Listed { number, id, address, status: NodeStatus::Trusted, lapsed: false };
        match self {
            Self::Founded(founders) => {
                let listed = |it: &Founder| Ok(trusted(it.number, it.id()?, it.address.clone()));
                founders.iter().map(listed).collect()
            }
            Self::Joined(nodes) => Ok(nodes.iter().map(|it| trusted(it.number, it.id, it.address.clone())).collect()),
        }
    }
}

/// What only a TEE may hold, and the certificates that belong to it.
pub struct Secrets {
    pub node_key: Arc<KeyPair>,
    pub service_key: KeyPair,
    /// Each with the seqno that it is in force from, ascending; the first from the first entry on.
    pub ledger_secrets: Vec<(Seqno, Secret)>,
    /// Seals them again when there is a new one.
    pub keep: KeepSecrets,
    pub service_certificate: Certificate,
    /// This node's own, endorsed by the service.
    pub node_certificate: Certificate,
}

/// A node of a network that is to be founded.
pub struct Founder {
    pub number: u64,
    pub certificate: Certificate,
    /// Where nodes reach it: `host:port`.
    pub address: String,
    /// Where members reach it.
    pub governance: Option<String>,
}

impl Founder {
    pub(super) fn id(&self) -> Result<NodeId, Fault> {
        self.certificate.public_key().map(|key| key.node_id()).map_err(Fault::new)
    }
}
