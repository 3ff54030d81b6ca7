//! Ethereum as a hosted ledger.
//!
//! ```text
//!  eth_sendRawTransaction ─▶ admit.rs ─ Work ─▶ batch.rs ─ execute.rs (EVM) ─ rows.rs ─▶ kv::Tx   an entry a transaction
//!                            decode, sender,        │ seal: world.rs (state trie), header.rs ───▶ one for the block
//!                            cheap checks           │
//!  eth_getBalance … ◀─ rpc/ ◀─ view.rs ◀─ committed versions (tables.rs says what is where)
//! ```
//!
//! * A batch with Ethereum work is one block with a real header; there are none without transactions.
//! * A block is final when it is seen: nothing is shown before commit.
//! * `import.rs` takes blocks made elsewhere, proof of work included, and checks each of their roots.
//! * What no table holds (the state trie) is derived from tables, on every node alike.
//!
//! Not here: fees for anybody's profit, a pool that trades places, peers, work, stake.

mod account;
mod admit;
mod batch;
mod code;
mod codec;
mod error;
mod ethereum;
mod execute;
mod forks;
mod genesis;
pub mod header;
mod import;
mod keccak;
mod ledger;
mod record;
mod reject;
mod rows;
mod rpc;
mod system;
mod tables;
mod terms;
mod tip;
pub mod transaction;
mod trie;
mod view;
mod work;
mod world;

pub use account::Account;
pub use error::ReadError;
pub use ethereum::{Ethereum, NewBlock};
pub use execute::{Context, Evm, Refused, evm, evm_with};
pub use forks::{At, Fork, Forks};
pub use genesis::{Genesis, GenesisAccount, GenesisError};
pub use ledger::{Config, Ledger};
pub use record::{Block, Outcome, Receipt, Transaction};
pub use rows::Rows;
pub use rpc::LISTENER;
#[doc(hidden)]
pub use rpc::RpcReader;
pub use tables::Layout;
pub use transaction::Envelope;
pub use view::View;
pub use world::{Proof, SlotProof, World};
