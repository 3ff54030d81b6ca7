//! Certificates of others, one or many in a PEM text: members' own, an organisation's with its intermediates, an issuer's.
//!
//! Nothing here reads a clock: whether a certificate is valid today is for whoever knows what today is.

use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::AlgorithmIdentifier;

use crate::foreign_key::{ForeignKey, Hash, Scheme};
use crate::{Error, pem};

/// More certificates than any chain or any set of roots has.
pub const BUNDLE_MAX: usize = 64;

const LABEL: &str = "CERTIFICATE";
const MALFORMED: Error = Error::Malformed("X.509 certificate");
const RSA_SIGNATURES: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
const ECDSA_SIGNATURES: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// A certificate that was parsed, with a key of any kind that [`ForeignKey`] knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForeignCertificate {
    der: Vec<u8>,
    key: ForeignKey,
}

impl ForeignCertificate {
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let key = ForeignKey::from_spki_der(parse(der)?.public_key().raw)?;
        Ok(Self { der: der.to_vec(), key })
    }

    /// Reads a PEM text with one certificate.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        Self::from_der(&pem::decode(LABEL, text)?)
    }

    /// Reads a PEM text with one certificate or more, and nothing between them but white space.
    pub fn bundle(text: &str) -> Result<Vec<Self>, Error> {
        let end = format!("-----END {LABEL}-----");
        let mut found = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let length = rest.find(&end).ok_or(Error::Malformed("PEM text"))? + end.len();
            if found.len() == BUNDLE_MAX {
                return Err(Error::Malformed("bundle of at most 64 certificates"));
            }
            found.push(Self::from_pem(&rest[..length])?);
            rest = rest[length..].trim_start();
        }
        if found.is_empty() { Err(MALFORMED) } else { Ok(found) }
    }

    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode(LABEL, &self.der)
    }

    #[must_use]
    pub fn key(&self) -> &ForeignKey {
        &self.key
    }

    /// Who it is of, as it says: `CN=Ann, O=Acme`.
    #[must_use]
    pub fn subject(&self) -> String {
        parse(&self.der).map(|certificate| certificate.subject().to_string()).unwrap_or_default()
    }

    /// Whether it may issue others and vouches for itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.is_authority() && self.check_issued_by(self).is_ok()
    }

    /// Whether it may issue others.
    #[must_use]
    pub fn is_authority(&self) -> bool {
        parse(&self.der).is_ok_and(|certificate| certificate.is_ca())
    }

    /// Checks that `issuer` is named as the issuer and signed this. Says nothing about dates, or whether it may issue.
    pub fn check_issued_by(&self, issuer: &Self) -> Result<(), Error> {
        let (certificate, above) = (parse(&self.der)?, parse(&issuer.der)?);
        let scheme = scheme(&certificate.signature_algorithm).ok_or(Error::Signature)?;
        let inner_is_outer = certificate.signature_algorithm == certificate.tbs_certificate.signature;
        if !inner_is_outer || certificate.issuer().as_raw() != above.subject().as_raw() {
            return Err(Error::Signature);
        }
        issuer.key.verify(scheme, certificate.tbs_certificate.as_ref(), &certificate.signature_value.data)
    }
}

pub(crate) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, Error> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(MALFORMED),
    }
}

/// How a certificate is signed, if in a way that is accepted.
pub(crate) fn scheme(algorithm: &AlgorithmIdentifier<'_>) -> Option<Scheme> {
    let oid = algorithm.algorithm.as_bytes();
    if oid == ED25519 {
        return Some(Scheme::Ed25519);
    }
    let (last, family) = oid.split_last()?;
    match (family, last) {
        (RSA_SIGNATURES, 10) => pss(algorithm).map(Scheme::RsaPss),
        (RSA_SIGNATURES, 11) => Some(Scheme::RsaPkcs1(Hash::Sha256)),
        (RSA_SIGNATURES, 12) => Some(Scheme::RsaPkcs1(Hash::Sha384)),
        (RSA_SIGNATURES, 13) => Some(Scheme::RsaPkcs1(Hash::Sha512)),
        (ECDSA_SIGNATURES, 2) => Some(Scheme::Ecdsa(Hash::Sha256)),
        (ECDSA_SIGNATURES, 3) => Some(Scheme::Ecdsa(Hash::Sha384)),
        (ECDSA_SIGNATURES, 4) => Some(Scheme::Ecdsa(Hash::Sha512)),
        _ => None,
    }
}

/// The digest of RSASSA-PSS where it is the same throughout, and the salt as long as it: what RFC 4055 recommends and tools write.
fn pss(algorithm: &AlgorithmIdentifier<'_>) -> Option<Hash> {
    let params = RsaSsaPssParams::try_from(algorithm.parameters.as_ref()?).ok()?;
    let (hash, bytes) = match params.hash_algorithm_oid().as_bytes() {
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01] => (Hash::Sha256, 32),
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02] => (Hash::Sha384, 48),
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03] => (Hash::Sha512, 64),
        _ => return None,
    };
    let mask = params.mask_gen_algorithm().ok()?;
    let same = mask.hash.as_bytes() == params.hash_algorithm_oid().as_bytes() && params.salt_length() == bytes;
    same.then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyPair;
    use crate::certificate::{Validity, member, node, service};

    const YEAR: Validity = Validity { from: 1_767_225_600, until: 1_798_761_600 };

    #[test]
    fn a_root_vouches_for_itself() {
        let (root_key, node_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let root = service(&root_key, "root", YEAR).unwrap();
        let leaf = node(node_key.public(), &root_key, &root, &[], YEAR).unwrap();
        let read = |certificate: &crate::Certificate| ForeignCertificate::from_pem(&certificate.to_pem()).unwrap();
        let (root, leaf) = (read(&root), read(&leaf));
        assert!(root.is_root() && !leaf.is_root() && !read(&member(&root_key, "m", YEAR).unwrap()).is_root());
        leaf.check_issued_by(&root).unwrap();
        assert_eq!(root.check_issued_by(&leaf), Err(Error::Signature));
        assert_eq!(ForeignCertificate::from_pem(&leaf.to_pem()), Ok(leaf));
    }

    #[test]
    fn a_bundle_is_certificates_and_nothing_else() {
        let key = KeyPair::generate().unwrap();
        let pem = service(&key, "root", YEAR).unwrap().to_pem();
        assert_eq!(ForeignCertificate::bundle(&format!("\n{pem}{pem}\n")).unwrap().len(), 2);
        assert_eq!(ForeignCertificate::bundle(&format!("{}{}", pem.trim(), pem.trim())).unwrap().len(), 2);
        for bad in [String::new(), format!("{pem}x"), pem.replace("END", "ENDE"), pem.repeat(BUNDLE_MAX + 1)] {
            assert!(ForeignCertificate::bundle(&bad).is_err());
        }
    }
}
