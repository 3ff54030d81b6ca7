//! Ledger secrets, and what is derived from them: the sealing key of an entry, its commit evidence, and the key of a
//! snapshot of the state.
//!
//! Each is in force from a seqno on until the next one's. Whoever shares a value sees at once what is added to it, so a node has
//! one for what is committed; what a primary only hopes for goes into a [`LedgerKeys::fork`].

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use base::{Digest, Seqno, TxId};
use crypto::{MacKey, SealingKey, Secret, sha256};

/// Never used for anything but commit evidence.
const EVIDENCE_LABEL: &[u8] = b"Commit S";
const SNAPSHOT_LABEL: &[u8] = b"coco state snapshot";

/// The ledger secrets, each in force from a seqno on until the next one's.
pub struct LedgerKeys {
    /// Ascending by `first`, never empty.
    epochs: ArcSwap<Epochs>,
}

type Epochs = Vec<Arc<Epoch>>;

/// The time in which one secret is in force.
pub(crate) struct Epoch {
    first: Seqno,
    secret: Secret,
    pub(crate) sealing: SealingKey,
    evidence: MacKey,
    snapshots: MacKey,
}

/// One of the epochs, as they are now.
pub(crate) struct InForce {
    epochs: Guard<Arc<Epochs>>,
    place: usize,
}

impl Deref for InForce {
    type Target = Epoch;

    fn deref(&self) -> &Epoch {
        &self.epochs[self.place]
    }
}

impl LedgerKeys {
    /// The first secret of a service, in force from the first entry on.
    pub fn new(secret: &Secret) -> Result<Self, crypto::Error> {
        let epochs = vec![Arc::new(Epoch::new(Seqno(1), secret)?)];
        Ok(Self { epochs: ArcSwap::from_pointee(epochs) })
    }

    /// What a node holds: ascending, the first one in force from the first entry on; else `None`.
    pub fn holding(held: &[(Seqno, Secret)]) -> Result<Option<Self>, crypto::Error> {
        let [(Seqno(1), first), later @ ..] = held else { return Ok(None) };
        let keys = Self::new(first)?;
        for (first, secret) in later {
            keys.add(*first, secret)?;
        }
        Ok(Some(keys))
    }

    /// A further secret, in force from `first` on; replaces those that would have begun at or after it.
    pub fn add(&self, first: Seqno, secret: &Secret) -> Result<(), crypto::Error> {
        let epoch = Arc::new(Epoch::new(first, secret)?);
        self.epochs.rcu(|epochs| {
            let before = epochs.iter().filter(|known| known.first < first).cloned();
            before.chain([epoch.clone()]).collect::<Epochs>()
        });
        Ok(())
    }

    /// The same secrets in a value of their own: what is added to one is not in the other.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { epochs: ArcSwap::new(self.epochs.load_full()) }
    }

    /// Takes over all that a fork has.
    pub fn adopt(&self, fork: &Self) {
        self.epochs.store(fork.epochs.load_full());
    }

    /// All secrets, each with the seqno that it is in force from; ascending.
    #[must_use]
    pub fn secrets(&self) -> Vec<(Seqno, Secret)> {
        self.epochs.load().iter().map(|epoch| (epoch.first, epoch.secret.clone())).collect()
    }

    /// The newest secret, and the seqno that it is in force from.
    #[must_use]
    pub fn newest(&self) -> (Seqno, Secret) {
        let epochs = self.epochs.load();
        let newest = epochs.last().expect("there is a first secret, and adding one only replaces those behind it");
        (newest.first, newest.secret.clone())
    }

    /// The seqno that the newest secret is in force from.
    #[must_use]
    pub fn newest_begins(&self) -> Seqno {
        self.epochs.load().last().map_or(Seqno(1), |newest| newest.first)
    }

    /// A key for what outlives secrets, from the first one, which whoever has any has.
    #[must_use]
    pub fn derived_from_first(&self, label: &[u8]) -> [u8; 32] {
        MacKey::new(self.epochs.load()[0].secret.expose()).mac(label)
    }

    /// Whether a secret is known that is in force from this very seqno on.
    #[must_use]
    pub fn begins_at(&self, first: Seqno) -> bool {
        self.epochs.load().binary_search_by_key(&first, |epoch| epoch.first).is_ok()
    }

    /// The text that proves, once revealed, that a transaction is committed. Not to be shown before it is.
    #[must_use]
    pub fn commit_evidence(&self, txid: TxId) -> Option<String> {
        Some(self.at(txid.seqno)?.commit_evidence(txid))
    }

    /// The key of one snapshot of the state as of `seqno`: of this one alone, if its header is unique.
    pub fn snapshot_key(&self, seqno: Seqno, header: &[u8]) -> Option<Result<SealingKey, crypto::Error>> {
        let secret = Secret::from_slice(&self.at(seqno)?.snapshots.mac(header));
        Some(secret.and_then(|secret| SealingKey::new(&secret)))
    }

    /// What is in force at a seqno.
    pub(crate) fn at(&self, seqno: Seqno) -> Option<InForce> {
        let epochs = self.epochs.load();
        let place = epochs.partition_point(|epoch| epoch.first <= seqno).checked_sub(1)?;
        Some(InForce { epochs, place })
    }
}

impl Epoch {
    fn new(first: Seqno, secret: &Secret) -> Result<Self, crypto::Error> {
        let root = MacKey::new(secret.expose());
        let derived =
            |label| -> Result<_, crypto::Error> { Ok(MacKey::new(Secret::from_slice(&root.mac(label))?.expose())) };
        let (evidence, snapshots) = (derived(EVIDENCE_LABEL)?, derived(SNAPSHOT_LABEL)?);
        Ok(Self { first, secret: secret.clone(), sealing: SealingKey::new(secret)?, evidence, snapshots })
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

    /// What the entry keeps of it.
    pub(crate) fn evidence_digest(&self, txid: TxId) -> Digest {
        sha256(self.commit_evidence(txid).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_holds_from_its_first_seqno_on() {
        let (one, two) = (Secret::from_slice(&[1; 32]).unwrap(), Secret::from_slice(&[2; 32]).unwrap());
        let keys = LedgerKeys::new(&one).unwrap();
        let before = keys.commit_evidence(TxId::new(2, 10)).unwrap();
        keys.add(Seqno(10), &two).unwrap();
        assert_ne!(keys.commit_evidence(TxId::new(2, 10)).unwrap(), before);
        assert!(keys.commit_evidence(TxId::new(2, 9)).unwrap().starts_with("ce:2.9:"));
        assert!(keys.commit_evidence(TxId::new(2, 0)).is_none());
        assert_eq!(before.len(), 3 + 4 + 1 + 64);
    }

    #[test]
    fn what_is_added_is_seen_by_all_who_share_the_value_and_by_no_fork() {
        let secret = |byte| Secret::from_slice(&[byte; 32]).unwrap();
        let shared = Arc::new(LedgerKeys::new(&secret(1)).unwrap());
        let fork = shared.fork();
        fork.add(Seqno(10), &secret(2)).unwrap();
        assert!(fork.begins_at(Seqno(10)) && !shared.begins_at(Seqno(10)));
        assert_eq!(shared.newest().0, Seqno(1));
        let reader = shared.clone();
        shared.adopt(&fork);
        assert_eq!(reader.newest().1.expose(), &[2; 32]);
        // One that never came to be is replaced by another.
        shared.add(Seqno(10), &secret(3)).unwrap();
        let all = reader.secrets();
        assert_eq!(
            all.iter().map(|(first, secret)| (first.0, secret.expose()[0])).collect::<Vec<_>>(),
            [(1, 1), (10, 3)]
        );
    }
}
