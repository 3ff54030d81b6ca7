//! A node: the road from work to a committed entry, with real threads, sockets, disks and clocks.
//!
//! ```text
//!   listeners ─▶ Route ─▶ Executor ──proposal──▶ Orderer ──log, peers──▶ (quorum)
//!                  ▲          │ ▲                  │
//!     peers ───────┘          │ └───committed──────┘
//!                             ▼
//!                         Publisher ─▶ readers, answers ─▶ Keeper ─▶ ledger file, index
//! ```
//!
//! One thread each: the executor owns the store, the orderer the consensus driver and its log, the publisher what
//! readers see, the keeper the ledger file. They share nothing but channels, so there is no lock on the road.
//! `docs/request-flow.md` walks it step by step.
//!
//! Not here: what a hosted ledger means (adapters), which adapters there are (`coco-node`).

mod background;
mod claim;
mod executor;
mod genesis;
pub mod history;
mod hosting;
mod http;
pub mod log;
mod nodes;
mod ordering;
#[doc(hidden)]
pub mod parsers;
mod peers;
mod publisher;
mod route;
mod run;
mod sealer;
mod secrets;
mod service;
mod snapshot;
mod work;

pub use claim::claim;
pub use genesis::ServiceTables;
pub use hosting::Hosting;
pub use kv::Tables;
pub use run::{Adapters, Founder, Origin, Prepared, Secrets, Settings, prepare, run};
pub use secrets::{KeepSecrets, MissingSecret};
pub use snapshot::{Arrival, SnapshotError};
