//! Words that every layer shares: identifiers, digests and bounds.
//!
//! Nothing here does anything. A type earns its place when two layers must agree on it.

mod digest;
mod id;
pub mod limits;

pub use digest::{Digest, ParseDigestError};
pub use id::{NodeId, Seqno, TxId, View};
