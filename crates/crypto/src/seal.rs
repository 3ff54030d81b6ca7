//! AES-256-GCM. The caller owns the IV, and with it the promise that one key never sees an IV twice.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::{Error, Secret};

/// Bytes of an authentication tag.
pub const TAG_BYTES: usize = 16;

/// Bytes of an initialisation vector.
pub const IV_BYTES: usize = 12;

/// An expanded AES-256 key, for many messages.
pub struct SealingKey(LessSafeKey);

impl SealingKey {
    pub fn new(secret: &Secret) -> Result<Self, Error> {
        let key = UnboundKey::new(&AES_256_GCM, secret.expose()).map_err(|_| Error::Provider("expand an AES key"))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Encrypts in place and gives the tag over both parts.
    pub fn seal(&self, iv: [u8; IV_BYTES], public: &[u8], private: &mut [u8]) -> Result<[u8; TAG_BYTES], Error> {
        let tag = self
            .0
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(iv), Aad::from(public), private)
            .map_err(|_| Error::Provider("seal"))?;
        tag.as_ref().try_into().map_err(|_| Error::Provider("seal"))
    }

    /// Decrypts into `out`, which must be as long as the ciphertext. On failure `out` holds nothing of use.
    pub fn open(
        &self,
        iv: [u8; IV_BYTES],
        public: &[u8],
        ciphertext: &[u8],
        tag: &[u8; TAG_BYTES],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.0
            .open_separate_gather(Nonce::assume_unique_for_key(iv), Aad::from(public), ciphertext, tag, out)
            .map_err(|_| Error::Sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_gcm_specification_test_case_14() {
        let key = SealingKey::new(&Secret::from_slice(&[0; 32]).unwrap()).unwrap();
        let mut text = [0; 16];
        let tag = key.seal([0; 12], &[], &mut text).unwrap();
        assert_eq!(const_hex::encode(text), "cea7403d4d606b6e074ec5d3baf39d18");
        assert_eq!(const_hex::encode(tag), "d0d1c8a799996bf0265b98b5d48ab919");
    }

    #[test]
    fn a_changed_public_part_is_noticed() {
        let key = SealingKey::new(&Secret::random().unwrap()).unwrap();
        let mut text = *b"private";
        let tag = key.seal([7; 12], b"public", &mut text).unwrap();
        let mut out = [0; 7];
        key.open([7; 12], b"public", &text, &tag, &mut out).unwrap();
        assert_eq!(&out, b"private");
        assert_eq!(key.open([7; 12], b"Public", &text, &tag, &mut out), Err(Error::Sealed));
        assert_eq!(key.open([8; 12], b"public", &text, &tag, &mut out), Err(Error::Sealed));
    }
}
