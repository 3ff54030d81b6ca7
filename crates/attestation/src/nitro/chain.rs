//! From the pinned root down to the leaf, in the order given.

use super::Root;
use super::document::Document;
use crate::formats::signature::Scheme;
use crate::formats::x509::Certificate;
use crate::{Code, Refusal, limits};

/// The leaf, vouched for.
pub(super) fn verify<'a>(document: &Document<'a>, root: &Root, now: u64) -> Result<Certificate<'a>, Refusal> {
    let authorities = &document.cabundle;
    if authorities.len() >= limits::CHAIN_CERTIFICATES {
        return Err(Refusal::new(Code::OversizedLength, "too many certificates"));
    }
    match authorities.iter().position(|der| *der == root.0) {
        Some(0) => {}
        Some(place) => return Err(Refusal::new(Code::ChainOrder, format!("the root stands in place {place}"))),
        None if authorities.is_empty() => return Err(Refusal::new(Code::ChainIncomplete, "no authority")),
        None => return Err(Refusal::new(Code::NitroRoot, "the first authority is not the pinned root")),
    }
    let mut chain =
        authorities.iter().map(|der| Certificate::parse(der)).collect::<Result<Vec<Certificate<'_>>, _>>()?;
    chain.push(Certificate::parse(document.certificate)?);
    for (place, pair) in chain.windows(2).enumerate() {
        let [issuer, subject] = pair else { continue };
        link(issuer, subject, &chain)?;
        if !issuer.may_certify() {
            let text = format!("\"{}\" is no authority", issuer.common_name());
            return Err(Refusal::new(Code::ChainOrder, text));
        }
        let below = authorities.len() - 1 - place;
        let path = issuer.authority().1.and_then(|path| usize::try_from(path).ok());
        if path.is_some_and(|path| path < below) {
            let text = format!("{below} authorities stand below \"{}\"", issuer.common_name());
            return Err(Refusal::new(Code::NitroPathLength, text));
        }
    }
    for certificate in &chain {
        certificate.valid_at(now)?;
    }
    let leaf = chain.pop().ok_or_else(|| Refusal::new(Code::ChainIncomplete, "no leaf"))?;
    if leaf.authority().0 {
        return Err(Refusal::new(Code::NitroLeafIsCa, format!("\"{}\"", leaf.common_name())));
    }
    Ok(leaf)
}

fn link(issuer: &Certificate<'_>, subject: &Certificate<'_>, all: &[Certificate<'_>]) -> Result<(), Refusal> {
    if subject.issuer() != issuer.subject() {
        let elsewhere = all.iter().any(|other| other.subject() == subject.issuer());
        let code = if elsewhere { Code::ChainOrder } else { Code::ChainIncomplete };
        let text = format!("\"{}\" does not issue \"{}\"", issuer.common_name(), subject.common_name());
        return Err(Refusal::new(code, text));
    }
    if subject.scheme() != Some(Scheme::EcdsaSha384Der) {
        return Err(Refusal::new(Code::WrongAlgorithm, format!("certificate \"{}\"", subject.common_name())));
    }
    if !subject.is_signed_by(&issuer.key()?, Scheme::EcdsaSha384Der) {
        return Err(Refusal::new(Code::BadSignature, format!("certificate \"{}\"", subject.common_name())));
    }
    Ok(())
}
