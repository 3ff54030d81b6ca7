//! The JSON rows of the service and its nodes, in the form that CCF's tools read.

use base::{Digest, NodeId};
use serde::{Deserialize, Serialize};

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

/// A row of `nodes.info`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeInfo {
    pub status: NodeStatus,
    #[serde(default)]
    pub retired_committed: bool,
    /// PEM of the node's public key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// Measurement of the code that the node runs, in hexadecimal.
    pub code_digest: String,
    pub quote_info: QuoteInfo,
    /// Where other nodes reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_to_node_interface: Option<Interface>,
}

/// How the node proved itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QuoteInfo {
    /// `Insecure_Virtual` for a node that proves nothing.
    pub format: String,
    /// Base64.
    pub quote: String,
    /// Base64.
    pub endorsements: String,
}

/// A network address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Interface {
    pub bind_address: String,
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
    json(&NodeInfo {
        status,
        retired_committed: false,
        public_key: Some(public_key_pem.to_owned()),
        code_digest: code_digest.to_string(),
        quote_info: QuoteInfo {
            format: "Insecure_Virtual".to_owned(),
            quote: String::new(),
            endorsements: String::new(),
        },
        node_to_node_interface: peer_address.map(|address| Interface { bind_address: address.to_owned() }),
    })
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
