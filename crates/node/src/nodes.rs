//! Which nodes the network has: what the committed ledger says of them.

use base::NodeId;
use kv::State;
use ledger::genesis::{NodeInfo, NodeStatus};

use crate::genesis::ServiceTables;

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
}

impl Nodes {
    /// Reads the rows. Members' scripts write them too: one that cannot be read is no node's, and stops nothing.
    pub fn read(tables: &ServiceTables, state: &State) -> Self {
        let mut nodes: Vec<Listed> =
            state.range(tables.nodes(), ..).filter_map(|(key, row)| listed(key, row)).collect();
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

    /// Those that are to vote.
    pub fn trusted(&self) -> impl Iterator<Item = &Listed> {
        self.0.iter().filter(|node| node.status == NodeStatus::Trusted)
    }
}

fn listed(key: &[u8], row: &[u8]) -> Option<Listed> {
    let id = NodeId::parse(std::str::from_utf8(key).ok()?).ok()?;
    let info = NodeInfo::read(row).ok().filter(|info| info.number > 0)?;
    let address = info.peer_address()?.to_owned();
    Some(Listed { number: info.number, id, address, status: info.status })
}

impl FromIterator<Listed> for Nodes {
    fn from_iter<I: IntoIterator<Item = Listed>>(nodes: I) -> Self {
        Self(nodes.into_iter().collect())
    }
}
