//! Certificates and revocation lists of vendors: what the parser leaves to its caller.
//!
//! A certificate is used only after a pinned key vouched for it, so the reader need not love every byte; what it must get
//! right is which key signed which bytes by which scheme. Serial numbers may be zero (AMD's are).

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::{
    OID_NIST_HASH_SHA256, OID_NIST_HASH_SHA384, OID_PKCS1_RSASSAPSS, OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA,
    OID_PKCS1_SHA512WITHRSA, OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384, OID_X509_EXT_BASIC_CONSTRAINTS,
    OID_X509_EXT_EXTENDED_KEY_USAGE, OID_X509_EXT_KEY_USAGE, OID_X509_EXT_SUBJECT_ALT_NAME, Oid,
};
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::AlgorithmIdentifier;

use super::signature::{PublicKey, Scheme};
use crate::{Code, Refusal, limits};

/// More than a chain with its text has.
pub(crate) const PEM_BYTES: usize = 64 << 10;

/// The certificates of a text in PEM, in its order, DER.
pub(crate) fn of_pem(text: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
    if text.len() > PEM_BYTES {
        return Err(Refusal::new(Code::OversizedLength, format!("{} bytes of PEM", text.len())));
    }
    let mut chain = Vec::new();
    for pem in Pem::iter_from_buffer(text) {
        let pem = pem.map_err(|e| Refusal::new(Code::BadEncoding, format!("PEM: {e}")))?;
        if pem.label != "CERTIFICATE" {
            return Err(Refusal::new(Code::BadEncoding, format!("a {} among certificates", pem.label)));
        }
        if chain.len() == limits::CHAIN_CERTIFICATES {
            return Err(Refusal::new(Code::OversizedLength, "too many certificates"));
        }
        chain.push(pem.contents);
    }
    Ok(chain)
}

/// What may be critical: constraints and usages, which are looked at where they matter, and names, which are not relied on.
const UNDERSTOOD: [Oid<'static>; 4] = [
    OID_X509_EXT_BASIC_CONSTRAINTS,
    OID_X509_EXT_KEY_USAGE,
    OID_X509_EXT_EXTENDED_KEY_USAGE,
    OID_X509_EXT_SUBJECT_ALT_NAME,
];

/// A certificate that was read and that nobody vouched for yet.
pub(crate) struct Certificate<'a> {
    pub(crate) der: &'a [u8],
    parsed: X509Certificate<'a>,
}

impl<'a> Certificate<'a> {
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, Refusal> {
        Self::parse_within(der, limits::CERTIFICATE_BYTES)
    }

    /// A certificate that carries evidence is larger than others.
    pub(crate) fn parse_within(der: &'a [u8], bytes_max: usize) -> Result<Self, Refusal> {
        if der.len() > bytes_max {
            return Err(Refusal::new(Code::OversizedLength, "a certificate is too large"));
        }
        well_formed(der)?;
        let (rest, parsed) = X509Certificate::from_der(der)
            .map_err(|e| Refusal::new(Code::BadEncoding, format!("a certificate does not parse: {e}")))?;
        if !rest.is_empty() {
            return Err(not_der());
        }
        let critical = parsed.extensions().iter().filter(|extension| extension.critical);
        if let Some(unknown) = critical.map(|extension| &extension.oid).find(|oid| !UNDERSTOOD.contains(oid)) {
            let text = format!("a certificate has an extension that must be understood: {unknown}");
            return Err(Refusal::new(Code::BadEncoding, text));
        }
        Ok(Self { der, parsed })
    }

    pub(crate) fn subject(&self) -> &'a [u8] {
        self.parsed.tbs_certificate.subject.as_raw()
    }

    pub(crate) fn issuer(&self) -> &'a [u8] {
        self.parsed.tbs_certificate.issuer.as_raw()
    }

    pub(crate) fn is_self_issued(&self) -> bool {
        self.subject() == self.issuer()
    }

    pub(crate) fn common_name(&self) -> &str {
        self.parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok()).unwrap_or_default()
    }

    pub(crate) fn serial(&self) -> &'a [u8] {
        self.parsed.raw_serial()
    }

    /// SubjectPublicKeyInfo, DER.
    pub(crate) fn spki(&self) -> &'a [u8] {
        self.parsed.tbs_certificate.subject_pki.raw
    }

    pub(crate) fn key(&self) -> Result<PublicKey<'a>, Refusal> {
        PublicKey::of(&self.parsed.tbs_certificate.subject_pki)
            .ok_or_else(|| Refusal::new(Code::WrongAlgorithm, "a certificate's key is of an unknown type"))
    }

    /// The window, both ends within it: seconds since 1970.
    pub(crate) fn window(&self) -> (i64, i64) {
        (self.parsed.validity().not_before.timestamp(), self.parsed.validity().not_after.timestamp())
    }

    pub(crate) fn valid_at(&self, now: u64) -> Result<(), Refusal> {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let (from, to) = self.window();
        if now < from {
            return Err(Refusal::new(Code::NotYetValid, format!("certificate \"{}\"", self.common_name())));
        }
        if now > to {
            return Err(Refusal::new(Code::Expired, format!("certificate \"{}\"", self.common_name())));
        }
        Ok(())
    }

    /// The CA flag and how many further authorities may stand below.
    pub(crate) fn authority(&self) -> (bool, Option<u32>) {
        match self.parsed.basic_constraints() {
            Ok(Some(constraints)) => (constraints.value.ca, constraints.value.path_len_constraint),
            Ok(None) | Err(_) => (false, None),
        }
    }

    /// Whether it may issue others: the CA flag, and the usage of the key where one is stated.
    pub(crate) fn may_certify(&self) -> bool {
        let usage = match self.parsed.key_usage() {
            Ok(Some(usage)) => usage.value.key_cert_sign(),
            Ok(None) => true,
            Err(_) => false,
        };
        self.authority().0 && usage
    }

    /// The content of an extension that stands there once.
    pub(crate) fn extension(&self, oid: &Oid<'_>) -> Result<Option<&'a [u8]>, Refusal> {
        let mut found = self.parsed.tbs_certificate.extensions().iter().filter(|extension| extension.oid == *oid);
        let first = found.next().map(|extension| extension.value);
        if found.next().is_some() {
            return Err(Refusal::new(Code::BadEncoding, "a certificate has an extension twice"));
        }
        Ok(first)
    }

    pub(crate) fn has_key_purpose(&self, oid: &Oid<'_>) -> bool {
        self.parsed.tbs_certificate.extensions().iter().any(|extension| match extension.parsed_extension() {
            ParsedExtension::ExtendedKeyUsage(usage) => usage.other.contains(oid),
            _ => false,
        })
    }

    /// By which scheme this certificate is signed, if it is one of ours.
    pub(crate) fn scheme(&self) -> Option<Scheme> {
        let outer = &self.parsed.signature_algorithm;
        if *outer == self.parsed.tbs_certificate.signature { scheme_of(outer) } else { None }
    }

    /// Whether `key` signed this certificate by `scheme`.
    pub(crate) fn is_signed_by(&self, key: &PublicKey<'_>, scheme: Scheme) -> bool {
        self.scheme() == Some(scheme)
            && self.parsed.signature_value.unused_bits == 0
            && key.verifies(scheme, self.parsed.tbs_certificate.as_ref(), &self.parsed.signature_value.data)
    }
}

/// A revocation list that was read and that nobody vouched for yet.
pub(crate) struct RevocationList<'a> {
    parsed: CertificateRevocationList<'a>,
}

impl<'a> RevocationList<'a> {
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, Refusal> {
        if der.len() > limits::CRL_BYTES {
            return Err(Refusal::new(Code::OversizedLength, "a revocation list is too large"));
        }
        well_formed(der)?;
        let (rest, parsed) = CertificateRevocationList::from_der(der)
            .map_err(|e| Refusal::new(Code::BadEncoding, format!("a revocation list does not parse: {e}")))?;
        if !rest.is_empty() {
            return Err(not_der());
        }
        // Such a list may name only some of what its issuer revoked, or what others issued: vendors make none.
        let entries = parsed.iter_revoked_certificates().flat_map(|entry| entry.extensions());
        if parsed.extensions().iter().chain(entries).any(|extension| extension.critical) {
            return Err(Refusal::new(Code::BadEncoding, "a revocation list has an extension that must be understood"));
        }
        Ok(Self { parsed })
    }

    pub(crate) fn issuer(&self) -> &'a [u8] {
        self.parsed.tbs_cert_list.issuer.as_raw()
    }

    pub(crate) fn is_signed_by(&self, key: &PublicKey<'_>, scheme: Scheme) -> bool {
        let outer = &self.parsed.signature_algorithm;
        *outer == self.parsed.tbs_cert_list.signature
            && scheme_of(outer) == Some(scheme)
            && self.parsed.signature_value.unused_bits == 0
            && key.verifies(scheme, self.parsed.tbs_cert_list.as_ref(), &self.parsed.signature_value.data)
    }

    /// A list without an end is as good as none: refused as expired.
    pub(crate) fn valid_at(&self, now: u64) -> Result<(), Refusal> {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        if now < self.parsed.last_update().timestamp() {
            return Err(Refusal::new(Code::CrlFromFuture, "a revocation list was made after the given time"));
        }
        match self.parsed.next_update() {
            Some(end) if now <= end.timestamp() => Ok(()),
            _ => Err(Refusal::new(Code::CrlExpired, "a revocation list is past its next update")),
        }
    }

    pub(crate) fn names(&self, serial: &[u8]) -> bool {
        self.parsed.iter_revoked_certificates().any(|revoked| significant(revoked.raw_serial()) == significant(serial))
    }
}

/// One element in DER's form of lengths, each part filling its whole: the parser passes over what it cannot read in a name.
fn well_formed(der: &[u8]) -> Result<(), Refusal> {
    let (tag, content, rest) = element(der).ok_or_else(not_der)?;
    if !rest.is_empty() {
        return Err(Refusal::new(Code::TrailingBytes, "bytes follow a certificate or revocation list"));
    }
    if elements_fill(tag, content, 0) { Ok(()) } else { Err(not_der()) }
}

fn not_der() -> Refusal {
    Refusal::new(Code::BadEncoding, "a certificate or revocation list is not DER")
}

fn elements_fill(tag: u8, mut content: &[u8], depth: u32) -> bool {
    const CONSTRUCTED: u8 = 0x20;
    if tag & CONSTRUCTED == 0 {
        return true;
    }
    while !content.is_empty() {
        let Some((tag, part, rest)) = element(content) else { return false };
        if depth == DEPTH_MAX || !elements_fill(tag, part, depth + 1) {
            return false;
        }
        content = rest;
    }
    true
}

/// Tag, content and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, first, rest @ ..] = der else { return None };
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
            let is_shortest = length >= 0x80 && digits[0] != 0;
            (is_shortest.then_some(length)?, rest)
        }
        _ => return None,
    };
    let is_long_tag = tag & 0x1f == 0x1f;
    let (content, rest) = rest.split_at_checked(length)?;
    (!is_long_tag).then_some((*tag, content, rest))
}

/// Names in extensions of a certificate are the deepest that any has: about eight.
const DEPTH_MAX: u32 = 16;

/// A number without leading zeros.
fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

fn scheme_of(algorithm: &AlgorithmIdentifier<'_>) -> Option<Scheme> {
    let oid = &algorithm.algorithm;
    if *oid == OID_SIG_ECDSA_WITH_SHA384 {
        return Some(Scheme::EcdsaSha384Der);
    }
    if *oid == OID_SIG_ECDSA_WITH_SHA256 {
        return Some(Scheme::EcdsaSha256Der);
    }
    if *oid == OID_PKCS1_SHA256WITHRSA {
        return Some(Scheme::Pkcs1Sha256);
    }
    if *oid == OID_PKCS1_SHA384WITHRSA {
        return Some(Scheme::Pkcs1Sha384);
    }
    if *oid == OID_PKCS1_SHA512WITHRSA {
        return Some(Scheme::Pkcs1Sha512);
    }
    if *oid == OID_PKCS1_RSASSAPSS { pss(algorithm) } else { None }
}

/// Hash, hash of the mask and length of the salt must agree, as in each of the two schemes.
fn pss(algorithm: &AlgorithmIdentifier<'_>) -> Option<Scheme> {
    let parameters = RsaSsaPssParams::try_from(algorithm.parameters.as_ref()?).ok()?;
    let mask = parameters.mask_gen_algorithm().ok()?;
    let hash = parameters.hash_algorithm_oid();
    if mask.mgf != OID_MGF1 || mask.hash != *hash || parameters.trailer_field() != 1 {
        return None;
    }
    match parameters.salt_length() {
        32 if *hash == OID_NIST_HASH_SHA256 => Some(Scheme::PssSha256),
        48 if *hash == OID_NIST_HASH_SHA384 => Some(Scheme::PssSha384),
        _ => None,
    }
}

const OID_MGF1: Oid<'static> = x509_parser::der_parser::oid!(1.2.840.113549.1.1.8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_der_is_well_formed() {
        let code = |der: &[u8]| well_formed(der).err().map(|refusal| refusal.code);
        assert_eq!(code(&[0x30, 3, 2, 1, 5]), None);
        assert_eq!(code(&[0x30, 3, 2, 1, 5, 0]), Some(Code::TrailingBytes));
        for other in [
            &[][..],
            &[0x30],
            &[0x30, 4, 2, 1, 5],
            &[0x30, 3, 2, 2, 5],
            &[0x30, 0x81, 3, 2, 1, 5],
            &[0x30, 0x80, 2, 1, 5, 0, 0],
            &[0x3f, 3, 2, 1, 5],
            &[0x30, 0x84, 0, 0, 0, 3, 2, 1, 5],
        ] {
            assert_eq!(code(other), Some(Code::BadEncoding), "{other:?}");
        }
        assert_eq!(code(&[0x30, 0x80].repeat(4000)), Some(Code::BadEncoding));
    }
}
