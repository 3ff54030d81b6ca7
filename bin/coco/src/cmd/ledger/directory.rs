//! A node's ledger directory, and what people name instead.

use std::path::Path;

use development::{Layout, NodeLayout};

use crate::failure::Failure;

/// Refuses what is not even meant to be one, and says where it is.
pub fn check(dir: &Path) -> Result<(), Failure> {
    let name = dir.display();
    if !dir.is_dir() {
        return Err(Failure::new(format!("there is no directory {name}"))
            .hint("a node keeps its ledger in its own directory, like coco-network/node1/ledger"));
    }
    let (of_network, of_node) = (Layout::new(dir).network(), NodeLayout::new(dir).file());
    let inside = match (of_network.is_file(), of_node.is_file()) {
        (true, _) => Layout::new(dir).node(1).ledger(),
        (false, true) => NodeLayout::new(dir).ledger(),
        (false, false) => return Ok(()),
    };
    let whose = if of_network.is_file() { "a network" } else { "a node" };
    Err(Failure::new(format!("{name} is the directory of {whose}, not a ledger"))
        .hint(format!("a node keeps its ledger in its own directory: {}", inside.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_names_the_network_is_told_where_its_ledgers_are() {
        let dir = tempfile::tempdir().unwrap();
        let hint = |dir: &Path| check(dir).unwrap_err().hint.unwrap();
        assert!(check(dir.path()).is_ok());
        assert!(hint(&dir.path().join("none")).contains("node1/ledger"));
        std::fs::write(dir.path().join("node.toml"), "").unwrap();
        assert!(hint(dir.path()).ends_with(&dir.path().join("ledger").display().to_string()));
        std::fs::write(dir.path().join("network.json"), "").unwrap();
        assert!(hint(dir.path()).ends_with("node1/ledger"));
    }
}
