//! What a service writes first: its own tables. Hosted ledgers come later, by vote.

use base::NodeId;
use kv::{Blob, Kind, Section, TableError, TableId, Tables, WriteSet};
use ledger::genesis::{Interface, NodeInfo, NodeStatus, QuoteInfo, ServiceStatus, VIRTUAL, node_key, service_info};
use serde_json::Map;

use crate::secrets::SecretTables;

/// The tables of the service itself that this node writes.
#[derive(Clone, Copy, Debug)]
pub struct ServiceTables {
    info: TableId,
    nodes: TableId,
    endorsed: TableId,
    leases: TableId,
    ledgers: TableId,
    opened: TableId,
    secrets: SecretTables,
}

/// Until when nodes need not prove themselves anew: key = id, value = JSON.
const LEASES: &str = "public:coco.gov.nodes.leases";
/// Hosted ledgers whose beginning is in the ledger: key = name, value = JSON. The node writes it, with that beginning.
const OPENED: &str = "public:coco.internal.ledgers_opened";

impl ServiceTables {
    /// Registers every table of the framework.
    pub fn register(tables: &Tables) -> Result<Self, TableError> {
        ledger::tables::register(tables)?;
        let ledgers = tables.add(adapter::LEDGERS, Kind::State)?;
        let opened = tables.add(OPENED, Kind::State)?;
        let leases = tables.add(LEASES, Kind::State)?;
        let secrets = SecretTables::register(tables)?;
        let find = |name: &str| tables.find(name).ok_or_else(|| TableError::Name(name.to_owned()));
        Ok(Self {
            info: find(ledger::tables::SERVICE_INFO)?,
            nodes: find(ledger::tables::NODES_INFO)?,
            endorsed: find(ledger::tables::NODES_ENDORSED_CERTIFICATES)?,
            leases,
            ledgers,
            opened,
            secrets,
        })
    }
}

impl ServiceTables {
    /// The nodes, by id.
    pub(crate) fn nodes(&self) -> TableId {
        self.nodes
    }

    /// Their leases, by id.
    pub(crate) fn leases(&self) -> TableId {
        self.leases
    }

    /// The hosted ledgers, by name.
    pub(crate) fn ledgers(&self) -> TableId {
        self.ledgers
    }

    /// Those that have begun, by name.
    pub(crate) fn opened(&self) -> TableId {
        self.opened
    }

    /// What brings ledger secrets.
    pub(crate) fn secrets(&self) -> SecretTables {
        self.secrets
    }
}

/// A node as the service knows it at its birth.
pub struct First {
    pub number: u64,
    pub id: NodeId,
    /// PEM.
    pub certificate: String,
    /// PEM.
    pub public_key: String,
    /// Where nodes reach it.
    pub peer_address: String,
    /// Where members reach it.
    pub governance: Option<String>,
}

impl First {
    /// Its row. No evidence: founders are trusted by whoever starts them, and nobody else is there to look.
    fn info(&self) -> NodeInfo {
        let door = |address: &str| {
            let published_address = Some(address.to_owned());
            Interface { bind_address: address.to_owned(), published_address, ..Interface::default() }
        };
        NodeInfo {
            status: NodeStatus::Trusted,
            retired_committed: false,
            number: self.number,
            public_key: Some(self.public_key.clone()),
            code_digest: base::Digest::ZERO.to_string(),
            evaluation: None,
            quote_info: QuoteInfo { format: VIRTUAL.to_owned(), ..QuoteInfo::default() },
            node_to_node_interface: Some(door(&self.peer_address)),
            rpc_interfaces: self.governance.iter().map(|address| ("governance".to_owned(), door(address))).collect(),
            certificate_signing_request: None,
            more: Map::new(),
        }
    }
}

/// All that the first entries of a service say.
pub struct Genesis {
    pub tables: ServiceTables,
    /// PEM.
    pub service_certificate: String,
    pub nodes: Vec<First>,
}

impl Genesis {
    /// One entry that opens the service with its nodes, and one that declares it open.
    pub fn entries(&self) -> Vec<WriteSet> {
        let tables = &self.tables;
        let key = |id: NodeId| Blob::from(node_key(id));
        let row = |text: &str| Blob::from(text.as_bytes());
        let opening = service_info(&self.service_certificate, ServiceStatus::Opening);
        let nodes = self.nodes.iter().map(|node| (key(node.id), Blob::from(node.info().write())));
        let endorsed = self.nodes.iter().map(|node| (key(node.id), row(&node.certificate)));
        let open = service_info(&self.service_certificate, ServiceStatus::Open);
        vec![
            write_set(vec![
                (tables.info, vec![(singleton(), opening.into())]),
                (tables.nodes, nodes.collect()),
                (tables.endorsed, endorsed.collect()),
                tables.secrets.first(),
            ]),
            write_set(vec![(tables.info, vec![(singleton(), open.into())])]),
        ]
    }
}

fn singleton() -> Blob {
    Blob::from(ledger::tables::SINGLETON)
}

fn write_set(tables: Vec<(TableId, Vec<(Blob, Blob)>)>) -> WriteSet {
    let mut sections: Vec<Section> = tables
        .into_iter()
        .filter(|(_, puts)| !puts.is_empty())
        .map(|(table, mut puts)| {
            puts.sort();
            Section { table, puts, removes: Vec::new() }
        })
        .collect();
    sections.sort_by_key(|section| section.table);
    WriteSet { sections }
}
