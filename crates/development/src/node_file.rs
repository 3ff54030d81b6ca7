//! `node.toml`: what a node is told at its start.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use base::NodeId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::files::{self, Readers};
use crate::{Error, NodeLayout};

/// The settings of one node, as they stand in its `node.toml`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeFile {
    /// Which of the network's nodes this is; the first is 1.
    pub number: u64,
    /// Where the node answers about itself: status, metrics, health.
    pub http: SocketAddr,
    /// Where members, and whoever wants to join, talk to it (HTTPS).
    pub governance: SocketAddr,
    /// How ledger roots are signed.
    pub signing: Signing,
    /// Whether the node keeps every version of its state.
    #[serde(default)]
    pub archive: bool,
    /// Every node of the network, this one included, ascending by number.
    pub nodes: Vec<PeerFile>,
    /// The ledgers the network hosts, and where this node serves them.
    pub ledgers: Vec<LedgerFile>,
}

/// A node of the network as the others know it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerFile {
    pub number: u64,
    #[serde(serialize_with = "write_id", deserialize_with = "read_id")]
    pub id: NodeId,
    /// Where it talks with other nodes (mutual TLS).
    pub peer: SocketAddr,
}

/// One hosted ledger on one node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerFile {
    pub kind: LedgerKind,
    pub name: String,
    /// Where this node serves the ledger's clients.
    pub listen: SocketAddr,
    /// Ethereum: the first state. A path relative to the node's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub genesis: Option<PathBuf>,
    /// Ethereum: accounts whose keys the node holds. A path relative to the node's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<PathBuf>,
    /// Ethereum: the base fee of every block, in wei.
    #[serde(default)]
    pub base_fee: u64,
    /// Ethereum: whether blob transactions are taken.
    #[serde(default)]
    pub blobs: bool,
}

/// Which adapter serves a hosted ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LedgerKind {
    Ethereum,
    Keyvalue,
}

/// How ledger roots are signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signing {
    /// The service signs each root (COSE).
    #[default]
    Cose,
    /// The node that made the batch signs too, as older verifiers want it.
    Dual,
}

impl NodeFile {
    /// Reads and checks `node.toml` in a node's directory.
    pub fn read(node_dir: &Path) -> Result<Self, Error> {
        let path = NodeLayout::new(node_dir).file();
        let file: Self = toml::from_str(&files::read_text(&path)?).map_err(|e| Error::content(&path, e.to_string()))?;
        file.check().map_err(|what| Error::content(&path, what))?;
        Ok(file)
    }

    /// Writes `node.toml` into a node's directory.
    pub fn write(&self, node_dir: &Path) -> Result<(), Error> {
        let path = NodeLayout::new(node_dir).file();
        let text = toml::to_string(self).map_err(|e| Error::content(&path, e.to_string()))?;
        files::write(&path, text.as_bytes(), Readers::Everyone)
    }

    /// This node as its peers know it.
    #[must_use]
    pub fn own(&self) -> Option<&PeerFile> {
        self.nodes.iter().find(|node| node.number == self.number)
    }

    /// The first hosted ledger of a kind.
    #[must_use]
    pub fn ledger(&self, kind: LedgerKind) -> Option<&LedgerFile> {
        self.ledgers.iter().find(|ledger| ledger.kind == kind)
    }

    fn check(&self) -> Result<(), String> {
        if self.own().is_none() {
            return Err(format!("`number` is {}, but no entry of `nodes` has that number", self.number));
        }
        if !self.nodes.is_sorted_by(|a, b| a.number < b.number) {
            return Err("`nodes` must be in ascending order, each number once".into());
        }
        for (i, ledger) in self.ledgers.iter().enumerate() {
            if self.ledgers[..i].iter().any(|other| other.name == ledger.name) {
                return Err(format!("two of `ledgers` are named `{}`", ledger.name));
            }
            if ledger.kind == LedgerKind::Ethereum && ledger.genesis.is_none() {
                return Err(format!("the Ethereum ledger `{}` needs a `genesis`", ledger.name));
            }
        }
        Ok(())
    }
}

fn write_id<S: Serializer>(id: &NodeId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

fn read_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NodeId, D::Error> {
    let text = String::deserialize(deserializer)?;
    NodeId::parse(&text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("node.toml"), text).unwrap();
        NodeFile::read(dir.path()).unwrap_err().to_string()
    }

    const GOOD: &str = r#"
number = 1
http = "127.0.0.1:43211"
governance = "127.0.0.1:43212"
signing = "cose"
[[nodes]]
number = 1
id = "abababababababababababababababababababababababababababababababab"
peer = "127.0.0.1:43210"
[[ledgers]]
kind = "ethereum"
name = "ethereum"
listen = "127.0.0.1:8545"
genesis = "../genesis.json"
"#;

    #[test]
    fn a_node_file_survives_being_written() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("node.toml"), GOOD).unwrap();
        let file = NodeFile::read(dir.path()).unwrap();
        assert_eq!(file.ledgers[0].base_fee, 0);
        file.write(dir.path()).unwrap();
        assert_eq!(NodeFile::read(dir.path()).unwrap(), file);
    }

    #[test]
    fn a_wrong_node_file_is_refused_with_the_reason() {
        assert!(refused(&GOOD.replacen("number = 1", "number = 2", 1)).contains("`number` is 2"));
        assert!(refused(&GOOD.replace("ethereum\"\nname", "bitcoin\"\nname")).contains("bitcoin"));
        assert!(refused(&GOOD.replace("abab", "ab")).contains("64 hexadecimal"));
        assert!(refused(&GOOD.replace("genesis = \"../genesis.json\"", "")).contains("needs a `genesis`"));
        assert!(refused(&format!("speed = 1\n{GOOD}")).contains("speed"));
    }
}
