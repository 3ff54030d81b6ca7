//! Load for a hosted ledger, and the measuring of it.
//!
//! ```text
//! before the clock    accounts ── sign, all cores ──▶ requests ahead, one queue a connection      (supply)
//! while it runs       queue ── due ── POST eth_sendRawTransaction, one call or a batch ──▶ node, answered     (pace, run)
//!                     every node: newHeads ──▶ announced here; receipts of its share of the blocks are read   (follow)
//!                     read and announced everywhere ──▶ counted: latency is from when it was due              (book)
//! ```
//!
//! The client shares the machine with what it measures, so it is cheap: short runs are signed before, bodies are written by
//! hand, connections stay open, one thread does it all, nothing is polled, and receipts are read a block at a time. A
//! transaction counts when its receipt was seen, not when it was accepted.
//!
//! An account belongs to one connection, and a connection waits for its answer before it sends again; so nonces arrive in
//! order, and so do transactions that need each other. With a rate, calls are due at fixed times whether or not the node
//! keeps up; a late one is late from the time it was due.
#![forbid(unsafe_code)]

mod account;
mod book;
mod calls;
mod ceiling;
mod contracts;
mod endpoint;
mod error;
mod follow;
mod fund;
mod govern;
mod histogram;
mod history;
mod http;
mod keyvalue;
mod pace;
mod reads;
mod rpc;
mod run;
mod stream;
mod supply;
mod timeline;
mod transaction;
mod workload;

pub use account::Account;
pub use book::Measured;
pub use ceiling::{Ceiling, Probe};
pub use endpoint::Endpoint;
pub use error::Error;
pub use fund::{Preparing, Progress, fund, senders};
pub use govern::{Assembly, Attack, Ballots, Doors, Member, Purpose, Seal, Statement, run_governance};
pub use histogram::Histogram;
pub use history::{ReadBack, read_back};
pub use http::Wire;
pub use keyvalue::{Access, Values, run_values};
pub use pace::Pace;
pub use reads::{Read, run_reads};
pub use rpc::{Refusal, Rpc};
pub use run::run;
pub use stream::Trust;
pub use supply::{AHEAD, Amount, Feed, Supply};
pub use timeline::{SLICE, Slice};
pub use transaction::{Fees, Kind, Signed, Signer};
pub use workload::{Plan, Request, Sender, Workload};
