//! The commands about nodes.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::governance::{At, Signer};

#[derive(Subcommand)]
pub enum Node {
    List(NodeList),
    Join(NodeJoin),
    /// Propose that a pending node is trusted: it gets the network's secrets, and counts for a majority
    Trust(NodeChange),
    /// Propose that a node is retired, and wait until it may be stopped
    Retire(NodeChange),
}

/// List the nodes of a network: who is trusted, who votes, who is primary
#[derive(Args)]
#[command(after_help = "\
Examples:
  coco node list
  coco node list --url https://node.example:8443 --service-certificate service_cert.pem --json")]
pub struct NodeList {
    #[command(flatten)]
    pub at: At,
}

/// Join a network elsewhere with a node on this machine, or go on with one that has joined
///
/// Makes the node in DIR if there is none, starts it, and shows how far it is: its evidence is accepted, it is pending until members or
/// their rules trust it, it catches up, it votes. The node makes its own key and keeps what the network hands over in DIR. The TEE is
/// virtual unless the machine has one: whoever can read DIR can read everything.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coco node join --network https://node1.example:8443 --service-certificate service_cert.pem
  coco node join --network URL --service-certificate F --listen 10.0.0.4:8443 --data '{\"owner\": \"bank4\"}'
  coco node join --network URL --service-certificate F --constitution \"$(sha256sum < constitution.js | cut -c-64)\"
  coco node join --network URL --service-certificate F --pccs https://localhost:8081
  coco node join --dir coco-node --detach    go on with the node that is there")]
pub struct NodeJoin {
    /// A node of the network: where it serves members. Several times: they are asked in turn
    #[arg(long, value_name = "https://…")]
    pub network: Vec<String>,
    /// The certificate (PEM) of the network's service, and the only one that is believed
    #[arg(long, value_name = "FILE")]
    pub service_certificate: Option<PathBuf>,
    /// The node's directory
    #[arg(long, value_name = "DIR", default_value = "./coco-node")]
    pub dir: PathBuf,
    /// The address of this machine that the node's doors are on, and the port that members reach it at. Hosted ledgers have NO TLS YET
    /// [default: 127.0.0.1 and any free port]
    #[arg(long, value_name = "IP[:PORT]", value_parser = listen)]
    pub listen: Option<Listen>,
    /// The host that other nodes and members are told, if they reach this machine by another address
    #[arg(long, value_name = "HOST")]
    pub published: Option<String>,
    /// SHA-256 of the constitution that the network must have; with another one the node does not join
    #[arg(long, value_name = "SHA256", value_parser = sha256)]
    pub constitution: Option<String>,
    /// What members shall know of the node
    #[arg(long, value_name = "JSON", value_parser = json)]
    pub data: Option<String>,
    /// Where Intel's word on this machine is to be had (SGX, TDX): Intel's provisioning service, or a cache of it
    #[arg(long, value_name = "https://…")]
    pub pccs: Option<String>,
    /// Where AMD's word on this machine is to be had (SEV-SNP), if its host does not hand it over: AMD's key distribution service, or a cache
    #[arg(long, value_name = "https://…")]
    pub kds: Option<String>,
    /// Return once the network has heard of the node, with --ready-file once it votes; it goes on by itself, `coco down` stops it
    #[arg(long)]
    pub detach: bool,
    /// Where to describe the running node as JSON, once it votes
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// Print JSON, a line for each stage
    #[arg(long)]
    pub json: bool,
}

/// A change of one node.
#[derive(Args)]
#[command(after_help = "Examples:\n  coco node trust 3f2a --as member0\n  coco node retire 2")]
pub struct NodeChange {
    /// The node's id, or how it begins, or its number
    #[arg(value_name = "ID|NUMBER")]
    pub node: String,
    #[command(flatten)]
    pub signer: Signer,
    #[command(flatten)]
    pub at: At,
}

/// An address, and the port that members reach the node at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listen {
    pub address: IpAddr,
    pub port: Option<u16>,
}

fn listen(text: &str) -> Result<Listen, String> {
    let bare = text.parse().ok().map(|address| Listen { address, port: None });
    let whole = text.parse::<std::net::SocketAddr>().ok();
    let whole = whole.map(|at| Listen { address: at.ip(), port: Some(at.port()).filter(|port| *port != 0) });
    bare.or(whole).ok_or_else(|| "an address is like 10.0.0.4, 10.0.0.4:8443 or [fd00::4]:8443".into())
}

fn sha256(text: &str) -> Result<String, String> {
    let fits = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if fits { Ok(text.to_ascii_lowercase()) } else { Err("a SHA-256 is 64 hexadecimal characters".into()) }
}

fn json(text: &str) -> Result<String, String> {
    serde_json::from_str::<serde_json::Value>(text).map(|_| text.to_owned()).map_err(|e| format!("it is no JSON: {e}"))
}
