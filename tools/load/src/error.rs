//! What can go wrong between a client and a node.

use std::io;

use crate::rpc::Refusal;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot reach {at}: {source}")]
    Unreachable {
        at: String,
        #[source]
        source: io::Error,
    },
    #[error("the connection to {at} broke: {source}")]
    Broken {
        at: String,
        #[source]
        source: io::Error,
    },
    #[error("{at} did not answer {what} in time")]
    Late { at: String, what: String },
    #[error("{at} does not answer as a JSON-RPC server does: {what}")]
    Foreign { at: String, what: String },
    #[error("{at} refused {what}: {refusal}")]
    Refused { at: String, what: String, refusal: Refusal },
    #[error("{at} denied members {what}: {why}")]
    Denied { at: String, what: String, why: String },
    #[error("{0}")]
    Load(String),
}

impl Error {
    /// Whether nobody knows if the call was executed: its answer is missing.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        matches!(self, Self::Broken { .. } | Self::Late { .. } | Self::Foreign { .. })
    }
}
