//! Which nodes the network has: what the committed ledger says of them.

use base::NodeId;
use kv::State;
use ledger::genesis::{NodeInfo, NodeStatus};
use serde::Deserialize;

use crate::genesis::ServiceTables;

/// The name of the door in a node's row.
const GOVERNANCE: &str = "governance";

/// The nodes that have a number, ascending by it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Nodes(Vec<Listed>);

/// A node's row, as far as the road cares.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// In consensus; never used twice.
    pub number: u64,
    pub id: NodeId,
    /// Where nodes reach it: `host:port`.
    pub address: String,
    pub status: NodeStatus,
    /// It has not proved itself anew in time: until it does, it does not vote and gets no secrets.
    pub lapsed: bool,
}

/// A node's lease, as far as the road cares.
#[derive(Deserialize)]
struct Lease {
    #[serde(default)]
    lapsed: bool,
}

impl Nodes {
    /// Reads the rows. Members' scripts write them too: one that cannot be read is no node's, and stops nothing.
    pub fn read(tables: &ServiceTables, state: &State) -> Self {
        let lapsed = |id: &[u8]| {
            let lease = state.get(tables.leases(), id).ok().flatten();
            lease.and_then(|row| serde_json::from_slice(&row).ok()).is_some_and(|lease: Lease| lease.lapsed)
        };
        let rows = state.range(tables.nodes(), ..);
        let mut nodes: Vec<Listed> = rows.filter_map(|(key, row)| listed(key, row, lapsed(key))).collect();
        nodes.sort_by_key(|node| node.number);
        nodes.dedup_by_key(|node| node.number);
        Self(nodes)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Listed> {
        self.0.iter()
    }

    pub fn find(&self, id: NodeId) -> Option<&Listed> {
        self.0.iter().find(|node| node.id == id)
    }

    /// Those that members trust, whether their lease lasts or not.
    pub fn trusted(&self) -> impl Iterator<Item = &Listed> {
        self.0.iter().filter(|node| node.status == NodeStatus::Trusted)
    }
}

/// Where members reach the nodes that are trusted: `host:port`.
pub fn doors(tables: &ServiceTables, state: &State) -> Vec<String> {
    let rows = state.range(tables.nodes(), ..).filter_map(|(_, row)| NodeInfo::read(row).ok());
    let trusted = rows.filter(|info| info.status == NodeStatus::Trusted);
    trusted.filter_map(|info| Some(info.rpc_interfaces.get(GOVERNANCE)?.address().to_owned())).collect()
}

fn listed(key: &[u8], row: &[u8], lapsed: bool) -> Option<Listed> {
    let id = NodeId::parse(std::str::from_utf8(key).ok()?).ok()?;
    let info = NodeInfo::read(row).ok().filter(|info| info.number > 0)?;
    let address = info.peer_address()?.to_owned();
    Some(Listed { number: info.number, id, address, status: info.status, lapsed })
}

impl FromIterator<Listed> for Nodes {
    fn from_iter<I: IntoIterator<Item = Listed>>(nodes: I) -> Self {
        Self(nodes.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base::{Digest, Seqno};
    use kv::{NoHistory, Section, Tables, WriteSet};
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_say_who_votes_and_none_stops_the_node() {
        let tables = Tables::new();
        let service = ServiceTables::register(&tables).unwrap();
        let mut state = State::new(Arc::new(tables), Arc::new(NoHistory));
        let id = |number: u8| NodeId(Digest([number; 32]));
        let row = |number: u8, status: &str| {
            json!({ "status": status, "number": number, "code_digest": "", "quote_info": { "format": "", "quote": "", "endorsements": "" },
                    "node_to_node_interface": { "bind_address": format!("10.0.0.{number}:1") } })
            .to_string()
        };
        let put = |key: String, row: String| (key.into_bytes().into(), row.into_bytes().into());
        let mut nodes = vec![
            put(id(1).to_string(), row(1, "Trusted")),
            put(id(2).to_string(), row(2, "Trusted")),
            put(id(3).to_string(), row(3, "Retired")),
            put(id(4).to_string(), row(4, "Pending")),
            put(id(5).to_string(), row(0, "Trusted")),
            put(id(6).to_string(), "{}".into()),
            put("no id".into(), row(7, "Trusted")),
        ];
        nodes.sort();
        let leases = vec![
            put(id(1).to_string(), "nonsense".into()),
            put(id(2).to_string(), json!({ "renewed": 1, "lapsed": true }).to_string()),
        ];
        let mut sections = vec![
            Section { table: service.nodes(), puts: nodes, removes: vec![] },
            Section { table: service.leases(), puts: leases, removes: vec![] },
        ];
        sections.sort_by_key(|section| section.table);
        state.apply(Seqno(1), &WriteSet { sections });
        let read = Nodes::read(&service, &state);
        let numbers = |nodes: Vec<&Listed>| nodes.iter().map(|node| node.number).collect::<Vec<_>>();
        assert_eq!(numbers(read.iter().collect()), [1, 2, 3, 4]);
        assert_eq!(numbers(read.trusted().collect()), [1, 2]);
        assert_eq!(numbers(read.trusted().filter(|node| node.lapsed).collect()), [2], "its lease ran out");
        assert_eq!(read.find(id(3)).map(|node| node.status), Some(NodeStatus::Retired));
    }
}
