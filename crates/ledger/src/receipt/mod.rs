//! Receipts: that a transaction is in the ledger, for whoever has the service's certificate and nothing else.
//!
//! ```text
//!   raw entry ─ SHA-256 ─┐
//!   commit evidence ─────┼─▶ leaf ── path ──▶ root ◀── signed by the service, or by a node that the service endorsed
//!   claims ──────────────┘
//! ```
//!
//! An entry and the signature behind it are enough to make one, since a signature keeps the leaves of its batch and the edge of the
//! tree before them. The two forms are CCF's (docs/formats/receipt.md): JSON with the node's signature, COSE with the service's.

mod cose;
mod json;
mod verify;

use base::{Digest, NodeId, TxId};
use crypto::sha256;

pub use verify::{Proven, Transaction, Unproven, verify};

use crate::entry::{RawEntry, leaf_digest};
use crate::signature::{RawSignature, Signature};
use crate::tree::{self, Step};
use crate::{Corrupt, Covered};

/// What is shown of an entry. Its content stays hidden behind its digest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Leaf {
    write_set: Digest,
    /// `ce:V.S:…`. Nobody can make it up before the transaction is committed.
    evidence: String,
    claims: Digest,
}

impl Leaf {
    fn digest(&self) -> Digest {
        leaf_digest(&self.write_set, &sha256(self.evidence.as_bytes()), &self.claims)
    }
}

/// A receipt of a committed transaction.
pub struct Receipt {
    /// The transaction.
    pub txid: TxId,
    /// Absent for a signature: its receipt is the root that it signs.
    shown: Option<(Leaf, Vec<Step>)>,
    root: Digest,
    /// The service's signature.
    cose: Vec<u8>,
    /// The node's, in a ledger that has them.
    node: Option<RawSignature>,
}

impl Receipt {
    /// Makes a receipt of an entry and its signature. `evidence` is the entry's commit evidence: only for what is committed.
    pub fn of(covered: &Covered, evidence: String) -> Result<Self, Corrupt> {
        let (entry, signer) = (RawEntry::parse(&covered.entry)?, RawEntry::parse(&covered.signature)?);
        let broken = |what| Corrupt::Signature(signer.txid, what);
        let signature = Signature::read(&signer)?;
        let (flushed, leaves) = tree::deserialise(signature.tree).ok_or(broken("its tree"))?;
        if flushed.len().checked_add(leaves.len() as u64) != Some(signer.txid.seqno.0) {
            return Err(broken("its tree"));
        }
        let (shown, root) = if entry.txid == signer.txid {
            let root = leaves.iter().fold(flushed, |mut tree, leaf| {
                tree.append(*leaf);
                tree
            });
            (None, root.root())
        } else {
            let leaf = Leaf { write_set: entry.write_set_digest(), evidence, claims: entry.claims() };
            if sha256(leaf.evidence.as_bytes()) != entry.evidence_digest() {
                return Err(Corrupt::Sealed);
            }
            let path = tree::path(&flushed, &leaves, entry.txid.seqno.0).ok_or(Corrupt::Root(signer.txid))?;
            if leaves.get((entry.txid.seqno.0 - flushed.len()) as usize) != Some(&leaf.digest()) {
                return Err(Corrupt::Root(signer.txid));
            }
            let root = tree::climb(leaf.digest(), &path);
            (Some((leaf, path)), root)
        };
        signature.signatures.check_raw_root(&root)?;
        Ok(Self { txid: entry.txid, shown, root, cose: signature.signatures.cose, node: signature.signatures.raw })
    }

    /// The node that signed, in a ledger whose nodes sign.
    #[must_use]
    pub fn signer(&self) -> Option<NodeId> {
        self.node.as_ref().map(|node| node.node)
    }
}
