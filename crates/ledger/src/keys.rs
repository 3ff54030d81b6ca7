//! Ledger secrets, and what is derived from them: the sealing key of an entry, its commit evidence, and the key of a
//! snapshot of the state.

use base::{Digest, Seqno, TxId};
use crypto::{MacKey, SealingKey, Secret, sha256};

/// Never used for anything but commit evidence.
const EVIDENCE_LABEL: &[u8] = b"Commit S";
const SNAPSHOT_LABEL: &[u8] = b"coco state snapshot";

/// The ledger secrets, each valid from a seqno on until the next one's.
pub struct LedgerKeys {
    /// Ascending by `first`, never empty.
    epochs: Vec<Epoch>,
}

struct Epoch {
    first: Seqno,
    sealing: SealingKey,
    evidence: MacKey,
    snapshots: MacKey,
}

impl LedgerKeys {
    /// The first secret of a service, valid from the first entry on.
    pub fn new(secret: &Secret) -> Result<Self, crypto::Error> {
        Ok(Self { epochs: vec![Epoch::new(Seqno(1), secret)?] })
    }

    /// A further secret, valid from `first` on; replaces those that would have begun at or after it.
    pub fn add(&mut self, first: Seqno, secret: &Secret) -> Result<(), crypto::Error> {
        let epoch = Epoch::new(first, secret)?;
        self.epochs.retain(|known| known.first < first);
        self.epochs.push(epoch);
        Ok(())
    }

    /// The text that proves, once revealed, that a transaction is committed. Not to be shown before it is.
    #[must_use]
    pub fn commit_evidence(&self, txid: TxId) -> Option<String> {
        Some(self.epoch(txid.seqno)?.commit_evidence(txid))
    }

    /// The key of one snapshot of the state as of `seqno`: of this one alone, if its header is unique.
    pub fn snapshot_key(&self, seqno: Seqno, header: &[u8]) -> Option<Result<SealingKey, crypto::Error>> {
        let secret = Secret::from_slice(&self.epoch(seqno)?.snapshots.mac(header));
        Some(secret.and_then(|secret| SealingKey::new(&secret)))
    }

    /// What the entry keeps of it.
    pub(crate) fn evidence_digest(&self, txid: TxId) -> Option<Digest> {
        Some(sha256(self.commit_evidence(txid)?.as_bytes()))
    }

    pub(crate) fn sealing(&self, seqno: Seqno) -> Option<&SealingKey> {
        Some(&self.epoch(seqno)?.sealing)
    }

    fn epoch(&self, seqno: Seqno) -> Option<&Epoch> {
        self.epochs.iter().rev().find(|epoch| epoch.first <= seqno)
    }
}

impl Epoch {
    fn new(first: Seqno, secret: &Secret) -> Result<Self, crypto::Error> {
        let root = MacKey::new(secret.expose());
        let derived =
            |label| -> Result<_, crypto::Error> { Ok(MacKey::new(Secret::from_slice(&root.mac(label))?.expose())) };
        let (evidence, snapshots) = (derived(EVIDENCE_LABEL)?, derived(SNAPSHOT_LABEL)?);
        Ok(Self { first, sealing: SealingKey::new(secret)?, evidence, snapshots })
    }

    fn commit_evidence(&self, txid: TxId) -> String {
        let id = txid.to_string();
        let nonce = self.evidence.mac(id.as_bytes());
        let mut text = String::with_capacity(3 + id.len() + 1 + 64);
        text.push_str("ce:");
        text.push_str(&id);
        text.push(':');
        text.push_str(&Digest(nonce).to_string());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_holds_from_its_first_seqno_on() {
        let (one, two) = (Secret::from_slice(&[1; 32]).unwrap(), Secret::from_slice(&[2; 32]).unwrap());
        let mut keys = LedgerKeys::new(&one).unwrap();
        let before = keys.commit_evidence(TxId::new(2, 10)).unwrap();
        keys.add(Seqno(10), &two).unwrap();
        assert_ne!(keys.commit_evidence(TxId::new(2, 10)).unwrap(), before);
        assert!(keys.commit_evidence(TxId::new(2, 9)).unwrap().starts_with("ce:2.9:"));
        assert!(keys.commit_evidence(TxId::new(2, 0)).is_none());
        assert_eq!(before.len(), 3 + 4 + 1 + 64);
    }
}
