//! Why bytes are not believed, and why an entry cannot be made.

use base::{Seqno, TxId};

/// Bytes that claim to be part of a ledger and are not: this disk's or that peer's fault, never the caller's.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Corrupt {
    #[error("the entry's frame is broken: {0}")]
    Frame(&'static str),
    #[error("the entry's content is broken: {0}")]
    Content(&'static str),
    #[error(
        "the entry writes table {0:?}, which this node does not know: was it written with another set of hosted ledgers?"
    )]
    UnknownTable(String),
    #[error("the entry does not open: it was changed, or sealed under another ledger secret")]
    Sealed,
    #[error("no ledger secret is valid at seqno {0}")]
    NoKey(Seqno),
    #[error("entry {found} stands where {expected} belongs")]
    Sequence { expected: TxId, found: TxId },
    #[error("the batch does not end on a signature")]
    Unsigned,
    #[error("the signature at {0} covers other entries than those before it")]
    Root(TxId),
    #[error("the signature at {0} is broken: {1}")]
    Signature(TxId, &'static str),
}

/// Why a transaction does not become an entry.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SealError {
    #[error("the transaction writes {bytes} bytes, more than one entry may hold ({max})", max = base::limits::ENTRY_BYTES_MAX)]
    TooLarge { bytes: usize },
    #[error("a transaction without a write has no entry")]
    Empty,
    #[error("no ledger secret is valid at seqno {0}")]
    NoKey(Seqno),
    #[error("{0} cannot be written: a view has 31 bits in the ledger, and the first seqno is 1")]
    TxId(TxId),
    #[error(transparent)]
    Crypto(#[from] crypto::Error),
}
