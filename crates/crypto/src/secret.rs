//! Secrets of 32 bytes, and how small secrets are stored.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use zeroize::{Zeroize, Zeroizing};

use crate::Error;
use crate::seal::{IV_BYTES, SealingKey, TAG_BYTES};

/// Fills an array from the provider's generator.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::Provider("draw random bytes"))?;
    Ok(bytes)
}

/// 32 secret bytes. They stay in one place on the heap, are wiped when dropped, and are never printed.
pub struct Secret(Box<[u8; 32]>);

impl Secret {
    /// A new secret.
    pub fn random() -> Result<Self, Error> {
        let mut secret = Self(Box::new([0; 32]));
        SystemRandom::new().fill(secret.0.as_mut()).map_err(|_| Error::Provider("draw random bytes"))?;
        Ok(secret)
    }

    /// A secret that came from elsewhere: a peer, a sealed file, shares.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Error> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| Error::Malformed("secret of 32 bytes"))?;
        Ok(Self(Box::new(bytes)))
    }

    /// The bytes. A caller that copies them wipes the copy.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Clone for Secret {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Seals a small secret under a key with a random IV: `tag ‖ IV ‖ ciphertext`, no public part.
pub fn wrap(key: &Secret, secret: &[u8]) -> Result<Vec<u8>, Error> {
    let iv = random::<IV_BYTES>()?;
    let mut blob = vec![0; TAG_BYTES + IV_BYTES];
    blob[TAG_BYTES..].copy_from_slice(&iv);
    blob.extend_from_slice(secret);
    let tag = SealingKey::new(key)?.seal(iv, &[], &mut blob[TAG_BYTES + IV_BYTES..])?;
    blob[..TAG_BYTES].copy_from_slice(&tag);
    Ok(blob)
}

/// Opens what [`wrap`] made.
pub fn unwrap(key: &Secret, blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (tag, rest) = blob.split_first_chunk::<TAG_BYTES>().ok_or(Error::Sealed)?;
    let (iv, ciphertext) = rest.split_first_chunk::<IV_BYTES>().ok_or(Error::Sealed)?;
    let mut secret = Zeroizing::new(vec![0; ciphertext.len()]);
    SealingKey::new(key)?.open(*iv, &[], ciphertext, tag, &mut secret)?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_secret_opens_only_whole_and_under_its_key() {
        let (key, other, secret) = (Secret::random().unwrap(), Secret::random().unwrap(), Secret::random().unwrap());
        let blob = wrap(&key, secret.expose()).unwrap();
        assert_eq!(blob.len(), 60);
        assert_eq!(unwrap(&key, &blob).unwrap().as_slice(), secret.expose());
        assert!(unwrap(&other, &blob).is_err());
        for bit in 0..blob.len() * 8 {
            let mut bad = blob.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(unwrap(&key, &bad).is_err(), "bit {bit}");
        }
        for len in 0..blob.len() {
            assert!(unwrap(&key, &blob[..len]).is_err());
        }
    }
}
