//! What a node that wants to join says, and what it is told: the bodies of `POST /node/join`, as CCF has them.
//!
//! The connection is TLS with a certificate of the joining node's own; its key is the one that the evidence vouches for. So what
//! an answer holds is bound to the attested key, and goes nowhere else.

use std::collections::BTreeMap;

use ledger::genesis::{Interface, NodeStatus, QuoteInfo, ServiceStatus};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// The most that a request may take. Most of it is evidence with its endorsements, in hexadecimal in base64: that of a TD has some 60 KiB, and
/// the log of what its firmware measured up to 200.
pub const REQUEST_BYTES_MAX: usize = 512 << 10;

/// What the joining node says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Request {
    pub node_info_network: Doors,
    pub quote_info: QuoteInfo,
    /// PEM. CCF's nodes encrypt to it; here everything goes over the connection, and it is kept for its tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_encryption_key: Option<String>,
    /// The seqno that the node's own ledger ends at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup_seqno: Option<u64>,
    /// PEM, for the key of the connection.
    pub certificate_signing_request: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_data: Option<Value>,
}

/// Where the node listens.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Doors {
    pub node_to_node_interface: Interface,
    #[serde(default)]
    pub rpc_interfaces: BTreeMap<String, Interface>,
}

/// What it is told.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Answer {
    pub node_status: NodeStatus,
    pub node_id: String,
    /// Only for a node that is trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_info: Option<NetworkInfo>,
}

/// Everything that makes it a node of the service.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct NetworkInfo {
    pub public_only: bool,
    pub last_recovered_signed_idx: u64,
    /// By the seqno that each begins to seal at.
    pub ledger_secrets: BTreeMap<u64, LedgerSecret>,
    pub identity: Identity,
    pub service_status: ServiceStatus,
    /// PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endorsed_certificate: Option<String>,
    /// What CCF's nodes need not be told.
    pub coco: Network,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerSecret {
    /// 32 bytes, base64.
    pub raw_key: Zeroizing<String>,
}

/// The service's certificate and its key, PEM.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    pub cert: String,
    pub priv_key: Zeroizing<String>,
}

/// The network, as a node of it must know it before it has the ledger.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Network {
    /// The joining node's number in consensus.
    pub number: u64,
    /// Every node that is trusted, this one included.
    pub nodes: Vec<Neighbour>,
    /// The rows of the hosted ledgers, by name.
    pub ledgers: Map<String, Value>,
    /// Whether nodes sign roots too.
    pub dual_signatures: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Neighbour {
    pub number: u64,
    pub id: String,
    /// Where nodes reach it: `host:port`.
    pub address: String,
}

/// Secrets are not shown.
impl std::fmt::Debug for LedgerSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LedgerSecret(..)")
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("cert", &self.cert).finish_non_exhaustive()
    }
}
