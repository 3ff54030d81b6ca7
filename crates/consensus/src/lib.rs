//! Agreement on the order of batches: a pure, deterministic driver around a Raft library.
//!
//! ```text
//!            Tick · Receive · Propose · Persisted · Applied · …
//!                               │
//!   runtime ──── step(input) ──▶ Driver ──▶ Effects { write, send, committed, role, catch_up, … }
//!      ▲                                        │
//!      └──────────── disk, network, clock ◀─────┘
//! ```
//!
//! The driver owns no socket, file, clock or thread, and draws its election timeouts from a seed: the same inputs in
//! the same order give the same effects, so a whole cluster runs in one thread from one number (`tools/sim`).
//! Batches are opaque bytes; their digests, signatures and meaning are the business of the layers above.
//!
//! What the runtime must do with [`Effects`] stands beside its fields. Two rules carry the safety of the whole:
//! what [`Effects::write`] names is on disk, synced, before [`Input::Persisted`] is stepped; and entries are applied
//! in the order in which [`Effects::committed`] hands them out.
//!
//! No type of the library appears in this interface, and no byte of a peer reaches a decoder that is not ours
//! (`docs/formats/peer-messages.md`).
//!
//! Not here: where entries are kept on disk and how a node that was away for long fetches what it missed (`node`).
//! Who should take part is for the layers above to say ([`Input::Want`]); the primary's driver leads the network there, one
//! voter at a time (`docs/decisions/0015-membership-follows-the-ledger.md`).

mod config;
mod convert;
mod driver;
mod effects;
mod guard;
mod input;
mod log;
mod membership;
mod message;
mod outbox;
mod plan;
mod stored;
mod timeout;

pub use config::{Config, StartError};
pub use driver::Driver;
pub use effects::{Accepted, Append, CatchUp, Effects, Ignored, PeerStatus, Refusal, Role, Status, Write, WriteNumber};
pub use input::Input;
pub use membership::{BadConfiguration, Configuration, MEMBERS_MAX, Membership, Wanted};
pub use message::{Body, Item, Kind, Malformed, Message, VIEW_MAX, kind_of};
pub use stored::{Content, Entry, HardState, Index, Member, Point, Stored};
