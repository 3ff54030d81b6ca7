//! The entry that closes a batch: the tree since the last signature, and signatures over its root.
//!
//! The service's signature (COSE) is always there. The node's own beside it is a setting, for tools of CCF before 7.0. The
//! reader accepts one encoding of each row, because the last signature of a ledger is covered by nothing that follows it.

use std::sync::Arc;

use base::{Digest, NodeId, Seqno, TxId, View};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::cose::{self, SignedRoot};
use crypto::{KeyPair, PublicKey};
use serde::Deserialize;

use crate::bytes::{put_string, put_u64};
use crate::entry::{RawEntry, seal_domains};
use crate::tree::{self, Frontier};
use crate::{Corrupt, LedgerKeys, SealError, tables};

/// Where the ledger stands after a batch: at a signature. Cheap to clone; whoever may have to go back keeps the old one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// The last entry, which is a signature; `0.0` before the first.
    pub txid: TxId,
    /// The leaves that this signature signs: all before it.
    pub(crate) flushed: Frontier,
    /// Its own leaf.
    pub(crate) leaf: Digest,
}

impl Head {
    /// Before the first entry.
    #[must_use]
    pub fn new() -> Self {
        Self { txid: TxId::new(0, 0), flushed: Frontier::empty(), leaf: Digest::ZERO }
    }

    /// The last entry's seqno, which is that of the last signature.
    #[must_use]
    pub fn seqno(&self) -> Seqno {
        self.txid.seqno
    }

    /// The root of [`Head::frontier`].
    #[must_use]
    pub fn root(&self) -> Digest {
        self.frontier().root()
    }

    /// The tree over all entries so far, the signature included.
    #[must_use]
    pub fn frontier(&self) -> Frontier {
        let mut tree = self.flushed.clone();
        tree.append(self.leaf);
        tree
    }

    /// The root that this signature signs.
    pub(crate) fn signed_root(&self) -> Digest {
        self.flushed.root()
    }

    /// The tree that the next signature signs after entries with these leaves, and the head it makes but for its own leaf.
    pub(crate) fn extend(&self, leaves: &[Digest]) -> Frontier {
        let mut tree = self.frontier();
        leaves.iter().for_each(|leaf| tree.append(*leaf));
        tree
    }

    /// The tree row of that signature.
    pub(crate) fn tree_row(&self, leaves: &[Digest]) -> Vec<u8> {
        tree::serialise(&self.flushed, &[&[self.leaf], leaves].concat())
    }

    /// The head that a stored signature stands for, by its own tree: for a node that opens its ledger files.
    pub(crate) fn at(entry: &RawEntry<'_>) -> Result<Self, Corrupt> {
        let broken = Corrupt::Signature(entry.txid, "its tree");
        let signature = Signature::read(entry)?;
        let (mut flushed, leaves) = tree::deserialise(signature.tree).ok_or(broken.clone())?;
        // Before anything is counted up: the stored numbers may be anything.
        if flushed.len().checked_add(leaves.len() as u64) != Some(entry.txid.seqno.0) {
            return Err(broken);
        }
        leaves.into_iter().for_each(|leaf| flushed.append(leaf));
        Ok(Self { txid: entry.txid, flushed, leaf: entry.leaf() })
    }
}

impl Default for Head {
    fn default() -> Self {
        Self::new()
    }
}

/// Who signs batches.
#[derive(Clone)]
pub struct Signer {
    pub service: Arc<KeyPair>,
    /// The node's own signature beside the service's, if the ledger is to have it.
    pub node: Option<Arc<KeyPair>>,
}

/// Closes a batch: appends the signature entry behind its entries in `out` and gives the new head.
///
/// `head` is where the batch began, `leaves` are those of its entries in order. Deterministic but for ECDSA's own randomness.
pub fn sign(
    head: &Head,
    view: View,
    leaves: &[Digest],
    signer: &Signer,
    keys: &LedgerKeys,
    time_seconds: u64,
    out: &mut Vec<u8>,
) -> Result<Head, SealError> {
    let flushed = head.extend(leaves);
    let txid = TxId { view, seqno: Seqno(flushed.len()) };
    let root = flushed.root();
    let signed = cose::sign_root(&signer.service, &root, SignedRoot { txid, issued_at: time_seconds })?;
    let raw = match &signer.node {
        Some(key) => Some(raw_row(key.public().node_id(), txid, &root, &key.sign_digest(&root)?)),
        None => None,
    };
    let tree = head.tree_row(leaves);
    let public = |out: &mut Vec<u8>| {
        put_singleton(out, tables::COSE_SIGNATURES, cose_row(&signed).as_bytes());
        if let Some(raw) = &raw {
            put_singleton(out, tables::SIGNATURES, raw.as_bytes());
        }
        put_singleton(out, tables::TREE, &tree);
    };
    let leaf = seal_domains(txid, &Digest::ZERO, keys, out, public, |_| ())?;
    Ok(Head { txid, flushed, leaf })
}

/// A section that writes the only row of a table.
fn put_singleton(out: &mut Vec<u8>, table: &str, value: &[u8]) {
    put_string(out, table.as_bytes());
    put_u64(out, 0);
    put_u64(out, 0);
    put_u64(out, 1);
    put_string(out, &tables::SINGLETON);
    put_string(out, value);
    put_u64(out, 0);
}

fn cose_row(message: &[u8]) -> String {
    format!("\"{}\"", STANDARD.encode(message))
}

/// Keys in alphabetical order and no white space, as CCF writes it.
fn raw_row(node: NodeId, txid: TxId, root: &Digest, signature: &[u8]) -> String {
    format!(
        r#"{{"commit_seqno":0,"commit_view":0,"node":"{node}","root":"{root}","seqno":{},"sig":"{}","view":{}}}"#,
        txid.seqno,
        STANDARD.encode(signature),
        txid.view
    )
}

/// A signature entry, read but for its signatures' validity.
pub(crate) struct Signature<'a> {
    pub(crate) tree: &'a [u8],
    pub(crate) signatures: Signatures,
}

/// The signatures of an entry.
pub(crate) struct Signatures {
    pub(crate) txid: TxId,
    /// The service's COSE message.
    pub(crate) cose: Vec<u8>,
    pub(crate) raw: Option<RawSignature>,
}

/// The node's signature.
pub(crate) struct RawSignature {
    pub(crate) node: NodeId,
    pub(crate) root: Digest,
    pub(crate) signature: Vec<u8>,
}

impl<'a> Signature<'a> {
    /// Reads a signature entry: exactly the tables it may write, one row each, nothing private, no claims.
    pub(crate) fn read(entry: &RawEntry<'a>) -> Result<Self, Corrupt> {
        let broken = |what| Corrupt::Signature(entry.txid, what);
        if entry.private_bytes() != 0 || entry.claims() != Digest::ZERO {
            return Err(broken("it has a private part or claims"));
        }
        let (mut cose, mut raw, mut tree) = (None, None, None);
        for section in entry.public() {
            let section = section?;
            let row = section.only_row().ok_or(broken("a table has not one row"))?;
            match section.name {
                tables::COSE_SIGNATURES => cose = Some(read_cose_row(row).ok_or(broken("its COSE row"))?),
                tables::SIGNATURES => raw = Some(read_raw_row(row, entry.txid).ok_or(broken("its node row"))?),
                tables::TREE => tree = Some(row),
                _ => return Err(broken("it writes another table")),
            }
        }
        let (Some(cose), Some(tree)) = (cose, tree) else {
            return Err(broken("the service's signature or the tree is missing"));
        };
        Ok(Self { tree, signatures: Signatures { txid: entry.txid, cose, raw } })
    }
}

impl Signatures {
    /// Verifies the service's signature over `root`.
    pub(crate) fn verify_service(&self, key: &PublicKey, root: &Digest) -> Result<SignedRoot, Corrupt> {
        let signed = cose::verify_root(key, root, &self.cose)
            .map_err(|_| Corrupt::Signature(self.txid, "the service's signature does not verify"))?;
        if signed.txid == self.txid {
            Ok(signed)
        } else {
            Err(Corrupt::Signature(self.txid, "the service signed another transaction id"))
        }
    }

    /// What the service's signature says, unverified.
    pub(crate) fn peek_service(&self) -> Result<SignedRoot, crypto::Error> {
        cose::peek(&self.cose)
    }

    /// Checks that the node's signature, if there is one, names `root`.
    pub(crate) fn check_raw_root(&self, root: &Digest) -> Result<(), Corrupt> {
        match &self.raw {
            Some(raw) if raw.root != *root => Err(Corrupt::Root(self.txid)),
            _ => Ok(()),
        }
    }
}

impl RawSignature {
    pub(crate) fn verify(&self, key: &PublicKey) -> Result<(), crypto::Error> {
        key.verify_digest(&self.root, &self.signature)
    }
}

fn read_cose_row(row: &[u8]) -> Option<Vec<u8>> {
    // The decoder refuses white space and a last character with stray bits, so there is one text for each message.
    STANDARD.decode(row.strip_prefix(b"\"")?.strip_suffix(b"\"")?).ok()
}

#[derive(Deserialize)]
struct RawRow<'a> {
    node: &'a str,
    root: &'a str,
    sig: &'a str,
}

fn read_raw_row(row: &[u8], txid: TxId) -> Option<RawSignature> {
    let RawRow { node, root, sig } = serde_json::from_slice(row).ok()?;
    let (node, root) = (NodeId::parse(node).ok()?, root.parse().ok()?);
    let signature = STANDARD.decode(sig).ok()?;
    (raw_row(node, txid, &root, &signature).as_bytes() == row).then_some(RawSignature { node, root, signature })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::Secret;

    /// A signature entry whose tree row is `tree`.
    fn with_tree(seqno: u64, tree: &[u8]) -> Vec<u8> {
        let keys = LedgerKeys::new(&Secret::from_slice(&[7; 32]).unwrap()).unwrap();
        let mut out = Vec::new();
        let public = |out: &mut Vec<u8>| {
            put_singleton(out, tables::COSE_SIGNATURES, b"\"AAAA\"");
            put_singleton(out, tables::TREE, tree);
        };
        seal_domains(TxId::new(2, seqno), &Digest::ZERO, &keys, &mut out, public, |_| ()).unwrap();
        out
    }

    #[test]
    fn a_head_is_taken_from_a_tree_that_ends_before_its_signature_and_from_no_other() {
        let leaves = [Digest::ZERO, Digest([1; 32]), Digest([2; 32])];
        let tree = tree::serialise(&Frontier::empty(), &leaves);
        let head = |seqno, tree: &[u8]| Head::at(&RawEntry::parse(&with_tree(seqno, tree)).unwrap());
        let mut expected = Frontier::empty();
        leaves.iter().for_each(|leaf| expected.append(*leaf));
        assert_eq!(head(3, &tree).unwrap().flushed, expected);
        assert!(head(4, &tree).is_err());
        let mut full = [1u64.to_be_bytes(), u64::MAX.to_be_bytes()].concat();
        full.resize(16 + 32 * 65, 0);
        assert!(tree::deserialise(&full).is_some() && head(3, &full).is_err() && head(u64::MAX, &full).is_err());
    }
}
