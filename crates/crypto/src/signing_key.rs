//! Private keys that members made with tools of their own, on any of the three curves that requests are signed on.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair as _,
};

use crate::foreign_key::{Curve, ForeignKey, Hash};
use crate::{Error, pem};

const MALFORMED: Error =
    Error::Malformed("private key (EC on P-256, P-384 or P-521, in PKCS#8 or SEC 1, not encrypted)");

/// A private key on one of the NIST curves, with its public key.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    curve: Curve,
    public: ForeignKey,
}

impl SigningKey {
    /// Reads a key in PEM armour: PKCS#8, or SEC 1 as `openssl ecparam -genkey` writes it, curve parameters before it.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        for label in ["PRIVATE KEY", "EC PRIVATE KEY"] {
            if let Some(start) = text.find(&format!("-----BEGIN {label}-----")) {
                return Self::from_der(&pem::decode(label, &text[start..])?);
            }
        }
        Err(MALFORMED)
    }

    fn from_der(der: &[u8]) -> Result<Self, Error> {
        let read = |curve| EcdsaKeyPair::from_private_key_der(algorithm(curve), der).ok().map(|pair| (curve, pair));
        let (curve, pair) = [Curve::P384, Curve::P256, Curve::P521].into_iter().find_map(read).ok_or(MALFORMED)?;
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| MALFORMED)?;
        let public = ForeignKey::from_spki_der(spki.as_ref())?;
        Ok(Self { pair, curve, public })
    }

    #[must_use]
    pub fn curve(&self) -> Curve {
        self.curve
    }

    #[must_use]
    pub fn public(&self) -> &ForeignKey {
        &self.public
    }

    /// The digest that goes with the curve.
    #[must_use]
    pub fn hash(&self) -> Hash {
        match self.curve {
            Curve::P256 => Hash::Sha256,
            Curve::P384 => Hash::Sha384,
            Curve::P521 => Hash::Sha512,
        }
    }

    /// Signs the digest of the message that goes with the curve; `r ‖ s`, as COSE wants it.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = self.pair.sign(&SystemRandom::new(), message).map_err(|_| Error::Provider("sign"))?;
        Ok(signature.as_ref().to_vec())
    }
}

fn algorithm(curve: Curve) -> &'static EcdsaSigningAlgorithm {
    match curve {
        Curve::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
        Curve::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        Curve::P521 => &ECDSA_P521_SHA512_FIXED_SIGNING,
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::EcPrivateKeyRfc5915Der;

    use super::*;
    use crate::KeyPair;
    use crate::foreign_key::Scheme;

    fn check(text: &str, curve: Curve) {
        let key = SigningKey::from_pem(text).unwrap();
        assert_eq!(key.curve(), curve);
        let signature = key.sign(b"message").unwrap();
        assert_eq!(signature.len(), 2 * curve.bytes());
        key.public().verify(Scheme::EcdsaFixed(key.hash()), b"message", &signature).unwrap();
    }

    #[test]
    fn keys_are_read_on_every_curve_and_in_both_forms() {
        for curve in [Curve::P256, Curve::P384, Curve::P521] {
            let pair = EcdsaKeyPair::generate(algorithm(curve)).unwrap();
            check(&pem::encode("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref()), curve);
            let der: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().unwrap();
            let sec1 = pem::encode("EC PRIVATE KEY", der.as_ref());
            check(&sec1, curve);
            check(&format!("{}{sec1}", pem::encode("EC PARAMETERS", &[6, 5, 0x2b, 0x81, 4, 0, 0x22])), curve);
        }
        check(&KeyPair::generate().unwrap().to_pkcs8_pem().unwrap(), Curve::P384);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let whole = KeyPair::generate().unwrap().to_pkcs8_pem().unwrap().to_string();
        let encrypted = whole.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        for bad in ["", "text", &encrypted, &pem::encode("PRIVATE KEY", b"none"), &whole[..whole.len() - 40]] {
            assert!(SigningKey::from_pem(bad).is_err());
        }
    }
}
