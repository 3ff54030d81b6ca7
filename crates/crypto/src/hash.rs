//! SHA-256 and HMAC-SHA-256.

use aws_lc_rs::{digest, hmac};
use base::Digest;

/// SHA-256 of one slice.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    to_digest(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// SHA-256 of two digests in a row: an inner node of the ledger's tree.
#[must_use]
pub fn sha256_pair(left: &Digest, right: &Digest) -> Digest {
    let mut both = [0; 64];
    both[..32].copy_from_slice(&left.0);
    both[32..].copy_from_slice(&right.0);
    sha256(&both)
}

/// SHA-256 of what comes in pieces.
pub struct Sha256(digest::Context);

impl Sha256 {
    #[must_use]
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    #[must_use]
    pub fn finish(self) -> Digest {
        to_digest(self.0.finish().as_ref())
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

/// A key of HMAC-SHA-256.
pub struct MacKey(hmac::Key);

impl MacKey {
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    #[must_use]
    pub fn mac(&self, message: &[u8]) -> [u8; 32] {
        to_digest(hmac::sign(&self.0, message).as_ref()).0
    }
}

fn to_digest(bytes: &[u8]) -> Digest {
    Digest(bytes.try_into().expect("SHA-256 gives 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_match_the_published_vectors() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".parse().unwrap();
        assert_eq!(sha256(b"abc"), abc);
        let mut pieces = Sha256::new();
        pieces.update(b"a");
        pieces.update(b"bc");
        assert_eq!(pieces.finish(), abc);
        assert_eq!(sha256_pair(&abc, &abc), sha256(&[abc.0, abc.0].concat()));
    }

    #[test]
    fn mac_matches_rfc_4231() {
        let mac = MacKey::new(b"Jefe").mac(b"what do ya want for nothing?");
        assert_eq!(Digest(mac).to_string(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
