//! The service and its nodes as the public tables tell of them: who may sign at each point of the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::NodeId;
use crypto::{Certificate, PublicKey};
use serde::Deserialize;

use super::report::Reason;
use crate::domain::SectionView;
use crate::entry::RawEntry;
use crate::genesis::{NodeStatus, ServiceInfo, ServiceStatus};
use crate::tables;

#[derive(Default)]
pub(super) struct State {
    service: Option<Service>,
    nodes: BTreeMap<NodeId, NodeStatus>,
    certificates: BTreeMap<NodeId, Arc<PublicKey>>,
}

struct Service {
    certificate: String,
    key: Arc<PublicKey>,
    status: ServiceStatus,
}

/// What the audit needs of a node's row.
#[derive(Deserialize)]
struct NodeRow {
    status: NodeStatus,
    /// Written by CCF 1.x in place of the endorsed certificate.
    cert: Option<String>,
}

impl State {
    /// Takes over what an entry says about the service and its nodes.
    pub(super) fn apply(&mut self, entry: &RawEntry<'_>) -> Result<(), Reason> {
        for section in entry.public() {
            let section = section?;
            match section.name {
                tables::SERVICE_INFO => self.service(&section)?,
                tables::NODES_INFO => self.nodes(&section)?,
                tables::NODES_ENDORSED_CERTIFICATES => self.certificates(&section)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The key that a signature of the service must verify with.
    pub(super) fn service_key(&self) -> Result<Arc<PublicKey>, Reason> {
        let service = self.service.as_ref().ok_or(Reason::Service("there is none before the first signature"))?;
        Ok(Arc::clone(&service.key))
    }

    /// The key of a node that may sign. A retired node still may: it keeps a network alive while it changes.
    pub(super) fn signing_node(&self, id: NodeId) -> Result<Arc<PublicKey>, Reason> {
        match self.nodes.get(&id) {
            None => Err(Reason::Signer(id, "is not a node of this service")),
            Some(NodeStatus::Pending) => Err(Reason::Signer(id, "was not trusted yet")),
            Some(NodeStatus::Trusted | NodeStatus::Retired) => {
                self.certificates.get(&id).cloned().ok_or(Reason::Signer(id, "has no endorsed certificate"))
            }
        }
    }

    pub(super) fn service_certificate(&self) -> Option<String> {
        self.service.as_ref().map(|service| service.certificate.clone())
    }

    pub(super) fn service_status(&self) -> Option<ServiceStatus> {
        self.service.as_ref().map(|service| service.status)
    }

    fn service(&mut self, section: &SectionView<'_>) -> Result<(), Reason> {
        let row = section.only_row().ok_or(Reason::Service("it is removed, or there are two"))?;
        let ServiceInfo { cert, status, .. } =
            serde_json::from_slice(row).map_err(|_| Reason::Service("it is not the JSON it should be"))?;
        let before = self.service.as_ref().map(|service| service.status);
        if let Some(before) = before.filter(|before| !before.may_become(status)) {
            return Err(Reason::Status(before, status));
        }
        let key = Certificate::from_pem(&cert)
            .and_then(|certificate| certificate.public_key())
            .map_err(|_| Reason::Service("its certificate cannot be read"))?;
        self.service = Some(Service { certificate: cert, key: Arc::new(key), status });
        Ok(())
    }

    fn nodes(&mut self, section: &SectionView<'_>) -> Result<(), Reason> {
        for (key, row) in section.puts() {
            let id = node_id(key)?;
            let broken = |what| Reason::Node(id.to_string(), what);
            let row: NodeRow = serde_json::from_slice(row).map_err(|_| broken("it is not the JSON it should be"))?;
            if row.cert.is_some() {
                return Err(broken("it holds a certificate of its own"));
            }
            self.nodes.insert(id, row.status);
        }
        for key in section.removes() {
            let id = node_id(key)?;
            self.nodes.remove(&id).ok_or_else(|| Reason::Node(id.to_string(), "it is removed and was not there"))?;
        }
        Ok(())
    }

    fn certificates(&mut self, section: &SectionView<'_>) -> Result<(), Reason> {
        for (key, row) in section.puts() {
            let id = node_id(key)?;
            let broken = |what| Reason::Node(id.to_string(), what);
            let public = std::str::from_utf8(row)
                .ok()
                .and_then(|pem| Certificate::from_pem(pem).ok()?.public_key().ok())
                .ok_or_else(|| broken("its certificate cannot be read"))?;
            if public.node_id() != id {
                return Err(broken("its certificate is another node's"));
            }
            self.certificates.insert(id, Arc::new(public));
        }
        for key in section.removes() {
            self.certificates.remove(&node_id(key)?);
        }
        Ok(())
    }
}

fn node_id(key: &[u8]) -> Result<NodeId, Reason> {
    let text = std::str::from_utf8(key).unwrap_or_default();
    NodeId::parse(text)
        .ok()
        .filter(|id| id.to_string() == text)
        .ok_or_else(|| Reason::Node(String::from_utf8_lossy(key).into_owned(), "its key is not a node id"))
}
