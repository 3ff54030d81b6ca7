//! `node.toml`: what a node is told at its start.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use base::NodeId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::files::{self, Readers};
use crate::join_file::{JoinFile, URL_BYTES_MAX};
use crate::{Error, NodeLayout};

/// The settings of one node, as they stand in its `node.toml`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeFile {
    /// Where the node answers about itself: status, metrics, health.
    pub http: SocketAddr,
    /// Where members, and whoever wants to join, talk to it (HTTPS).
    pub governance: SocketAddr,
    /// Where it listens for other nodes (mutual TLS).
    pub peer: SocketAddr,
    /// Whether the node keeps every version of its state.
    pub archive: bool,
    /// Who has what vouches for this node's evidence.
    pub endorsements: EndorsementServices,
    pub origin: Origin,
    /// Where this node serves which ledger. One that is not named is served where members decided, or where a node that joined chose.
    pub ledgers: Vec<LedgerFile>,
}

/// Services that have what a vendor signs about this machine. What they say is verified by whoever is shown the evidence, so they are
/// believed nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndorsementServices {
    /// Intel's, or a cache of it: `https://host[:port]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pccs: Option<String>,
    /// AMD's, or a cache of it: `https://host[:port]`. Hosts often hand over all that is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kds: Option<String>,
}

impl EndorsementServices {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }

    fn check(&self) -> Result<(), String> {
        for (name, url) in [("pccs", &self.pccs), ("kds", &self.kds)] {
            let Some(url) = url else { continue };
            let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
            // Nobody is told a password in it, and what is asked for has a path of its own.
            let plain = |byte: u8| byte.is_ascii_graphic() && !b"@?#".contains(&byte);
            if host.is_empty() || url.len() > URL_BYTES_MAX || !url.bytes().all(plain) {
                return Err(format!("`{name}` is {url:?}, and a service is like https://localhost:8081"));
            }
        }
        Ok(())
    }
}

/// How the node comes to its network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// It is one of those that the network begins with.
    Founder(FounderFile),
    /// It asks the nodes of a network.
    Joiner(JoinFile),
}

/// What the first nodes of a network know of each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FounderFile {
    /// Which of the nodes this is; the first is 1.
    pub number: u64,
    /// How ledger roots are signed.
    pub signing: Signing,
    /// Every node that the network begins with, this one included, ascending by number.
    pub nodes: Vec<PeerFile>,
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
    /// Where members talk to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governance: Option<SocketAddr>,
}

/// One hosted ledger on one node. What it is and starts from, members decide; it may name one that they have not opened yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerFile {
    pub name: String,
    /// Where this node serves the ledger's clients.
    pub listen: SocketAddr,
    /// Ethereum: accounts whose keys the node holds. A path relative to the node's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<PathBuf>,
}

/// Which adapter serves a hosted ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LedgerKind {
    Ethereum,
    Keyvalue,
}

impl LedgerKind {
    /// As it stands in files and in the ledger's row.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ethereum => "ethereum",
            Self::Keyvalue => "keyvalue",
        }
    }

    /// The kind with this name, if there is an adapter for it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Ethereum, Self::Keyvalue].into_iter().find(|kind| kind.name() == name)
    }
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

/// The file as it is written. Either `number`, `signing` and `nodes` are there, or `peer` and `join`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    http: SocketAddr,
    governance: SocketAddr,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peer: Option<SocketAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signing: Option<Signing>,
    #[serde(default)]
    archive: bool,
    #[serde(default, skip_serializing_if = "EndorsementServices::is_none")]
    endorsements: EndorsementServices,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    join: Option<JoinFile>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<PeerFile>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ledgers: Vec<LedgerFile>,
}

impl NodeFile {
    /// Reads and checks `node.toml` in a node's directory.
    pub fn read(node_dir: &Path) -> Result<Self, Error> {
        let path = NodeLayout::new(node_dir).file();
        let written: Written =
            toml::from_str(&files::read_text(&path)?).map_err(|e| Error::content(&path, e.to_string()))?;
        let file = written.settled().map_err(|what| Error::content(&path, what))?;
        file.check().map_err(|what| Error::content(&path, what))?;
        Ok(file)
    }

    /// Writes `node.toml` into a node's directory.
    pub fn write(&self, node_dir: &Path) -> Result<(), Error> {
        let path = NodeLayout::new(node_dir).file();
        let text = toml::to_string(&Written::of(self)).map_err(|e| Error::content(&path, e.to_string()))?;
        files::write(&path, text.as_bytes(), Readers::Everyone)
    }

    /// What it says of a hosted ledger.
    #[must_use]
    pub fn ledger(&self, name: &str) -> Option<&LedgerFile> {
        self.ledgers.iter().find(|ledger| ledger.name == name)
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        self.endorsements.check()?;
        match &self.origin {
            Origin::Founder(founder) => founder.check(self.peer)?,
            Origin::Joiner(join) => join.check(self)?,
        }
        for (i, ledger) in self.ledgers.iter().enumerate() {
            if self.ledgers[..i].iter().any(|other| other.name == ledger.name) {
                return Err(format!("two of `ledgers` are named `{}`", ledger.name));
            }
        }
        Ok(())
    }
}

impl FounderFile {
    fn check(&self, peer: SocketAddr) -> Result<(), String> {
        let Some(own) = self.nodes.iter().find(|node| node.number == self.number) else {
            return Err(format!("`number` is {}, but no entry of `nodes` has that number", self.number));
        };
        if own.peer != peer {
            return Err(format!("`peer` is {peer}, but the others are told {}: leave `peer` out", own.peer));
        }
        if !self.nodes.is_sorted_by(|a, b| a.number < b.number) {
            return Err("`nodes` must be in ascending order, each number once".into());
        }
        Ok(())
    }
}

impl Written {
    fn of(file: &NodeFile) -> Self {
        let NodeFile { http, governance, peer, archive, endorsements, origin, ledgers } = file.clone();
        let (number, signing, nodes, peer, join) = match origin {
            Origin::Founder(FounderFile { number, signing, nodes }) => (Some(number), Some(signing), nodes, None, None),
            Origin::Joiner(join) => (None, None, Vec::new(), Some(peer), Some(join)),
        };
        Self { number, http, governance, peer, signing, archive, endorsements, join, nodes, ledgers }
    }

    fn settled(self) -> Result<NodeFile, String> {
        let Self { number, http, governance, peer, signing, archive, endorsements, join, nodes, ledgers } = self;
        let (peer, origin) = match (number, join) {
            (Some(number), None) => {
                let own = nodes.iter().find(|node| node.number == number).map(|node| node.peer);
                let peer = peer.or(own).unwrap_or(http);
                let signing = signing.ok_or("`signing` is missing: \"cose\" or \"dual\"")?;
                (peer, Origin::Founder(FounderFile { number, signing, nodes }))
            }
            (None, Some(join)) => {
                if signing.is_some() || !nodes.is_empty() {
                    return Err(
                        "a node that joins is told the others, and how to sign: leave `signing` and `nodes` out".into(),
                    );
                }
                let peer = peer.ok_or("a node that joins needs `peer`: where it listens for other nodes")?;
                (peer, Origin::Joiner(join))
            }
            (Some(_), Some(_)) => {
                return Err(
                    "`number` is of a node that a network begins with, `join` of one that comes later: keep one".into(),
                );
            }
            (None, None) => {
                return Err(
                    "it says neither `number` (a node that a network begins with) nor `join` (one that comes later)"
                        .into(),
                );
            }
        };
        Ok(NodeFile { http, governance, peer, archive, endorsements, origin, ledgers })
    }
}

pub(crate) fn write_id<S: Serializer>(id: &NodeId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

pub(crate) fn read_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NodeId, D::Error> {
    let text = String::deserialize(deserializer)?;
    NodeId::parse(&text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<NodeFile, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("node.toml"), text).unwrap();
        let file = NodeFile::read(dir.path()).map_err(|error| error.to_string())?;
        file.write(dir.path()).unwrap();
        assert_eq!(NodeFile::read(dir.path()).unwrap(), file, "it survives being written");
        Ok(file)
    }

    fn refused(text: &str) -> String {
        read(text).unwrap_err()
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
name = "ethereum"
listen = "127.0.0.1:8545"
accounts = "../accounts.json"
"#;

    const JOINS: &str = r#"
http = "10.0.0.4:1"
governance = "10.0.0.4:2"
peer = "10.0.0.4:3"
[join]
network = ["https://10.0.0.1:2", "https://node2.example"]
service_certificate = "service_cert.pem"
constitution = "ababababABababababababababababababababababababababababababababab"
node_data = '{"name": "four"}'
[[ledgers]]
name = "ethereum"
listen = "10.0.0.4:8545"
"#;

    #[test]
    fn a_founder_is_told_the_others_and_its_place_among_them() {
        let file = read(GOOD).unwrap();
        assert_eq!((file.ledger("ethereum").unwrap().listen.port(), file.peer.port()), (8545, 43210));
        assert_eq!(file.ledger("keyvalue"), None);
        assert!(matches!(file.origin, Origin::Founder(FounderFile { number: 1, signing: Signing::Cose, .. })));
    }

    #[test]
    fn a_joiner_is_told_whom_to_ask_and_whom_to_believe() {
        let file = read(JOINS).unwrap();
        let Origin::Joiner(join) = &file.origin else { panic!("it joins") };
        assert_eq!(join.network.len(), 2);
        assert_eq!(file.peer.port(), 3);
        assert_eq!(join.published_host(&file), "10.0.0.4");
        let hidden = JOINS.replace("10.0.0.4", "0.0.0.0");
        assert!(refused(&hidden).contains("published"), "{}", refused(&hidden));
        let shown = read(&hidden.replace("[join]", "[join]\npublished = \"node4.example\"")).unwrap();
        let Origin::Joiner(join) = &shown.origin else { panic!("it joins") };
        assert_eq!(join.published_host(&shown), "node4.example");
    }

    #[test]
    fn either_is_told_who_vouches_for_its_machine() {
        let told = "archive = false\n[endorsements]\npccs = \"https://localhost:8081\"\n";
        for (file, at) in [(GOOD, "[[nodes]]"), (JOINS, "[join]")] {
            let services = read(&file.replacen(at, &format!("{told}{at}"), 1)).unwrap().endorsements;
            assert_eq!((services.pccs.as_deref(), services.kds), (Some("https://localhost:8081"), None));
            for bad in ["localhost:8081", "https://", "https://a b", "ftp://a", "https://a:b@c", "https://a?b"] {
                let bad = told.replace("https://localhost:8081", bad);
                assert!(refused(&file.replacen(at, &format!("{bad}{at}"), 1)).contains("`pccs`"), "{bad}");
            }
        }
    }

    #[test]
    fn a_wrong_node_file_is_refused_with_the_reason() {
        assert!(refused(&GOOD.replacen("number = 1", "number = 2", 1)).contains("`number` is 2"));
        assert!(refused(&GOOD.replace("accounts =", "genesis =")).contains("genesis"));
        assert!(
            refused(&format!("{GOOD}[[ledgers]]\nname = \"ethereum\"\nlisten = \"[::1]:1\""))
                .contains("two of `ledgers`")
        );
        assert!(refused(&GOOD.replace("abab", "ab")).contains("64 hexadecimal"));
        assert!(refused(&GOOD.replace("signing = \"cose\"", "")).contains("`signing` is missing"));
        assert!(refused(&format!("speed = 1\n{GOOD}")).contains("speed"));
        assert!(refused(&format!("number = 4\n{JOINS}")).contains("keep one"));
        assert!(refused(&JOINS.replace("peer = ", "# ")).contains("needs `peer`"));
        assert!(refused(&JOINS.replace("https://node2", "http://node2")).contains("http://node2"));
        assert!(
            refused(&JOINS.replace("[\"https://10.0.0.1:2\", \"https://node2.example\"]", "[]")).contains("`network`")
        );
        assert!(refused(&JOINS.replace("abab", "ab")).contains("constitution"));
        assert!(refused(&JOINS.replace("{\"name\"", "{name")).contains("node_data"));
        assert!(refused("http = \"10.0.0.4:1\"\ngovernance = \"10.0.0.4:2\"").contains("neither"));
    }
}
