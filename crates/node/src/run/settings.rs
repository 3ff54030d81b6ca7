//! What a node is made from.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use adapter::{Adapter, Fault};
use base::NodeId;
use crypto::{Certificate, KeyPair, Secret};

/// What a node is told at start.
pub struct Settings {
    /// Its `log`, `ledger`, `index` and `snapshots` are here.
    pub dir: PathBuf,
    /// This node's number in `nodes`.
    pub number: u64,
    /// Every node of the network, this one included.
    pub nodes: Vec<(u64, NodeId, SocketAddr)>,
    /// The node's own endpoints.
    pub http: SocketAddr,
    /// Puts the node's own signature beside the service's, for tools of CCF before 7.0.
    pub dual_signatures: bool,
    /// Keeps every version of the state in memory.
    pub archive: bool,
}

impl Settings {
    /// This node's id, and where its peers find it.
    pub(super) fn own(&self) -> Result<(NodeId, SocketAddr), Fault> {
        let own = self.nodes.iter().find(|(number, ..)| *number == self.number);
        own.map(|(_, id, address)| (*id, *address)).ok_or_else(|| Fault::new("this node is not in the list of nodes"))
    }
}

/// What only a TEE may hold, and the certificates that belong to it.
pub struct Secrets {
    pub node_key: KeyPair,
    pub service_key: KeyPair,
    pub ledger_secret: Secret,
    pub service_certificate: Certificate,
    /// Of every node.
    pub node_certificates: Vec<(NodeId, Certificate)>,
}

impl Secrets {
    pub(super) fn certificate_of(&self, node: NodeId) -> Result<Certificate, Fault> {
        let certificate = self.node_certificates.iter().find(|(id, _)| *id == node);
        let (_, certificate) = certificate.ok_or_else(|| Fault::new(format!("node {node} has no certificate")))?;
        Ok(certificate.clone())
    }
}

/// A hosted ledger and where it listens.
pub struct Hosted {
    /// `None`: it is the framework's own, and no ledger that anyone could close.
    pub kind: Option<String>,
    pub adapter: Arc<dyn Adapter>,
    /// One address for each of the adapter's listeners, in its order.
    pub listen: Vec<SocketAddr>,
}
