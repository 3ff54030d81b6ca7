//! Verifies a receipt of either form, offline, with the service's certificate.
//!
//! Dates of certificates are not looked at: a receipt outlives them.

use base::{Digest, TxId};
use crypto::cose::{SignedRoot, verify_root};
use crypto::{Certificate, PublicKey};

use super::json::Written;
use super::{Leaf, cose};
use crate::tree::climb;

/// A receipt of a ledger of any length has less: a path of 64 steps, and certificates of identities before recoveries.
const RECEIPT_BYTES_MAX: usize = 256 << 10;
pub(super) const PATH_MAX: usize = 64;
const ENDORSEMENTS_MAX: usize = 64;

/// What a receipt proves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proven {
    /// What is in the ledger. Absent in the JSON receipt of a signature: that shows the root and nothing else.
    pub transaction: Option<Transaction>,
    /// The root of the ledger's tree, up to the signature.
    pub root: Digest,
    /// In COSE: the signature's own place, and the time by the clock of who made it.
    pub signed: Option<SignedRoot>,
}

/// A transaction that is in the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transaction {
    pub txid: TxId,
    /// SHA-256 of the raw entry.
    pub write_set: Digest,
    /// Of what the application claims; zero if it claims nothing.
    pub claims: Digest,
}

/// Why a receipt proves nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unproven {
    #[error("it is no receipt: {0}")]
    Malformed(&'static str),
    #[error("it leads to a root that the service did not sign: it was changed, or is of another service")]
    Root,
    #[error("the node that signed it has no certificate of this service")]
    Endorsement,
    #[error("it was signed by another node than it says")]
    Signer,
    #[error("its commit evidence does not say which transaction it is of")]
    Evidence,
}

/// Verifies a receipt with the certificate of its service.
pub fn verify(receipt: &[u8], service: &Certificate) -> Result<Proven, Unproven> {
    if receipt.len() > RECEIPT_BYTES_MAX {
        return Err(Unproven::Malformed("it is too large"));
    }
    let key = service.public_key().map_err(|_| Unproven::Endorsement)?;
    // A COSE message with its tag, or JSON.
    if receipt.first() == Some(&0xd2) { verify_cose(receipt, &key) } else { verify_json(receipt, &key) }
}

fn verify_cose(receipt: &[u8], service: &PublicKey) -> Result<Proven, Unproven> {
    let read = cose::read(receipt);
    let (message, leaf, path) = read.ok_or(Unproven::Malformed("the COSE message cannot be read"))?;
    let root = climb(leaf.digest(), &path);
    let signed = verify_root(service, &root, &message).map_err(|_| Unproven::Root)?;
    let transaction = transaction(leaf)?;
    // A signature covers what is before it.
    if transaction.txid.seqno >= signed.txid.seqno || transaction.txid.view > signed.txid.view {
        return Err(Unproven::Evidence);
    }
    Ok(Proven { transaction: Some(transaction), root, signed: Some(signed) })
}

fn verify_json(receipt: &[u8], service: &PublicKey) -> Result<Proven, Unproven> {
    let malformed = Unproven::Malformed;
    let mut written: Written = serde_json::from_slice(receipt).map_err(|_| malformed("a field of the JSON object"))?;
    if written.proof.len() > PATH_MAX || written.service_endorsements.len() > ENDORSEMENTS_MAX {
        return Err(malformed("its lists are too long"));
    }
    let path = written.path().ok_or(malformed("its proof"))?;
    let (leaf, root) = match (written.leaf_components.take(), written.root()) {
        (Some(components), None) => {
            let leaf = components.read().ok_or(malformed("its leaf's components"))?;
            let root = climb(leaf.digest(), &path);
            (Some(leaf), root)
        }
        (None, Some(root)) if path.is_empty() => (None, root),
        _ => return Err(malformed("its leaf")),
    };
    let certificate = |text: &str| Certificate::from_pem(text).map_err(|_| malformed("a certificate"));
    let node = certificate(&written.cert)?;
    let key = node.public_key().map_err(|_| malformed("a certificate"))?;
    if written.signer() != Some(key.node_id()) {
        return Err(Unproven::Signer);
    }
    let signature = written.signature().ok_or(malformed("its signature"))?;
    key.verify_digest(&root, &signature).map_err(|_| Unproven::Root)?;
    let mut issued = node;
    for endorsement in &written.service_endorsements {
        let endorsement = certificate(endorsement)?;
        check_issued(&issued, &endorsement.public_key().map_err(|_| Unproven::Endorsement)?)?;
        issued = endorsement;
    }
    check_issued(&issued, service)?;
    Ok(Proven { transaction: leaf.map(transaction).transpose()?, root, signed: None })
}

fn check_issued(certificate: &Certificate, issuer: &PublicKey) -> Result<(), Unproven> {
    certificate.check_issued_by(issuer).map_err(|_| Unproven::Endorsement)
}

fn transaction(leaf: Leaf) -> Result<Transaction, Unproven> {
    let Leaf { write_set, evidence, claims } = leaf;
    let txid = evidence.strip_prefix("ce:").and_then(|rest| rest.split_once(':')).and_then(|(txid, nonce)| {
        let nonce: Digest = nonce.parse().ok()?;
        let txid = TxId::parse(txid)?;
        // As it is written, and no other way.
        (format!("ce:{txid}:{nonce}") == evidence).then_some(txid)
    });
    Ok(Transaction { txid: txid.ok_or(Unproven::Evidence)?, write_set, claims })
}
