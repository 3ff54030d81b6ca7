//! Makes a network's directory, and reads what it is made of.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use base::NodeId;
use crypto::certificate::{self, Validity};
use crypto::{KeyPair, Secret};
use serde::{Deserialize, Serialize};

use crate::files::{self, Readers};
use crate::identity::{Identity, Parts};
use crate::ports::Ports;
use crate::{
    ACCOUNTS, DEFAULT_GENESIS, EndorsementServices, Error, FounderFile, Layout, LedgerFile, LedgerKind, NodeFile,
    Origin, PeerFile, Signing, chain_id,
};

/// A development network has three members, each with its key in the directory.
const MEMBERS: [&str; 3] = ["member0", "member1", "member2"];
/// Certificates are valid from a day before their making (clocks differ) for ten years.
const DAY: u64 = 24 * 60 * 60;
const VALIDITY: u64 = 3_650 * DAY;
/// The names of a development network's ledgers: its nodes have doors for them from the beginning.
pub const ETHEREUM: &str = "ethereum";
const KEYVALUE: &str = "keyvalue";
/// The form of `network.json`.
const FORMAT: u32 = 3;

/// What a new network shall be.
#[derive(Clone, Debug)]
pub struct Plan {
    pub nodes: u64,
    /// The address of this machine that every door is on, and that others are told.
    pub listen: IpAddr,
    /// Where node 1 serves Ethereum; 0 = any free port.
    pub rpc_port: u16,
    pub signing: Signing,
    /// A genesis in geth's format, and where it came from; else the default.
    pub genesis: Option<(PathBuf, Vec<u8>)>,
    /// The base fee of every block, in wei.
    pub base_fee: u64,
    /// Whether blob transactions are taken.
    pub blobs: bool,
    /// Whether it is to begin without ledgers.
    pub bare: bool,
}

impl Plan {
    /// A network of so many nodes on the loopback address, at any free ports, with all else as it is by default.
    #[must_use]
    pub fn new(nodes: u64) -> Self {
        Self {
            nodes,
            listen: Ipv4Addr::LOCALHOST.into(),
            rpc_port: 0,
            signing: Signing::default(),
            genesis: None,
            base_fee: 0,
            blobs: false,
            bare: false,
        }
    }
}

/// `network.json`: what a network is made of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Network {
    pub format: u32,
    pub name: String,
    /// SHA-256 of the service's public key.
    pub service: String,
    pub signing: Signing,
    pub nodes: Vec<NetworkNode>,
    /// Their names; certificates and keys are in `members/`.
    pub members: Vec<String>,
    /// Those that its members open first. What they open later is in the network alone.
    pub ledgers: Vec<HostedLedger>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NetworkNode {
    pub number: u64,
    pub id: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HostedLedger {
    pub kind: LedgerKind,
    pub name: String,
    /// Ethereum: what its transactions are signed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<u64>,
    /// Ethereum: the base fee of every block, in wei.
    #[serde(default)]
    pub base_fee: u64,
    /// Ethereum: whether blob transactions are taken.
    #[serde(default)]
    pub blobs: bool,
}

impl Network {
    /// Reads `network.json` in a network's directory; `None` if none was made there.
    pub fn read(dir: &Path) -> Result<Option<Self>, Error> {
        let path = Layout::new(dir).network();
        if !path.try_exists().map_err(|e| Error::io("read", &path, e))? {
            return Ok(None);
        }
        let network: Self =
            serde_json::from_slice(&files::read(&path)?).map_err(|e| Error::content(&path, e.to_string()))?;
        if network.format != FORMAT {
            let found = network.format;
            return Err(Error::content(
                &path,
                format!("the network was made in form {found}, this program knows {FORMAT}"),
            ));
        }
        Ok(Some(network))
    }

    /// The chain id of the Ethereum ledger.
    #[must_use]
    pub fn chain_id(&self) -> Option<u64> {
        self.ledgers.iter().find_map(|ledger| ledger.chain_id)
    }
}

/// Makes a network in a directory that has none. What an interrupted making left behind is made again.
pub fn create(dir: &Path, plan: &Plan) -> Result<Network, Error> {
    let layout = Layout::new(dir);
    make_room(&layout)?;
    let genesis = genesis_of(&layout, plan);
    let chain_id = chain_id(genesis.1, genesis.0)?;
    files::write(&layout.genesis(), genesis.1, Readers::Everyone)?;
    let accounts =
        serde_json::to_vec_pretty(&ACCOUNTS).map_err(|e| Error::content(&layout.accounts(), e.to_string()))?;
    files::write(&layout.accounts(), &accounts, Readers::Owner)?;

    let people = People::make(plan).map_err(|e| Error::crypto(dir, "a new network: keys could not be made", e))?;
    files::write(&layout.service_certificate(), people.service_certificate.as_bytes(), Readers::Everyone)?;
    write_members(&layout, &people)?;
    write_nodes(&layout, plan, &people)?;

    let network = Network {
        format: FORMAT,
        name: "development".into(),
        service: people.service_key.public().fingerprint().to_string(),
        signing: plan.signing,
        nodes: (1..).zip(&people.nodes).map(|(number, (id, _))| NetworkNode { number, id: id.to_string() }).collect(),
        members: MEMBERS.map(String::from).to_vec(),
        ledgers: if plan.bare { Vec::new() } else { hosted(plan, chain_id) },
    };
    let json = serde_json::to_vec_pretty(&network).map_err(|e| Error::content(&layout.network(), e.to_string()))?;
    files::write(&layout.network(), &json, Readers::Everyone)?;
    fs::remove_file(layout.unfinished()).map_err(|e| Error::io("remove", &layout.unfinished(), e))?;
    Ok(network)
}

fn hosted(plan: &Plan, chain_id: u64) -> Vec<HostedLedger> {
    let Plan { base_fee, blobs, .. } = *plan;
    vec![
        HostedLedger { kind: LedgerKind::Ethereum, name: ETHEREUM.into(), chain_id: Some(chain_id), base_fee, blobs },
        HostedLedger { kind: LedgerKind::Keyvalue, name: KEYVALUE.into(), chain_id: None, base_fee: 0, blobs: false },
    ]
}

/// The directory must be empty (but for the lock), or hold what an interrupted making left.
fn make_room(layout: &Layout) -> Result<(), Error> {
    let dir = layout.dir();
    files::make_dir(dir, Readers::Everyone)?;
    let interrupted = layout.unfinished().exists();
    for entry in fs::read_dir(dir).map_err(|e| Error::io("read", dir, e))? {
        let path = entry.map_err(|e| Error::io("read", dir, e))?.path();
        if path == layout.lock() || path == layout.unfinished() {
            continue;
        }
        if !interrupted {
            let what = "the directory holds other files, and no network; choose an empty or a new one";
            return Err(Error::content(dir, what));
        }
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(|e| Error::io("remove", &path, e))?;
    }
    files::write(&layout.unfinished(), b"", Readers::Everyone)
}

fn genesis_of<'a>(layout: &'a Layout, plan: &'a Plan) -> (&'a Path, &'a [u8]) {
    match &plan.genesis {
        Some((path, bytes)) => (path, bytes),
        None => (layout.dir(), DEFAULT_GENESIS.as_bytes()),
    }
}

/// The keys and certificates of everyone in a new network.
struct People {
    service_key: KeyPair,
    service_certificate: String,
    ledger_secret: Secret,
    nodes: Vec<(NodeId, KeyPair)>,
    node_certificates: Vec<(NodeId, String)>,
    members: Vec<(String, KeyPair)>,
    member_certificates: Vec<(String, String)>,
}

impl People {
    fn make(plan: &Plan) -> Result<Self, crypto::Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let validity = Validity { from: now.saturating_sub(DAY), until: now + VALIDITY };
        let service_key = KeyPair::generate()?;
        let service = certificate::service(&service_key, "Coco development service", validity)?;
        let mut people = Self {
            service_certificate: service.to_pem(),
            ledger_secret: Secret::random()?,
            nodes: Vec::new(),
            node_certificates: Vec::new(),
            members: Vec::new(),
            member_certificates: Vec::new(),
            service_key,
        };
        let names = ["localhost".to_owned(), plan.listen.to_string()];
        for _ in 0..plan.nodes {
            let key = KeyPair::generate()?;
            let id = key.public().node_id();
            let certificate = certificate::node(key.public(), &people.service_key, &service, &names, validity)?;
            people.node_certificates.push((id, certificate.to_pem()));
            people.nodes.push((id, key));
        }
        for name in MEMBERS {
            let key = KeyPair::generate()?;
            people.member_certificates.push((name.into(), certificate::member(&key, name, validity)?.to_pem()));
            people.members.push((name.into(), key));
        }
        Ok(people)
    }
}

fn write_members(layout: &Layout, people: &People) -> Result<(), Error> {
    files::make_dir(&layout.members(), Readers::Everyone)?;
    for ((name, key), (_, certificate)) in people.members.iter().zip(&people.member_certificates) {
        let path = layout.member_key(name);
        let pem = key.to_pkcs8_pem().map_err(|e| Error::crypto(&path, "a new key", e))?;
        files::write(&path, pem.as_bytes(), Readers::Owner)?;
        files::write(&layout.member_certificate(name), certificate.as_bytes(), Readers::Everyone)?;
    }
    Ok(())
}

fn write_nodes(layout: &Layout, plan: &Plan, people: &People) -> Result<(), Error> {
    let mut ports = Ports::new(plan.listen);
    ports.reserve(plan.rpc_port);
    let mut peers = Vec::new();
    for (number, (id, _)) in (1..).zip(&people.nodes) {
        let (peer, governance) = (ports.take(layout.dir())?, ports.take(layout.dir())?);
        peers.push((peer, governance, PeerFile { number, id: *id, peer, governance: Some(governance) }));
    }
    let nodes: Vec<PeerFile> = peers.iter().map(|(.., file)| file.clone()).collect();
    for ((peer, governance, PeerFile { number, .. }), (_, node_key)) in peers.iter().zip(&people.nodes) {
        let node = layout.node(*number);
        let ethereum = match (number, plan.rpc_port) {
            (1, port) if port != 0 => SocketAddr::from((plan.listen, port)),
            _ => ports.take(layout.dir())?,
        };
        files::make_dir(node.dir(), Readers::Everyone)?;
        let founder = FounderFile { number: *number, signing: plan.signing, nodes: nodes.clone() };
        let file = NodeFile {
            http: ports.take(layout.dir())?,
            governance: *governance,
            peer: *peer,
            endorsements: EndorsementServices::default(),
            archive: false,
            origin: Origin::Founder(founder),
            ledgers: vec![
                LedgerFile { name: ETHEREUM.into(), listen: ethereum, accounts: Some("../accounts.json".into()) },
                LedgerFile { name: KEYVALUE.into(), listen: ports.take(layout.dir())?, accounts: None },
            ],
        };
        file.write(node.dir())?;
        let parts = Parts {
            node_key,
            service_key: &people.service_key,
            service_certificate: &people.service_certificate,
            ledger_secret: &people.ledger_secret,
            node_certificates: &people.node_certificates,
            members: &people.member_certificates,
        };
        Identity::write(&parts, node.dir())?;
    }
    Ok(())
}
