//! Identifiers of what happened (view, seqno) and of who did it (node).

use std::fmt;

use crate::{Digest, ParseDigestError};

/// The term of one primary. The first view of a service is 2, as in CCF: 0 and 1 never sign.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct View(pub u64);

/// The number of an entry in the ledger. The first entry is 1; 0 means "before the first".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Seqno(pub u64);

impl Seqno {
    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A transaction id, written `view.seqno`. A seqno that was rolled back comes again in another view, so the pair is unique.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct TxId {
    pub view: View,
    pub seqno: Seqno,
}

impl TxId {
    #[must_use]
    pub const fn new(view: u64, seqno: u64) -> Self {
        Self { view: View(view), seqno: Seqno(seqno) }
    }

    /// Reads `view.seqno`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (view, seqno) = text.split_once('.')?;
        Some(Self::new(view.parse().ok()?, seqno.parse().ok()?))
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Seqno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.view, self.seqno)
    }
}

/// SHA-256 of a node's public key (SubjectPublicKeyInfo, DER).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub Digest);

impl NodeId {
    /// Reads 64 hexadecimal characters.
    pub fn parse(text: &str) -> Result<Self, ParseDigestError> {
        text.parse().map(Self)
    }

    /// The first eight characters: enough for a person to tell the nodes of one network apart.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_id_reads_what_it_prints() {
        let id = TxId::new(2, 77);
        assert_eq!(TxId::parse(&id.to_string()), Some(id));
        for bad in ["", "2", "2.", ".7", "2.7.1", "a.b", "-1.2"] {
            assert_eq!(TxId::parse(bad), None, "{bad}");
        }
    }
}
