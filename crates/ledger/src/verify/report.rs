//! What an audit says.

use std::fmt;
use std::sync::Arc;

use base::TxId;

use super::state::State;
use crate::Corrupt;
use crate::genesis::ServiceStatus;

/// How far an audit has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    pub bytes_done: u64,
    pub bytes_total: u64,
    /// The signature reached.
    pub txid: TxId,
}

/// A ledger that was found whole.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    pub chunks: u64,
    pub bytes: u64,
    pub entries: u64,
    /// Batches, each with the service's signature.
    pub signatures: u64,
    /// Those that bear a node's signature too.
    pub node_signatures: u64,
    /// The last signature: everything up to it is proven.
    pub last: TxId,
    /// The last signature, if its own tag and commit evidence (48 bytes) are not proven: that takes the next signature or the
    /// ledger secrets.
    pub unproven: Option<TxId>,
    /// The service's certificate in force at the end (PEM). An auditor compares it with the one that is known to be right.
    pub service_certificate: Option<String>,
    pub service_status: Option<ServiceStatus>,
}

impl Report {
    pub(super) fn close(mut self, last: TxId, state: &State, with_keys: bool) -> Self {
        self.last = last;
        self.unproven = (!with_keys && self.signatures > 0).then_some(last);
        self.service_certificate = state.service_certificate();
        self.service_status = state.service_status();
        self
    }
}

/// The first fault of a ledger.
#[derive(Clone, Debug)]
pub struct Broken {
    /// The file, by its name.
    pub file: String,
    /// The entry, if it is known.
    pub txid: Option<TxId>,
    pub reason: Reason,
}

impl Broken {
    /// Whether this fault stands before the other. One without an entry is about a whole file: it comes last.
    pub(super) fn before(&self, other: &Self) -> bool {
        match (self.txid, other.txid) {
            (Some(this), Some(other)) => this.seqno < other.seqno,
            (this, _) => this.is_some(),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(txid) = self.txid {
            write!(f, ", entry {txid}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for Broken {}

/// What is wrong.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Reason {
    #[error("it cannot be read: {0}")]
    Io(Arc<std::io::Error>),
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    #[error("{0}")]
    Chunk(&'static str),
    #[error(
        "the ledger ends in the middle of a batch; if its node was killed, start it once: it cuts off what was not finished"
    )]
    Unfinished,
    #[error("it is not the entry that was signed")]
    Changed,
    #[error("the service's row is broken: {0}")]
    Service(&'static str),
    #[error("the service goes from {0:?} to {1:?}, which it may not")]
    Status(ServiceStatus, ServiceStatus),
    #[error("node {0}'s row is broken: {1}")]
    Node(String, &'static str),
    #[error("node {0} signed, but {1}")]
    Signer(base::NodeId, &'static str),
    #[error("the signature of node {0} does not verify")]
    NodeSignature(base::NodeId),
}
