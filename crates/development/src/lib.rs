//! A development network: its files, and the stand-in for everything that only a real TEE and a real consortium can give.
//!
//! Attestation, joining and recovery are not built yet. Until they are, one program on one machine makes up a whole network: the
//! service's key, the ledger secret, a key and an endorsed certificate for each node, the members. Each node finds its part
//! sealed under a "virtual TEE" key that lies **in the same directory**. So nothing here is protected from anyone who can read
//! the disk, and everything that says so is in this crate, so that joining can replace it as a whole.
//!
//! ```text
//! D/network.json            what the network is made of; written last, so that its presence means "complete"
//! D/genesis.json            of its Ethereum ledger
//! D/accounts.json           whose keys the nodes hold ("unlocked")
//! D/service_cert.pem        the service's certificate
//! D/members/                member0_cert.pem, member0_privk.pem, ...
//! D/node1/node.toml         what this node is told at its start            -> NodeFile
//!         virtual-tee/      what its TEE would hold                        -> Identity
//!         log/ ledger/ index/ node.log                                     the node's own
//! ```
#![forbid(unsafe_code)]

mod accounts;
mod error;
mod files;
mod genesis;
mod identity;
mod layout;
mod network;
mod node_file;
mod ports;

pub use accounts::{ACCOUNTS, Account};
pub use error::Error;
pub use genesis::{DEFAULT_GENESIS, chain_id};
pub use identity::{Founder, Identity};
pub use layout::{Layout, NodeLayout};
pub use network::{HostedLedger, Network, NetworkNode, Plan, create};
pub use node_file::{LedgerFile, LedgerKind, NodeFile, PeerFile, Signing};
pub use ports::in_use;
