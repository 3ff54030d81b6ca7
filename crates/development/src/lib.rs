//! The files of nodes and of development networks, and the stand-in for what only a real TEE and a real consortium can give.
//!
//! One program on one machine makes up the beginning of a network: the service's key, the ledger secret, a key and an endorsed
//! certificate for each founding node, the members. A node that joins later makes its own key and is handed the rest. Each keeps
//! its part sealed under a "virtual TEE" key that lies **in the same directory**. So nothing here is protected from anyone who
//! can read the disk, and everything that says so is in this crate.
//!
//! ```text
//! D/network.json            what the network is made of; written last, so that its presence means "complete"
//! D/genesis.json            what its members open its Ethereum ledger with
//! D/accounts.json           whose keys the nodes hold ("unlocked")
//! D/service_cert.pem        the service's certificate
//! D/members/                member0_cert.pem, member0_privk.pem, ...
//! D/node1/node.toml         what this node is told at its start            -> NodeFile
//!         virtual-tee/      what its TEE would hold                        -> Identity
//!         log/ ledger/ index/ node.log                                     the node's own
//!
//! N/node.toml               of a node that joins: whom it asks                 -> NodeFile, JoinFile
//! N/service_cert.pem        whom it believes
//! N/joining.json            how far it is                                      -> Joining
//! N/joined.json             its number, and where it serves which ledger       -> Membership
//! N/virtual-tee/ ...        as above
//! ```
#![forbid(unsafe_code)]

mod accounts;
mod error;
mod files;
mod genesis;
mod identity;
mod join_file;
mod joined;
mod layout;
mod network;
mod newcomer;
mod node_file;
mod ports;

pub use accounts::{ACCOUNTS, Account};
pub use error::Error;
pub use genesis::{DEFAULT_GENESIS, chain_id};
pub use identity::{Admission, Candidate, Founder, Identity, LedgerSecrets, Past, keep_ledger_secrets};
pub use join_file::{Door, JoinFile};
pub use joined::{Fetched, Joined, JoinedLedger, Joining, JoiningState, Membership, Neighbour, Served};
pub use layout::{Layout, NodeLayout};
pub use network::{ETHEREUM, HostedLedger, Network, NetworkNode, Plan, create};
pub use newcomer::{Newcomer, newcomer};
pub use node_file::{EndorsementServices, FounderFile, LedgerFile, LedgerKind, NodeFile, Origin, PeerFile, Signing};
pub use ports::{Ports, in_use};
