//! Nodes as processes on this machine: a development network, or one node that joined another; which run, what they say, how to
//! start and stop them.

mod http;
mod lock;
mod node;
mod output;
mod process;
mod ready;
mod start;
mod stop;

pub use http::{Client, RpcError};
pub use lock::Lock;
pub use node::{Node, Role, Status};
pub use output::last_lines;
pub use process::become_node;
pub use ready::ReadyFile;
pub use start::{Program, Started, Starting, abandon, start};
pub use stop::stop;

use std::path::{Path, PathBuf};

use development::{Layout, Network, NodeLayout};

use crate::failure::Failure;

/// The directory as it is called from anywhere.
pub fn absolute(dir: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(dir).map_err(|e| Failure::file("find", dir, &e))
}

/// The network that was made in a directory, and its nodes; or the node that joined a network elsewhere.
pub fn open(dir: &Path) -> Result<(Option<Network>, Vec<Node>), Failure> {
    if let Some(network) = Network::read(dir)? {
        let nodes = nodes(dir, &network)?;
        return Ok((Some(network), nodes));
    }
    match Node::joiner(NodeLayout::new(dir))? {
        Some(node) => Ok((None, vec![node])),
        None => Err(Failure::new(format!("there is no network in {}", dir.display()))
            .hint("`coco up --dir DIR` makes one; or name the directory of another with --dir")),
    }
}

/// The nodes of a network, whether they run or not.
pub fn nodes(dir: &Path, network: &Network) -> Result<Vec<Node>, Failure> {
    let layout = Layout::new(dir);
    network.nodes.iter().map(|node| Node::read(layout.node(node.number), node.id.clone())).collect()
}
