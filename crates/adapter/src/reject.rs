//! Two kinds of failure: what a caller is told, and what stops a node.

use std::error::Error;
use std::fmt;

use minicbor::{Decode, Encode};

/// Who can do something about a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Blame {
    /// The request is wrong; sent again it fails again.
    #[n(0)]
    Caller,
    /// Something else happened first; look again, then decide.
    #[n(1)]
    Conflict,
    /// The node has too much to do; send again later. Nothing was done.
    #[n(2)]
    Busy,
    /// No primary can be reached, or it changed meanwhile: the work may or may not have been done.
    #[n(3)]
    Unavailable,
    /// The node is at fault.
    #[n(4)]
    Node,
}

/// A refusal. Nothing changed (but see [`Blame::Unavailable`]).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, thiserror::Error)]
#[error("{message}")]
pub struct Reject {
    #[n(0)]
    pub blame: Blame,
    /// The adapter's own code, in its protocol's terms. 0 where it has none.
    #[n(1)]
    pub code: i64,
    /// A sentence for the caller.
    #[n(2)]
    pub message: String,
    /// The adapter's own data for the caller.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub data: Option<Vec<u8>>,
}

impl Reject {
    pub fn new(blame: Blame, code: i64, message: impl Into<String>) -> Self {
        Self { blame, code, message: message.into(), data: None }
    }

    pub fn caller(code: i64, message: impl Into<String>) -> Self {
        Self::new(Blame::Caller, code, message)
    }

    #[must_use]
    pub fn busy() -> Self {
        Self::new(Blame::Busy, 0, "the node is busy: nothing was done, send again later")
    }

    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(
            Blame::Unavailable,
            0,
            "the network has no primary that can be reached now, or it changed meanwhile: look up what became of the request before sending it again",
        )
    }

    #[must_use]
    pub fn with_data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = Some(data.into());
        self
    }
}

/// The node cannot go on: its disk, its configuration or its code is at fault. It stops rather than diverge.
#[derive(Debug)]
pub struct Fault(Box<dyn Error + Send + Sync>);

impl Fault {
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }

    /// What it is, if it is of this type: for those who can do something about it.
    #[must_use]
    pub fn downcast_ref<T: Error + 'static>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl From<kv::HistoryError> for Fault {
    fn from(error: kv::HistoryError) -> Self {
        Self::new(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_travels_whole() {
        for data in [None, Some(vec![0x08, 0xc3])] {
            let reject = Reject { data, ..Reject::new(Blame::Conflict, -32000, "nonce too low") };
            let bytes = minicbor::to_vec(&reject).unwrap();
            assert_eq!(minicbor::decode::<Reject>(&bytes).unwrap(), reject);
        }
    }
}
