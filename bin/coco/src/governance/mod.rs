//! A client of the governance API: what members do from a command line, over HTTPS that trusts one service and nobody else.
//!
//! ```text
//!   place ──▶ service ◀── request ◀── signer           asked, or told something that a member signed
//!               │            ▲ │
//!               │            │ └▶ prepared             what is to be signed, if the key is somewhere else
//!               │            └─── signature            what came of that
//!               │            └──── opening              what is proposed to open a ledger
//!               ├─▶ answers ─▶ people, words           who is meant, and what an action would change
//!               └─▶ refusal                            why not, and what to do about it
//! ```
//!
//! What comes from the service may have been written by a member who means ill: it is shown without control characters.

mod answers;
mod opening;
mod people;
mod place;
mod plain;
mod prepared;
mod refusal;
mod request;
mod service;
mod signature;
mod signer;
pub mod words;

pub use answers::{Action, Ledger, Member, Node, Policies, Proposal, Times};
pub use opening::{OPEN_LEDGER, Opening, SET_LEDGER_POLICY, Start, ledger_policy};
pub use people::People;
pub use place::Place;
pub use plain::{plain, plain_lines, short};
pub use prepared::Prepared;
pub use request::{About, Request, algorithm, seal};
pub use service::{Sent, Service, Trouble, acknowledgement, path};
pub use signer::{Signer, Source, Who};
