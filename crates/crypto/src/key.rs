//! Keys of the service, of nodes and of members: ECDSA on P-384.

use aws_lc_rs::digest as lc_digest;
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey, UnparsedPublicKey,
};
use base::{Digest, NodeId};
use zeroize::Zeroizing;

use crate::{Error, pem, sha256};

/// Bytes of a signature as `r ‖ s`.
pub(crate) const FIXED_SIGNATURE_BYTES: usize = 96;

/// A private key with its public key.
pub struct KeyPair {
    /// Gives `r ‖ s`, for COSE.
    fixed: EcdsaKeyPair,
    /// The same key; gives DER, for X.509 and for signatures of a digest.
    der: EcdsaKeyPair,
    public: PublicKey,
}

impl KeyPair {
    /// A new key.
    pub fn generate() -> Result<Self, Error> {
        let key = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING)
            .map_err(|_| Error::Provider("generate a P-384 key"))?;
        let pkcs8 = key.to_pkcs8v1().map_err(|_| Error::Provider("encode a private key"))?;
        Self::from_pkcs8_der(pkcs8.as_ref())
    }

    /// Reads PKCS#8 (DER).
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, Error> {
        let read = |algorithm| {
            EcdsaKeyPair::from_pkcs8(algorithm, der).map_err(|_| Error::Malformed("P-384 private key (PKCS#8)"))
        };
        let fixed = read(&ECDSA_P384_SHA384_FIXED_SIGNING)?;
        let public = PublicKey::from_bytes(fixed.public_key().as_ref())?;
        Ok(Self { fixed, der: read(&ECDSA_P384_SHA384_ASN1_SIGNING)?, public })
    }

    /// Reads PKCS#8 in PEM armour.
    pub fn from_pkcs8_pem(text: &str) -> Result<Self, Error> {
        Self::from_pkcs8_der(&pem::decode("PRIVATE KEY", text)?)
    }

    /// The private key as PKCS#8 (DER). For the TLS stack, or to be sealed.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let document = self.fixed.to_pkcs8v1().map_err(|_| Error::Provider("encode a private key"))?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// The private key as PKCS#8 in PEM armour, for a member's key file.
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, Error> {
        Ok(Zeroizing::new(pem::encode("PRIVATE KEY", &self.to_pkcs8_der()?)))
    }

    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs SHA-384 of the message; `r ‖ s`, 96 bytes.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; FIXED_SIGNATURE_BYTES], Error> {
        let signature = self.fixed.sign(&SystemRandom::new(), message).map_err(|_| Error::Provider("sign"))?;
        signature.as_ref().try_into().map_err(|_| Error::Provider("sign"))
    }

    /// Signs SHA-384 of the message; DER.
    pub(crate) fn sign_der(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = self.der.sign(&SystemRandom::new(), message).map_err(|_| Error::Provider("sign"))?;
        Ok(signature.as_ref().to_vec())
    }

    /// Signs a SHA-256 digest as it stands, without hashing it again; DER.
    ///
    /// ECDSA takes the leftmost 384 bits of a digest as an integer, and a shorter digest as it is. So 32 bytes, and the same
    /// bytes behind 16 zeros, are one message to it; the longer form passes for SHA-384, which the provider asks for on this
    /// curve when it signs (but not when it verifies).
    pub fn sign_digest(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        let mut padded = [0; 48];
        padded[16..].copy_from_slice(&digest.0);
        let message = lc_digest::Digest::import_less_safe(&padded, &lc_digest::SHA384)
            .map_err(|_| Error::Provider("take a digest"))?;
        let signature = self.der.sign_digest(&message).map_err(|_| Error::Provider("sign a digest"))?;
        Ok(signature.as_ref().to_vec())
    }
}

/// A public key, ready to verify many signatures.
pub struct PublicKey {
    fixed: ParsedPublicKey,
    digest: ParsedPublicKey,
    spki: Vec<u8>,
    fingerprint: Digest,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo (DER).
    pub fn from_spki_der(der: &[u8]) -> Result<Self, Error> {
        let key = Self::from_bytes(der)?;
        // A bare point is accepted by the provider too, and so may be other encodings of one key: the fingerprint wants one.
        if key.spki == der { Ok(key) } else { Err(Error::Malformed("P-384 public key (SubjectPublicKeyInfo)")) }
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let malformed = Error::Malformed("P-384 public key");
        let fixed = ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, bytes).map_err(|_| malformed)?;
        let digest = ParsedPublicKey::new(&ECDSA_P384_SHA256_ASN1, bytes).map_err(|_| malformed)?;
        let spki: PublicKeyX509Der<'_> = fixed.as_der().map_err(|_| malformed)?;
        let spki = spki.as_ref().to_vec();
        let fingerprint = sha256(&spki);
        Ok(Self { fixed, digest, spki, fingerprint })
    }

    /// SubjectPublicKeyInfo (DER).
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// SubjectPublicKeyInfo in PEM armour.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode("PUBLIC KEY", &self.spki)
    }

    /// The point, uncompressed: the last 97 bytes of the SubjectPublicKeyInfo.
    pub(crate) fn point(&self) -> &[u8] {
        &self.spki[self.spki.len() - 97..]
    }

    /// SHA-256 of the SubjectPublicKeyInfo.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// The id of the node that holds this key.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        NodeId(self.fingerprint)
    }

    /// Verifies `r ‖ s` over SHA-384 of the message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.fixed.verify_sig(message, signature).map_err(|_| Error::Signature)
    }

    /// Verifies DER over a SHA-256 digest as it stands.
    pub fn verify_digest(&self, digest: &Digest, signature: &[u8]) -> Result<(), Error> {
        let message = lc_digest::Digest::import_less_safe(&digest.0, &lc_digest::SHA256)
            .map_err(|_| Error::Provider("take a digest"))?;
        self.digest.verify_digest_sig(&message, signature).map_err(|_| Error::Signature)
    }

    /// Verifies DER over SHA-384 of the message.
    pub(crate) fn verify_der(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_ASN1, &self.spki)
            .verify(message, signature)
            .map_err(|_| Error::Signature)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for PublicKey {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_text_form() {
        let key = KeyPair::generate().unwrap();
        let again = KeyPair::from_pkcs8_pem(&key.to_pkcs8_pem().unwrap()).unwrap();
        assert_eq!(again.public().spki_der(), key.public().spki_der());
        again.public().verify(b"m", &key.sign(b"m").unwrap()).unwrap();
        assert!(PublicKey::from_spki_der(key.public().spki_der()).is_ok());
        assert!(PublicKey::from_spki_der(key.public().point()).is_err());
        assert_eq!(key.public().point()[0], 4);
    }

    #[test]
    fn a_digest_is_signed_as_it_stands() {
        let key = KeyPair::generate().unwrap();
        let root = sha256(b"root");
        let signature = key.sign_digest(&root).unwrap();
        key.public().verify_digest(&root, &signature).unwrap();
        // The same as signing the message whose SHA-256 it is: a second, independent road to the same check.
        UnparsedPublicKey::new(&ECDSA_P384_SHA256_ASN1, key.public().spki_der()).verify(b"root", &signature).unwrap();
        assert_eq!(key.public().verify_digest(&sha256(b"other"), &signature), Err(Error::Signature));
        assert_eq!(KeyPair::generate().unwrap().public().verify_digest(&root, &signature), Err(Error::Signature));
    }

    #[test]
    fn a_signature_belongs_to_its_message() {
        let key = KeyPair::generate().unwrap();
        let mut signature = key.sign(b"message").unwrap();
        key.public().verify(b"message", &signature).unwrap();
        assert_eq!(key.public().verify(b"massage", &signature), Err(Error::Signature));
        signature[95] ^= 1;
        assert_eq!(key.public().verify(b"message", &signature), Err(Error::Signature));
        assert_eq!(key.public().verify(b"message", &[]), Err(Error::Signature));
    }
}
