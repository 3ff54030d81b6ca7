//! What a service writes first: its own tables, before any hosted ledger's.

use base::NodeId;
use kv::{Blob, Kind, Section, TableError, TableId, Tables, WriteSet};
use ledger::genesis::{NodeStatus, ServiceStatus, node_key, service_info, virtual_node_info};

/// The tables of the service itself that this node writes.
#[derive(Clone, Copy, Debug)]
pub struct ServiceTables {
    info: TableId,
    nodes: TableId,
    endorsed: TableId,
    ledgers: TableId,
}

/// Names the hosted ledgers: key = name, value = JSON.
const LEDGERS: &str = "public:coco.gov.ledgers";

impl ServiceTables {
    /// Registers every table of the framework.
    pub fn register(tables: &mut Tables) -> Result<Self, TableError> {
        ledger::tables::register(tables)?;
        let ledgers = tables.add(LEDGERS, Kind::State)?;
        let find = |name: &str| tables.find(name).ok_or_else(|| TableError::Name(name.to_owned()));
        Ok(Self {
            info: find(ledger::tables::SERVICE_INFO)?,
            nodes: find(ledger::tables::NODES_INFO)?,
            endorsed: find(ledger::tables::NODES_ENDORSED_CERTIFICATES)?,
            ledgers,
        })
    }
}

impl ServiceTables {
    /// The hosted ledgers, by name.
    pub(crate) fn ledgers(&self) -> TableId {
        self.ledgers
    }
}

/// A node as the service knows it at its birth.
pub struct Founder {
    pub id: NodeId,
    /// PEM.
    pub certificate: String,
    /// PEM.
    pub public_key: String,
    pub peer_address: String,
}

/// All that the first entries of a service say.
pub struct Genesis {
    pub tables: ServiceTables,
    /// PEM.
    pub service_certificate: String,
    pub nodes: Vec<Founder>,
    /// Kind and name of each hosted ledger.
    pub ledgers: Vec<(String, String)>,
}

impl Genesis {
    /// One entry that opens the service with its nodes and ledgers, and one that declares it open.
    pub fn entries(&self) -> Vec<WriteSet> {
        let tables = &self.tables;
        let key = |id: NodeId| Blob::from(node_key(id));
        let row = |text: &str| Blob::from(text.as_bytes());
        let opening = service_info(&self.service_certificate, ServiceStatus::Opening);
        let nodes = self.nodes.iter().map(|node| {
            // No measurement: a virtual TEE proves nothing, and its code digest says so.
            let address = Some(node.peer_address.as_str());
            let info = virtual_node_info(NodeStatus::Trusted, &node.public_key, &base::Digest::ZERO, address);
            (key(node.id), Blob::from(info))
        });
        let endorsed = self.nodes.iter().map(|node| (key(node.id), row(&node.certificate)));
        let ledgers = self.ledgers.iter().map(|(kind, name)| {
            let value = serde_json::json!({ "kind": kind, "status": "Open" });
            (row(name), Blob::from(value.to_string().into_bytes()))
        });
        let open = service_info(&self.service_certificate, ServiceStatus::Open);
        vec![
            write_set(vec![
                (tables.info, vec![(singleton(), opening.into())]),
                (tables.nodes, nodes.collect()),
                (tables.endorsed, endorsed.collect()),
                (tables.ledgers, ledgers.collect()),
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
