//! Where a hosted ledger is served, as far as this machine knows: by the files of its nodes, or else as members decided.

use std::net::SocketAddr;

use serde::Serialize;

use crate::failure::Failure;
use crate::governance::{Ledger, Place};
use crate::network::{self, Node};

#[derive(Serialize)]
pub struct Door {
    /// The number of the node.
    pub node: u64,
    pub address: SocketAddr,
}

/// The nodes of the network that are on this machine.
pub fn nodes(place: &Place) -> Result<Vec<Node>, Failure> {
    match place {
        Place::Dir(dir) => Ok(network::open(dir)?.1),
        Place::Url { .. } => Ok(Vec::new()),
    }
}

/// Whether every node on this machine has a place for a ledger of this name in its own file.
pub fn named(place: &Place, name: &str) -> Result<bool, Failure> {
    let nodes = nodes(place)?;
    Ok(!nodes.is_empty() && nodes.iter().all(|node| own(node, name).is_some()))
}

fn own(node: &Node, name: &str) -> Option<SocketAddr> {
    node.ledgers.iter().find(|ledger| ledger.name == name).map(|ledger| ledger.listen)
}

pub fn of(ledger: &Ledger, nodes: &[Node]) -> Vec<Door> {
    let decided =
        |node: &Node| ledger.listeners.values().map(|port| SocketAddr::new(node.file.governance.ip(), *port)).next();
    let door =
        |node: &Node| Some(Door { node: node.number, address: own(node, &ledger.name).or_else(|| decided(node))? });
    nodes.iter().filter_map(door).collect()
}
