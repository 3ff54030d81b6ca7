//! Where hosted ledgers are served: what the nodes on this machine say of themselves.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use crate::failure::Failure;
use crate::governance::Place;
use crate::network::{self, Client, Node, Status};

/// A node answers at once, or does not run.
const ASK: Duration = Duration::from_secs(1);

#[derive(Serialize)]
pub struct Door {
    /// The number of the node.
    pub node: u64,
    /// Absent if the node does not serve the ledger.
    pub address: Option<SocketAddr>,
    /// Why not, or not wholly.
    pub trouble: Option<String>,
}

/// The nodes of the network that are on this machine.
fn nodes(place: &Place) -> Result<Vec<Node>, Failure> {
    match place {
        Place::Dir(dir) => Ok(network::open(dir)?.1),
        Place::Url { .. } => Ok(Vec::new()),
    }
}

/// Those that run, and what each says.
pub fn running(place: &Place) -> Result<Vec<(u64, Status)>, Failure> {
    let client = Client::new(ASK);
    Ok(nodes(place)?.iter().filter_map(|node| Some((node.number, node.status(&client).ok()?))).collect())
}

pub fn of(ledger: &str, running: &[(u64, Status)]) -> Vec<Door> {
    let door = |(node, status): &(u64, Status)| {
        let hosted = status.hosted(ledger)?;
        Some(Door { node: *node, address: hosted.address(), trouble: hosted.trouble.clone() })
    };
    running.iter().filter_map(door).collect()
}

/// What whoever proposes a ledger should know about the doors that it will have here.
pub fn warning(place: &Place, ledger: &str, port: Option<u16>) -> Result<Option<String>, Failure> {
    let nodes = nodes(place)?;
    let named = |node: &&Node| node.file.ledgers.iter().any(|it| it.name == ledger);
    let others: Vec<&Node> = nodes.iter().filter(|node| !named(node)).collect();
    let Some(port) = port else {
        let told = nodes.is_empty() || !others.is_empty();
        return Ok(told.then(|| "no --port: a node serves it only if its own file (node.toml) says where".to_owned()));
    };
    let addresses: BTreeSet<_> = others.iter().map(|node| node.file.governance.ip()).collect();
    let shared = (addresses.len() < others.len()).then(|| {
        format!(
            "nodes on this machine share an address, and one of them alone can listen at port {port}: the others serve it once their own file (node.toml) names another, and they were started again"
        )
    });
    Ok(shared)
}
