//! The service and its nodes.

use std::collections::BTreeMap;

use kv::Tx;
use ledger::genesis::{NodeStatus, ServiceStatus};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{all, camel_case, json, row, text};
use crate::nodes::Lease;
use crate::state::service;
use crate::tables::{NODES_ENDORSED_CERTIFICATES, NODES_INFO, NODES_LEASES, SERVICE_CONFIG, SERVICE_INFO, SINGLETON};
use crate::{Governance, Refusal};

/// The service, as clients are told of it.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    pub status: ServiceStatus,
    /// PEM.
    pub certificate: String,
    pub recovery_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_transaction_id: Option<String>,
    pub service_data: Option<Value>,
    pub configuration: Configuration,
}

/// What members decided about the service.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct Configuration {
    #[serde(default)]
    pub recovery_threshold: u64,
    #[serde(default = "year")]
    pub maximum_node_certificate_validity_days: u64,
    #[serde(default = "year")]
    pub maximum_service_certificate_validity_days: u64,
    #[serde(default = "window")]
    pub recent_cose_proposals_window_size: u64,
}

fn year() -> u64 {
    365
}

fn window() -> u64 {
    service::WINDOW
}

/// A node, as clients are told of it.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    pub node_id: String,
    pub status: NodeStatus,
    pub node_data: Option<Value>,
    /// PEM; absent until the service endorses it.
    pub certificate: Option<String>,
    pub retired_committed: bool,
    pub quote_info: Value,
    pub rpc_interfaces: BTreeMap<String, Interface>,
    /// Not in CCF's answer, and only where members decided that nodes have leases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
}

/// A door of a node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct Interface {
    pub published_address: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
}

#[derive(Deserialize)]
struct InfoRow {
    status: ServiceStatus,
    cert: String,
    #[serde(default)]
    recovery_count: u64,
    #[serde(default)]
    current_service_create_txid: Option<String>,
    #[serde(default)]
    service_data: Option<Value>,
}

#[derive(Deserialize)]
struct NodeRow {
    status: NodeStatus,
    #[serde(default)]
    node_data: Option<Value>,
    #[serde(default)]
    retired_committed: bool,
    #[serde(default)]
    quote_info: Value,
    #[serde(default)]
    rpc_interfaces: BTreeMap<String, Interface>,
}

impl Governance {
    pub fn service(&self, tx: &Tx<'_>) -> Result<Option<Service>, Refusal> {
        let Some(info) = row(tx, SERVICE_INFO, &SINGLETON)? else { return Ok(None) };
        let info: InfoRow = json(SERVICE_INFO, &info)?;
        let configuration = row(tx, SERVICE_CONFIG, &SINGLETON)?;
        let configuration = configuration.as_deref().unwrap_or(b"{}");
        Ok(Some(Service {
            status: info.status,
            certificate: info.cert,
            recovery_count: info.recovery_count,
            creation_transaction_id: info.current_service_create_txid,
            service_data: info.service_data,
            configuration: json(SERVICE_CONFIG, configuration)?,
        }))
    }

    /// The constitution's script.
    pub fn constitution(&self, tx: &Tx<'_>) -> Result<Option<String>, Refusal> {
        service::constitution(&self.tables, tx)
    }

    pub fn nodes(&self, tx: &Tx<'_>) -> Result<Vec<Node>, Refusal> {
        all::<NodeRow>(tx, NODES_INFO)?.into_iter().map(|(id, info)| node(tx, id, info)).collect()
    }

    pub fn node(&self, tx: &Tx<'_>, id: &str) -> Result<Option<Node>, Refusal> {
        let id = id.to_ascii_lowercase();
        let Some(found) = row(tx, NODES_INFO, id.as_bytes())? else { return Ok(None) };
        node(tx, id, json(NODES_INFO, &found)?).map(Some)
    }
}

fn node(tx: &Tx<'_>, id: String, info: NodeRow) -> Result<Node, Refusal> {
    let certificate = row(tx, NODES_ENDORSED_CERTIFICATES, id.as_bytes())?.map(|pem| text(&pem));
    let lease = row(tx, NODES_LEASES, id.as_bytes())?;
    Ok(Node {
        lease: lease.map(|lease| json(NODES_LEASES, &lease)).transpose()?,
        node_id: id,
        status: info.status,
        node_data: info.node_data,
        certificate,
        retired_committed: info.retired_committed,
        quote_info: quote(info.quote_info),
        rpc_interfaces: info.rpc_interfaces,
    })
}

/// Evidence. That of a virtual TEE is named for what it is.
fn quote(mut info: Value) -> Value {
    let is_virtual = info.get("format").and_then(Value::as_str) == Some("Insecure_Virtual");
    if let Some(fields) = info.as_object_mut().filter(|_| is_virtual) {
        fields.remove("endorsements");
        if let Some(quote) = fields.remove("quote") {
            fields.insert("raw_quote".to_owned(), quote);
        }
    }
    camel_case(info)
}
