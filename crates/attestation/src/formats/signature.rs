//! Public keys of strangers and the signature schemes that vendors use, verified by the one provider.

use aws_lc_rs::signature::{
    self, ParsedPublicKey, RsaParameters, RsaPssSaltLength, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_PKCS1_RSAENCRYPTION};
use x509_parser::x509::SubjectPublicKeyInfo;

/// How a signature was made. The salt of RSA-PSS is as long as the hash, the hash of its mask is the same one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scheme {
    /// r and s in DER, as certificates have them.
    EcdsaSha256Der,
    EcdsaSha384Der,
    /// r and s side by side, as COSE has them.
    EcdsaSha256,
    EcdsaSha384,
    PssSha256,
    PssSha384,
    Pkcs1Sha256,
    Pkcs1Sha384,
    Pkcs1Sha512,
}

/// A key that may be good or bad: verification says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PublicKey<'a> {
    /// An uncompressed point.
    P256(&'a [u8]),
    P384(&'a [u8]),
    /// PKCS#1 `RSAPublicKey`.
    Rsa(&'a [u8]),
    /// Modulus and exponent, big-endian, as JSON web keys have them.
    RsaParts {
        n: &'a [u8],
        e: &'a [u8],
    },
}

impl<'a> PublicKey<'a> {
    /// The key of a certificate, if it is of a kind that any vendor of ours uses.
    pub(crate) fn of(spki: &SubjectPublicKeyInfo<'a>) -> Option<Self> {
        let point: &'a [u8] = spki.raw.get(spki.raw.len().checked_sub(spki.subject_public_key.data.len())?..)?;
        let algorithm = &spki.algorithm;
        if algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
            let curve = algorithm.parameters.as_ref()?.as_oid().ok()?;
            if curve == OID_EC_P256 {
                return Some(PublicKey::P256(point));
            }
            return (curve == OID_NIST_EC_P384).then_some(PublicKey::P384(point));
        }
        (algorithm.algorithm == OID_PKCS1_RSAENCRYPTION).then_some(PublicKey::Rsa(point))
    }

    pub(crate) fn verifies(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        if let PublicKey::RsaParts { n, e } = *self {
            return rsa(scheme).is_some_and(|parameters| {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            });
        }
        let (algorithm, key): (&'static dyn VerificationAlgorithm, &[u8]) = match (*self, scheme) {
            (PublicKey::P256(key), Scheme::EcdsaSha256Der) => (&signature::ECDSA_P256_SHA256_ASN1, key),
            (PublicKey::P256(key), Scheme::EcdsaSha256) => (&signature::ECDSA_P256_SHA256_FIXED, key),
            (PublicKey::P384(key), Scheme::EcdsaSha384Der) => (&signature::ECDSA_P384_SHA384_ASN1, key),
            (PublicKey::P384(key), Scheme::EcdsaSha384) => (&signature::ECDSA_P384_SHA384_FIXED, key),
            (PublicKey::P384(key), Scheme::EcdsaSha256Der) => (&signature::ECDSA_P384_SHA256_ASN1, key),
            (PublicKey::Rsa(key), _) => match rsa(scheme) {
                Some(parameters) => (parameters, key),
                None => return false,
            },
            _ => return false,
        };
        UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
    }

    /// Whether this RSA key signed by RSA-PSS with SHA-256 and a salt of another length than the hash's: for a better word
    /// on why a signature is refused, never to accept one.
    pub(crate) fn signed_with_other_salt(&self, message: &[u8], signature: &[u8]) -> bool {
        let lengths = [RsaPssSaltLength::Max, RsaPssSaltLength::Custom(0), RsaPssSaltLength::Custom(20)];
        let PublicKey::RsaParts { n, e } = *self else { return false };
        lengths.into_iter().any(|length| {
            let parameters = signature::RSA_PSS_2048_8192_SHA256.with_pss_salt_length(length);
            RsaPublicKeyComponents { n, e }.verify(&parameters, message, signature).is_ok()
        })
    }

    /// Whether a point lies on its curve (uncompressed, not at infinity). An RSA key is taken as it is.
    pub(crate) fn is_on_curve(&self) -> bool {
        let (algorithm, key): (&'static dyn VerificationAlgorithm, &[u8]) = match *self {
            PublicKey::P256(key) => (&signature::ECDSA_P256_SHA256_FIXED, key),
            PublicKey::P384(key) => (&signature::ECDSA_P384_SHA384_FIXED, key),
            PublicKey::Rsa(_) | PublicKey::RsaParts { .. } => return true,
        };
        key.first() == Some(&4) && ParsedPublicKey::new(algorithm, key).is_ok()
    }
}

fn rsa(scheme: Scheme) -> Option<&'static RsaParameters> {
    match scheme {
        Scheme::PssSha256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Scheme::PssSha384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Scheme::Pkcs1Sha256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Scheme::Pkcs1Sha384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Scheme::Pkcs1Sha512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Scheme::EcdsaSha256Der | Scheme::EcdsaSha384Der | Scheme::EcdsaSha256 | Scheme::EcdsaSha384 => None,
    }
}
