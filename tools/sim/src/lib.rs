//! A whole cluster in one thread, from one seed.
//!
//! ```text
//!   faults ──strike──▶ World ──step──▶ driver of each node
//!                        │  ▲               │
//!                     agenda  └── network, disk, ledger doubles ◀── effects
//!                        │
//!                     Checker: after every step            Trace: a digest of all that happened
//! ```
//!
//! Time is a number. What will happen later (a delivery, the end of a sync, a restart) stands in an agenda; the order
//! of equal times is the order in which they were written there. Everything random comes from one generator, so a
//! seed is a run, and a failure prints the command that repeats it.
//!
//! A run has two parts: faults without mercy, in which only safety is asked for; then everything is healed, and a new
//! batch must be committed on every node within a bounded time.
//!
//! Simulated here: consensus, its log on disk, the ledger's progress, compaction and catching up. Not here: what is
//! in a batch, and anything that needs the real clock, real disks or sockets.

mod check;
pub mod faults;
mod network;
mod node;
mod options;
mod run;
mod storage;
mod trace;
mod world;

pub use check::Violation;
pub use options::{Bug, Options};
pub use run::{Outcome, fail_over, run};
pub use storage::{Storage, Surviving};
