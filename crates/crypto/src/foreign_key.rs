//! Public keys of others: those in members' certificates, and those that a constitution converts and verifies with.
//!
//! A key here only verifies. It is kept as its SubjectPublicKeyInfo and as the numbers that a JSON Web Key is made of; both
//! say the same, because a key is accepted only in the one encoding that is made from its numbers again.

use aws_lc_rs::digest as lc_digest;
use aws_lc_rs::signature::{self as lc, ParsedPublicKey, VerificationAlgorithm};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey as Read;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::{Error, der, pem};

/// The SHA-2 digests that signatures of others use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &lc_digest::SHA256,
            Self::Sha384 => &lc_digest::SHA384,
            Self::Sha512 => &lc_digest::SHA512,
        };
        lc_digest::digest(algorithm, bytes).as_ref().to_vec()
    }
}

/// How a signature was made and encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// As in X.509: a DER sequence of two integers.
    Ecdsa(Hash),
    /// As in COSE and Web Crypto: `r ‖ s`, both as long as the curve's order.
    EcdsaFixed(Hash),
    RsaPkcs1(Hash),
    RsaPss(Hash),
    Ed25519,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    /// Bytes of a coordinate, and of half a signature.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    fn oid(self) -> &'static [u8] {
        match self {
            Self::P256 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
            Self::P384 => &[0x2b, 0x81, 0x04, 0x00, 0x22],
            Self::P521 => &[0x2b, 0x81, 0x04, 0x00, 0x23],
        }
    }

    fn of(oid: &[u8]) -> Option<Self> {
        [Self::P256, Self::P384, Self::P521].into_iter().find(|curve| curve.oid() == oid)
    }
}

/// The numbers of a key, big-endian, as a JSON Web Key has them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Numbers {
    /// Without leading zeros.
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// As long as the curve says.
    Ec {
        curve: Curve,
        x: Vec<u8>,
        y: Vec<u8>,
    },
    Ed25519 {
        x: Vec<u8>,
    },
}

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// 8,192 bits: verifying with a larger key takes more time than anybody is granted.
const RSA_BYTES_MAX: usize = 1_024;

const MALFORMED: Error = Error::Malformed("public key (RSA, EC on P-256, P-384 or P-521, or Ed25519)");

/// A public key of somebody else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForeignKey {
    spki: Vec<u8>,
    numbers: Numbers,
}

impl ForeignKey {
    /// Reads a SubjectPublicKeyInfo (DER).
    pub fn from_spki_der(bytes: &[u8]) -> Result<Self, Error> {
        let Ok(([], spki)) = SubjectPublicKeyInfo::from_der(bytes) else { return Err(MALFORMED) };
        let numbers = match spki.parsed().map_err(|_| MALFORMED)? {
            Read::RSA(key) => Numbers::Rsa {
                modulus: der::trimmed(key.modulus).to_vec(),
                exponent: der::trimmed(key.exponent).to_vec(),
            },
            Read::EC(point) => {
                let curve = spki.algorithm.parameters.as_ref().and_then(|oid| oid.as_oid().ok()).ok_or(MALFORMED)?;
                let curve = Curve::of(curve.as_bytes()).ok_or(MALFORMED)?;
                let coordinates = point.data().strip_prefix(&[4]).ok_or(MALFORMED)?;
                let (x, y) = coordinates.split_at_checked(curve.bytes()).ok_or(MALFORMED)?;
                Numbers::Ec { curve, x: x.to_vec(), y: y.to_vec() }
            }
            Read::Unknown(x) if spki.algorithm.algorithm.as_bytes() == ED25519 => Numbers::Ed25519 { x: x.to_vec() },
            _ => return Err(MALFORMED),
        };
        let key = Self::from_numbers(numbers)?;
        if key.spki == bytes { Ok(key) } else { Err(MALFORMED) }
    }

    /// Reads a public key in PEM armour.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        Self::from_spki_der(&pem::decode("PUBLIC KEY", text)?)
    }

    /// Makes a key out of its numbers. They must be those of a key: a point on the curve, an odd modulus.
    pub fn from_numbers(numbers: Numbers) -> Result<Self, Error> {
        let (algorithm, key, check): (Vec<u8>, Vec<u8>, &'static dyn VerificationAlgorithm) = match &numbers {
            Numbers::Rsa { modulus, exponent } => {
                let plain = |number: &[u8]| !number.is_empty() && der::trimmed(number).len() == number.len();
                if !plain(modulus) || !plain(exponent) || modulus.len() > RSA_BYTES_MAX {
                    return Err(MALFORMED);
                }
                let algorithm = [der::tlv(der::OID, RSA_ENCRYPTION), der::tlv(der::NULL, &[])].concat();
                let key = der::tlv(der::SEQUENCE, &[der::unsigned(modulus), der::unsigned(exponent)].concat());
                (algorithm, key, &lc::RSA_PKCS1_2048_8192_SHA256)
            }
            Numbers::Ec { curve, x, y } => {
                if x.len() != curve.bytes() || y.len() != curve.bytes() {
                    return Err(MALFORMED);
                }
                let algorithm = [der::tlv(der::OID, EC_PUBLIC_KEY), der::tlv(der::OID, curve.oid())].concat();
                (algorithm, [&[4], &x[..], &y[..]].concat(), ecdsa(*curve, Hash::Sha256))
            }
            Numbers::Ed25519 { x } => {
                if x.len() != 32 {
                    return Err(MALFORMED);
                }
                (der::tlv(der::OID, ED25519), x.clone(), &lc::ED25519)
            }
        };
        let bits = der::tlv(der::BIT_STRING, &[&[0], &key[..]].concat());
        let spki = der::tlv(der::SEQUENCE, &[der::tlv(der::SEQUENCE, &algorithm), bits].concat());
        ParsedPublicKey::new(check, &spki).map_err(|_| MALFORMED)?;
        Ok(Self { spki, numbers })
    }

    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode("PUBLIC KEY", &self.spki)
    }

    #[must_use]
    pub fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// The curve, of a key on one of the NIST curves.
    #[must_use]
    pub fn curve(&self) -> Option<Curve> {
        match self.numbers {
            Numbers::Ec { curve, .. } => Some(curve),
            _ => None,
        }
    }

    /// Verifies a signature. A scheme that is not one of this key's is a signature that does not verify.
    pub fn verify(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let fixed;
        let (algorithm, signature): (&'static dyn VerificationAlgorithm, &[u8]) = match (scheme, self.curve()) {
            (Scheme::Ecdsa(hash), Some(curve)) => (ecdsa(curve, hash), signature),
            (Scheme::EcdsaFixed(hash), Some(curve)) => {
                fixed = fixed_to_der(curve, signature).ok_or(Error::Signature)?;
                (ecdsa(curve, hash), &fixed)
            }
            (Scheme::RsaPkcs1(hash), None) => (rsa_pkcs1(hash), signature),
            (Scheme::RsaPss(hash), None) => (rsa_pss(hash), signature),
            (Scheme::Ed25519, None) => (&lc::ED25519, signature),
            _ => return Err(Error::Signature),
        };
        lc::UnparsedPublicKey::new(algorithm, &self.spki).verify(message, signature).map_err(|_| Error::Signature)
    }
}

fn fixed_to_der(curve: Curve, signature: &[u8]) -> Option<Vec<u8>> {
    if signature.len() != 2 * curve.bytes() {
        return None;
    }
    let (r, s) = signature.split_at(curve.bytes());
    Some(der::tlv(der::SEQUENCE, &[der::unsigned(r), der::unsigned(s)].concat()))
}

fn ecdsa(curve: Curve, hash: Hash) -> &'static dyn VerificationAlgorithm {
    match (curve, hash) {
        (Curve::P256, Hash::Sha256) => &lc::ECDSA_P256_SHA256_ASN1,
        (Curve::P256, Hash::Sha384) => &lc::ECDSA_P256_SHA384_ASN1,
        (Curve::P256, Hash::Sha512) => &lc::ECDSA_P256_SHA512_ASN1,
        (Curve::P384, Hash::Sha256) => &lc::ECDSA_P384_SHA256_ASN1,
        (Curve::P384, Hash::Sha384) => &lc::ECDSA_P384_SHA384_ASN1,
        (Curve::P384, Hash::Sha512) => &lc::ECDSA_P384_SHA512_ASN1,
        (Curve::P521, Hash::Sha256) => &lc::ECDSA_P521_SHA256_ASN1,
        (Curve::P521, Hash::Sha384) => &lc::ECDSA_P521_SHA384_ASN1,
        (Curve::P521, Hash::Sha512) => &lc::ECDSA_P521_SHA512_ASN1,
    }
}

fn rsa_pkcs1(hash: Hash) -> &'static dyn VerificationAlgorithm {
    match hash {
        Hash::Sha256 => &lc::RSA_PKCS1_2048_8192_SHA256,
        Hash::Sha384 => &lc::RSA_PKCS1_2048_8192_SHA384,
        Hash::Sha512 => &lc::RSA_PKCS1_2048_8192_SHA512,
    }
}

fn rsa_pss(hash: Hash) -> &'static dyn VerificationAlgorithm {
    match hash {
        Hash::Sha256 => &lc::RSA_PSS_2048_8192_SHA256,
        Hash::Sha384 => &lc::RSA_PSS_2048_8192_SHA384,
        Hash::Sha512 => &lc::RSA_PSS_2048_8192_SHA512,
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA384, RsaKeyPair,
    };

    use super::*;
    use crate::KeyPair;

    fn check(key: &ForeignKey, scheme: Scheme, signature: &[u8]) {
        key.verify(scheme, b"message", signature).unwrap();
        assert_eq!(key.verify(scheme, b"massage", signature), Err(Error::Signature));
        let mut other = signature.to_vec();
        other[7] ^= 1;
        assert_eq!(key.verify(scheme, b"message", &other), Err(Error::Signature));
        assert_eq!(key.verify(scheme, b"message", &signature[1..]), Err(Error::Signature));
        assert!(ForeignKey::from_pem(&key.to_pem()).unwrap() == *key);
        assert!(ForeignKey::from_numbers(key.numbers().clone()).unwrap() == *key);
    }

    #[test]
    fn keys_on_every_curve_verify_in_both_encodings() {
        let random = SystemRandom::new();
        let fixed = |algorithm: &'static EcdsaSigningAlgorithm, hash: Hash| {
            let pair = EcdsaKeyPair::generate(algorithm).unwrap();
            let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
            let key = ForeignKey::from_spki_der(spki.as_ref()).unwrap();
            check(&key, Scheme::EcdsaFixed(hash), pair.sign(&random, b"message").unwrap().as_ref());
        };
        fixed(&ECDSA_P256_SHA256_FIXED_SIGNING, Hash::Sha256);
        fixed(&ECDSA_P521_SHA512_FIXED_SIGNING, Hash::Sha512);
        let pair = KeyPair::generate().unwrap();
        let key = ForeignKey::from_spki_der(pair.public().spki_der()).unwrap();
        check(&key, Scheme::EcdsaFixed(Hash::Sha384), &pair.sign(b"message").unwrap());
        check(&key, Scheme::Ecdsa(Hash::Sha384), &pair.sign_der(b"message").unwrap());
        let signature = pair.sign(b"message").unwrap();
        assert!(key.verify(Scheme::RsaPss(Hash::Sha256), b"message", &signature).is_err());
    }

    #[test]
    fn keys_of_other_kinds_verify_too() {
        let random = SystemRandom::new();
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let key = ForeignKey::from_spki_der(spki.as_ref()).unwrap();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &random, b"message", &mut signature).unwrap();
        check(&key, Scheme::RsaPkcs1(Hash::Sha256), &signature);
        pair.sign(&RSA_PSS_SHA384, &random, b"message", &mut signature).unwrap();
        check(&key, Scheme::RsaPss(Hash::Sha384), &signature);
        let pair = Ed25519KeyPair::generate().unwrap();
        let key = ForeignKey::from_numbers(Numbers::Ed25519 { x: pair.public_key().as_ref().to_vec() }).unwrap();
        check(&key, Scheme::Ed25519, pair.sign(b"message").as_ref());
    }

    #[test]
    fn numbers_that_are_no_key_are_refused() {
        let point = Numbers::Ec { curve: Curve::P256, x: vec![1; 32], y: vec![1; 32] };
        let short = Numbers::Ec { curve: Curve::P384, x: vec![1; 32], y: vec![1; 32] };
        let padded = Numbers::Rsa { modulus: vec![0, 1, 2], exponent: vec![3] };
        let huge = Numbers::Rsa { modulus: vec![0xff; RSA_BYTES_MAX + 1], exponent: vec![1, 0, 1] };
        for numbers in [point, short, padded, huge, Numbers::Ed25519 { x: vec![0; 31] }] {
            assert_eq!(ForeignKey::from_numbers(numbers), Err(MALFORMED));
        }
        let spki = KeyPair::generate().unwrap().public().spki_der().to_vec();
        for cut in 0..spki.len() {
            assert!(ForeignKey::from_spki_der(&spki[..cut]).is_err());
        }
    }
}
