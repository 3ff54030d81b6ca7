//! Whose TPMs are believed.

use x509_parser::der_parser::oid;
use x509_parser::oid_registry::Oid;

use crate::formats::x509::Certificate;
use crate::{Code, Refusal, limits};

/// Only such a key signs quotes of PCRs and nothing that its user chose: `tcg-kp-AIKCertificate`.
const AK_PURPOSE: Oid<'static> = oid!(2.23.133.8.3);

/// Authorities that certify attestation keys of TPMs: certificates, DER. Every maker has its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Anchors(pub Vec<Vec<u8>>);

impl Anchors {
    /// The leaf of a chain up to one of these; leaf first, the root may be left out.
    pub(super) fn attestation_key<'a>(&self, chain: &'a [Vec<u8>], now: u64) -> Result<Certificate<'a>, Refusal> {
        if chain.len() > limits::CHAIN_CERTIFICATES {
            return Err(Refusal::new(Code::OversizedLength, "too many certificates"));
        }
        let mut certificates =
            chain.iter().map(|der| Certificate::parse(der)).collect::<Result<Vec<Certificate<'_>>, _>>()?;
        let last = certificates.last().ok_or_else(|| Refusal::new(Code::ChainIncomplete, "no chain of the AK"))?;
        let roots = self.0.iter().map(|der| Certificate::parse(der)).collect::<Result<Vec<_>, _>>()?;
        let named = |name: &[u8]| roots.iter().find(|root| root.subject() == name);
        let root = if last.is_self_issued() {
            named(last.subject()).filter(|root| root.spki() == last.spki())
        } else {
            named(last.issuer())
        };
        let root = root.ok_or_else(|| Refusal::new(Code::OtherRoot, format!("\"{}\"", last.common_name())))?;
        let issuers = certificates.iter().skip(1).chain([root]);
        for (subject, issuer) in certificates.iter().filter(|subject| !subject.is_self_issued()).zip(issuers) {
            link(subject, issuer)?;
        }
        for certificate in certificates.iter().chain([root]) {
            certificate.valid_at(now)?;
        }
        let leaf = certificates.swap_remove(0);
        if !leaf.has_key_purpose(&AK_PURPOSE) || leaf.authority().0 {
            let text = format!("\"{}\" does not certify an attestation key", leaf.common_name());
            return Err(Refusal::new(Code::OtherProduct, text));
        }
        Ok(leaf)
    }
}

fn link(subject: &Certificate<'_>, issuer: &Certificate<'_>) -> Result<(), Refusal> {
    if subject.issuer() != issuer.subject() || !issuer.may_certify() {
        let text = format!("\"{}\" does not issue \"{}\"", issuer.common_name(), subject.common_name());
        return Err(Refusal::new(Code::ChainOrder, text));
    }
    let scheme = subject.scheme();
    let scheme = scheme.ok_or_else(|| Refusal::new(Code::WrongAlgorithm, format!("\"{}\"", subject.common_name())))?;
    if !subject.is_signed_by(&issuer.key()?, scheme) {
        return Err(Refusal::new(Code::BadSignature, format!("certificate \"{}\"", subject.common_name())));
    }
    Ok(())
}
