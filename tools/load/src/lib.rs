//! Load for an Ethereum ledger, and the measuring of it.
//!
//! ```text
//! before the clock    accounts ── sign, all cores ──▶ lanes of raw transactions, one lane a connection
//! while it runs       lane ── due ── POST eth_sendRawTransaction, one call or a batch ──▶ node, answered
//!                     newHeads ── eth_getBlockReceipts ──▶ receipt seen: latency counts from when it was due
//! ```
//!
//! The client shares the machine with what it measures, so it is cheap: everything is signed before, bodies are written
//! by hand, connections stay open, one thread does it all, and receipts are read a block at a time. A transaction counts when its receipt
//! was seen, not when it was accepted.
//!
//! An account belongs to one lane, and a lane waits for its answer before it sends again; so nonces arrive in order.
//! With a rate, calls are due at fixed times whether or not the node keeps up; a late one is late from the time it was due.
#![forbid(unsafe_code)]

mod account;
mod endpoint;
mod error;
mod follow;
mod fund;
mod histogram;
mod history;
mod http;
mod lanes;
mod rpc;
mod run;
mod token;
mod transaction;

pub use account::Account;
pub use endpoint::Endpoint;
pub use error::Error;
pub use follow::{Follower, SeenBlock, SeenReceipt};
pub use fund::{fund, make_token, senders};
pub use histogram::Histogram;
pub use history::{ReadBack, read_back};
pub use lanes::{Lane, Sender, Workload, sign};
pub use rpc::{Refusal, Rpc};
pub use run::{Measured, Pace, Target, run};
pub use transaction::{Fees, Kind, Signed, Signer};
