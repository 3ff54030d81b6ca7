//! Intel's certificates: a leaf, perhaps an intermediate authority, and the root whose key is pinned.
//!
//! The root that stands in a chain counts by its key, and the window is that of the pinned certificate. So an older
//! certificate of the same root is fine, and a self-made root of the same name is not.

use crate::formats::signature::{PublicKey, Scheme};
use crate::formats::x509::{Certificate, RevocationList};
use crate::{Code, Refusal};

pub(super) const PCK: &str = "Intel SGX PCK Certificate";
pub(super) const TCB_SIGNER: &str = "Intel SGX TCB Signing";
pub(super) const PLATFORM_CA: &str = "Intel SGX PCK Platform CA";
const PROCESSOR_CA: &str = "Intel SGX PCK Processor CA";
const ROOT: &str = "Intel SGX Root CA";

pub(super) fn parse(ders: &[Vec<u8>]) -> Result<Vec<Certificate<'_>>, Refusal> {
    ders.iter().map(|der| Certificate::parse(der)).collect()
}

/// Leaf, intermediate authority and root, in this order, down from the pinned key; all within their windows.
pub(super) fn check_pck(chain: &[Certificate<'_>], root: &Certificate<'_>, now: u64) -> Result<(), Refusal> {
    check(chain, root, now, PCK, 3)?;
    let name = chain[1].common_name();
    if name != PLATFORM_CA && name != PROCESSOR_CA {
        return Err(Refusal::new(Code::TcbSignerAsPck, format!("{name:?} issued the PCK certificate")));
    }
    Ok(())
}

/// The signer of Intel's documents is issued by the root directly.
pub(super) fn check_tcb_signer(chain: &[Certificate<'_>], root: &Certificate<'_>, now: u64) -> Result<(), Refusal> {
    check(chain, root, now, TCB_SIGNER, 2)
}

fn check(
    chain: &[Certificate<'_>],
    root: &Certificate<'_>,
    now: u64,
    leaf: &str,
    length: usize,
) -> Result<(), Refusal> {
    ordered(chain, leaf, length)?;
    same_root(&chain[length - 1], root)?;
    let issuers = chain[1..chain.len() - 1].iter().chain([root]);
    for (below, (certificate, issuer)) in (0..).zip(chain.iter().zip(issuers)) {
        link(certificate, issuer, below)?;
    }
    chain[..chain.len() - 1].iter().chain([root]).try_for_each(|certificate| certificate.valid_at(now))
}

/// It may be another certificate of the pinned key, and then that key must have signed it: no byte of a chain is left open.
fn same_root(top: &Certificate<'_>, root: &Certificate<'_>) -> Result<(), Refusal> {
    if top.der == root.der {
        return Ok(());
    }
    if top.spki() != root.spki() {
        return Err(Refusal::new(Code::OtherRoot, "the chain's root has another key than the pinned one"));
    }
    if !top.is_signed_by(&root.key()?, Scheme::EcdsaSha256Der) {
        return Err(Refusal::new(Code::BadSignature, "the chain's root is not signed by its key"));
    }
    Ok(())
}

/// Names and number, before any signature is looked at.
fn ordered(chain: &[Certificate<'_>], leaf: &str, length: usize) -> Result<(), Refusal> {
    let names = || chain.iter().map(Certificate::common_name).collect::<Vec<_>>().join(", ");
    let linked = chain.windows(2).all(|pair| pair[0].issuer() == pair[1].subject());
    if !linked && (0..chain.len()).any(|start| walk(chain, start) == chain.len()) {
        return Err(Refusal::new(Code::ChainOrder, names()));
    }
    let Some(first) = chain.first() else {
        return Err(Refusal::new(Code::ChainIncomplete, "there is no certificate"));
    };
    if first.common_name() != leaf {
        let known = [PCK, TCB_SIGNER, PLATFORM_CA, PROCESSOR_CA, ROOT].contains(&first.common_name());
        let code = if known { Code::TcbSignerAsPck } else { Code::OtherProduct };
        return Err(Refusal::new(code, format!("{:?} where {leaf:?} belongs", first.common_name())));
    }
    if !linked || chain.len() != length || !chain[length - 1].is_self_issued() {
        return Err(Refusal::new(Code::ChainIncomplete, names()));
    }
    Ok(())
}

/// How many certificates follow from `start` by issuer to a root. A circle of names ends with the count of certificates.
fn walk(chain: &[Certificate<'_>], start: usize) -> usize {
    let mut seen = vec![start];
    let mut at = start;
    while !chain[at].is_self_issued() {
        let issuer = chain.iter().position(|other| other.subject() == chain[at].issuer());
        match issuer {
            Some(next) if !seen.contains(&next) => seen.push(next),
            _ => return 0,
        }
        at = seen[seen.len() - 1];
    }
    seen.len()
}

/// `below` authorities stand under the issuer.
fn link(certificate: &Certificate<'_>, issuer: &Certificate<'_>, below: u32) -> Result<(), Refusal> {
    let wrong = |text: &str| {
        let text = format!("{:?} under {:?} {text}", certificate.common_name(), issuer.common_name());
        Err(Refusal::new(Code::TcbSignerAsPck, text))
    };
    if certificate.authority().0 != (below > 0) {
        return wrong("is an authority where none belongs, or none where one does");
    }
    let (authority, path) = issuer.authority();
    if !authority || path.is_some_and(|path| path < below) {
        return wrong("may not be issued by it");
    }
    if !certificate.is_signed_by(&issuer.key()?, Scheme::EcdsaSha256Der) {
        let text = format!("{:?} is not signed by {:?}", certificate.common_name(), issuer.common_name());
        return Err(Refusal::new(Code::BadSignature, text));
    }
    Ok(())
}

/// A revocation list of this issuer that holds at `now`.
pub(super) fn revocations<'a>(
    der: &'a [u8],
    issuer: &Certificate<'_>,
    now: u64,
) -> Result<RevocationList<'a>, Refusal> {
    let name = issuer.common_name();
    if der.is_empty() {
        return Err(Refusal::new(Code::CrlMissing, format!("that of {name:?}")));
    }
    let list = RevocationList::parse(der)?;
    if list.issuer() != issuer.subject() {
        return Err(Refusal::new(Code::CrlOfOther, format!("it is not that of {name:?}")));
    }
    if !list.is_signed_by(&issuer.key()?, Scheme::EcdsaSha256Der) {
        return Err(Refusal::new(Code::BadSignature, format!("the list of {name:?} is not signed by it")));
    }
    list.valid_at(now)?;
    Ok(list)
}

/// r ‖ s by a certificate's key.
pub(super) fn signed(message: &[u8], signature: &[u8], key: &PublicKey<'_>) -> bool {
    key.verifies(Scheme::EcdsaSha256, message, signature)
}
