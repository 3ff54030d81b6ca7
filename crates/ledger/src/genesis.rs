//! The JSON rows of the service and its nodes, in the form that CCF's tools read.

use std::collections::BTreeMap;

use base::{Digest, NodeId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where a service is in its life. Which may follow which: [`ServiceStatus::may_become`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ServiceStatus {
    Opening,
    Open,
    WaitingForRecoveryShares,
    Recovering,
}

impl ServiceStatus {
    /// A recovery may begin at any point, so `Opening` may follow all.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        use ServiceStatus::{Open, Opening, Recovering, WaitingForRecoveryShares};
        self == next
            || matches!(
                (self, next),
                (_, Opening)
                    | (Opening, Open | WaitingForRecoveryShares)
                    | (Open, Recovering)
                    | (Recovering, WaitingForRecoveryShares)
                    | (WaitingForRecoveryShares, Open)
            )
    }
}

/// The row of `service.info`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServiceInfo {
    /// PEM.
    pub cert: String,
    pub status: ServiceStatus,
    #[serde(default)]
    pub recovery_count: u64,
}

/// Whether a node may sign and vote.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum NodeStatus {
    Pending,
    Trusted,
    Retired,
}

/// Which state of known weaknesses a vendor's word on a platform was made by: it rises with each that the vendor mends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Evaluation {
    /// The kind of platform, as members call it.
    pub tee: String,
    /// Intel's TCB evaluation data number.
    pub number: u32,
}

/// A row of `nodes.info`. What members' scripts write into it beside this is kept.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct NodeInfo {
    pub status: NodeStatus,
    #[serde(default)]
    pub retired_committed: bool,
    /// The node's number in consensus, never used twice. (Not in CCF, where nodes have ids only.)
    #[serde(default)]
    pub number: u64,
    /// PEM of the node's public key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// Measurement of the code that the node runs, in hexadecimal.
    pub code_digest: String,
    /// How new the vendor's word was on the platform that it joined from. (Not in CCF.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<Evaluation>,
    pub quote_info: QuoteInfo,
    /// Where other nodes reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_to_node_interface: Option<Interface>,
    /// Its doors, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rpc_interfaces: BTreeMap<String, Interface>,
    /// PEM: what the service endorses once the node is trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_signing_request: Option<String>,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl NodeInfo {
    /// Reads a row.
    pub fn read(row: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(row)
    }

    /// The row.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        json(self)
    }

    /// Where other nodes dial: what is published, or else what it listens on.
    #[must_use]
    pub fn peer_address(&self) -> Option<&str> {
        self.node_to_node_interface.as_ref().map(Interface::address)
    }
}

impl Interface {
    /// Where others reach it: `host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        self.published_address.as_deref().unwrap_or(&self.bind_address)
    }
}

/// How the node proved itself.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct QuoteInfo {
    /// `Insecure_Virtual` for a node that proves nothing.
    pub format: String,
    /// Base64.
    pub quote: String,
    /// Base64.
    pub endorsements: String,
    /// Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uvm_endorsements: Option<String>,
}

/// The format of evidence that proves nothing.
pub const VIRTUAL: &str = "Insecure_Virtual";

/// A door of a node. What else a node says of it is kept.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Interface {
    pub bind_address: String,
    /// Where others reach it, if that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_address: Option<String>,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// The row of `service.info` as bytes.
#[must_use]
pub fn service_info(certificate_pem: &str, status: ServiceStatus) -> Vec<u8> {
    json(&ServiceInfo { cert: certificate_pem.to_owned(), status, recovery_count: 0 })
}

/// A row of `nodes.info` as bytes, for a node without a TEE.
#[must_use]
pub fn virtual_node_info(
    status: NodeStatus,
    public_key_pem: &str,
    code_digest: &Digest,
    peer_address: Option<&str>,
) -> Vec<u8> {
    NodeInfo {
        status,
        retired_committed: false,
        number: 0,
        public_key: Some(public_key_pem.to_owned()),
        code_digest: code_digest.to_string(),
        evaluation: None,
        quote_info: QuoteInfo { format: VIRTUAL.to_owned(), ..QuoteInfo::default() },
        node_to_node_interface: peer_address
            .map(|address| Interface { bind_address: address.to_owned(), ..Interface::default() }),
        rpc_interfaces: BTreeMap::new(),
        certificate_signing_request: None,
        more: Map::new(),
    }
    .write()
}

/// The key of a node's rows.
#[must_use]
pub fn node_key(id: NodeId) -> Vec<u8> {
    id.to_string().into_bytes()
}

fn json(row: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(row).expect("plain structs of text and numbers always serialise")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ServiceStatus::{Open, Opening, Recovering, WaitingForRecoveryShares};

    #[test]
    fn a_service_changes_only_along_the_known_ways() {
        let all = [Opening, Open, WaitingForRecoveryShares, Recovering];
        let allowed: Vec<_> = all
            .iter()
            .flat_map(|a| all.iter().filter(move |b| a != *b && a.may_become(**b)).map(move |b| (*a, *b)))
            .collect();
        assert_eq!(
            allowed,
            [
                (Opening, Open),
                (Opening, WaitingForRecoveryShares),
                (Open, Opening),
                (Open, Recovering),
                (WaitingForRecoveryShares, Opening),
                (WaitingForRecoveryShares, Open),
                (Recovering, Opening),
                (Recovering, WaitingForRecoveryShares),
            ]
        );
    }

    #[test]
    fn rows_have_the_fields_that_tools_look_for() {
        let service: serde_json::Value = serde_json::from_slice(&service_info("PEM", Open)).unwrap();
        assert_eq!((service["cert"].as_str(), service["status"].as_str()), (Some("PEM"), Some("Open")));
        let row = virtual_node_info(NodeStatus::Trusted, "KEY", &Digest::ZERO, Some("127.0.0.1:1"));
        let node: serde_json::Value = serde_json::from_slice(&row).unwrap();
        assert_eq!(node["status"], "Trusted");
        assert_eq!(node["retired_committed"], false);
        assert_eq!(node["quote_info"]["format"], "Insecure_Virtual");
        assert_eq!(node["code_digest"].as_str().map(str::len), Some(64));
    }
}
