//! From a pinned root to the key that signs reports.

use super::vek::Extensions;
use super::{Endorsements, Product, Report, Roots, SigningKey};
use crate::formats::signature::{PublicKey, Scheme};
use crate::formats::x509::{Certificate, RevocationList};
use crate::{Code, Refusal, limits};

/// The only scheme that AMD's authorities sign with.
const SCHEME: Scheme = Scheme::PssSha384;

/// A key that a pinned root vouches for, and what its certificate says about it.
pub(super) struct Vek<'a> {
    pub(super) key: PublicKey<'a>,
    pub(super) product: Product,
    pub(super) crl_checked: bool,
    extensions: Extensions<'a>,
}

pub(super) fn verify<'a>(
    endorsements: &'a Endorsements,
    roots: &'a Roots,
    product: Option<Product>,
    now: u64,
) -> Result<Vek<'a>, Refusal> {
    if endorsements.chain.len() > limits::CHAIN_CERTIFICATES {
        return Err(Refusal::new(Code::OversizedLength, "too many certificates"));
    }
    let chain = endorsements.chain.iter().map(|der| Certificate::parse(der)).collect::<Result<Vec<_>, Refusal>>()?;
    let arks = roots.parsed()?;
    let (leaf, issuer, root) = in_order(&chain, &arks)?;
    let (ark_product, ark) = arks
        .iter()
        .find(|(_, ark)| ark.subject() == issuer.issuer())
        .ok_or_else(|| Refusal::new(Code::OtherRoot, "the issuing key's issuer has no pinned root's name"))?;
    if root.is_some_and(|root| root.spki() != ark.spki()) {
        return Err(Refusal::new(Code::OtherRoot, format!("\"{}\" with another key", ark.common_name())));
    }
    if let Some(other) = [leaf, issuer].into_iter().find(|certificate| certificate.scheme() != Some(SCHEME)) {
        return Err(Refusal::new(Code::SnpPss, format!("certificate \"{}\"", other.common_name())));
    }
    for (certificate, signer) in [(issuer, ark), (leaf, issuer)] {
        if !certificate.is_signed_by(&signer.key()?, SCHEME) {
            let text = format!("\"{}\" is not signed by \"{}\"", certificate.common_name(), signer.common_name());
            return Err(Refusal::new(Code::BadSignature, text));
        }
    }
    for certificate in [leaf, issuer, ark] {
        certificate.valid_at(now)?;
    }
    let crl_checked = revocation(endorsements, leaf, issuer, ark, now)?;
    let extensions = Extensions::of(leaf)?;
    let leaf_product = extensions.product()?;
    if product.is_some_and(|product| product != leaf_product) {
        return Err(Refusal::new(Code::OtherProduct, format!("the certificate is of {}", leaf_product.name())));
    }
    let issues_vleks = issuer.common_name().starts_with("SEV-VLEK-");
    if *ark_product != leaf_product || issues_vleks != (extensions.signing_key() == SigningKey::Vlek) {
        let text = format!("\"{}\" issued a key of {}", issuer.common_name(), leaf_product.name());
        return Err(Refusal::new(Code::SnpAsk, text));
    }
    Ok(Vek { key: leaf.key()?, product: leaf_product, crl_checked, extensions })
}

/// Leaf, issuer and root by their places, or what is wrong with the places: one order is accepted.
type Places<'c, 'a> = (&'c Certificate<'a>, &'c Certificate<'a>, Option<&'c Certificate<'a>>);

fn in_order<'c, 'a>(
    chain: &'c [Certificate<'a>],
    arks: &[(Product, Certificate<'_>)],
) -> Result<Places<'c, 'a>, Refusal> {
    let issued = |one: &Certificate<'_>, by: &Certificate<'_>| !one.is_self_issued() && one.issuer() == by.subject();
    match chain {
        [leaf, issuer] if issued(leaf, issuer) && !issuer.is_self_issued() => return Ok((leaf, issuer, None)),
        [leaf, issuer, root] if issued(leaf, issuer) && issued(issuer, root) => {
            return Ok((leaf, issuer, Some(root)));
        }
        _ => {}
    }
    let is_pinned = |name: &[u8]| arks.iter().any(|(_, ark)| ark.subject() == name);
    let complete = chain.iter().any(|leaf| {
        chain.iter().any(|issuer| issued(leaf, issuer) && !issuer.is_self_issued() && is_pinned(issuer.issuer()))
    });
    let names = chain.iter().map(Certificate::common_name).collect::<Vec<_>>().join(", ");
    let has_root = chain.iter().any(Certificate::is_self_issued);
    Err(match chain.len() {
        _ if complete => Refusal::new(Code::ChainOrder, names),
        0 | 1 => Refusal::new(Code::ChainIncomplete, names),
        2 if has_root => Refusal::new(Code::ChainIncomplete, names),
        2 | 3 => Refusal::new(Code::OtherProduct, format!("the issuer is not that of the leaf: {names}")),
        _ => Refusal::new(Code::ChainOrder, names),
    })
}

/// Whether the root's own list was among those given; each given one counts.
fn revocation(
    endorsements: &Endorsements,
    leaf: &Certificate<'_>,
    issuer: &Certificate<'_>,
    ark: &Certificate<'_>,
    now: u64,
) -> Result<bool, Refusal> {
    if endorsements.crls.len() > limits::CHAIN_CERTIFICATES {
        return Err(Refusal::new(Code::OversizedLength, "too many revocation lists"));
    }
    let mut checked = false;
    for der in &endorsements.crls {
        let list = RevocationList::parse(der)?;
        let (signer, subject, code) = if list.issuer() == ark.subject() {
            checked = true;
            (ark, issuer, Code::IntermediateRevoked)
        } else if list.issuer() == issuer.subject() {
            (issuer, leaf, Code::LeafRevoked)
        } else {
            return Err(Refusal::new(Code::CrlOfOther, "a revocation list of neither ARK nor ASK"));
        };
        if !list.is_signed_by(&signer.key()?, SCHEME) {
            return Err(Refusal::new(Code::BadSignature, "a revocation list"));
        }
        list.valid_at(now)?;
        if list.names(subject.serial()) {
            return Err(Refusal::new(code, format!("certificate \"{}\"", subject.common_name())));
        }
    }
    Ok(checked)
}

impl Vek<'_> {
    pub(super) fn signing_key(&self) -> SigningKey {
        self.extensions.signing_key()
    }

    /// The report is of the chip and at the TCB that this key was made for.
    pub(super) fn certifies(&self, report: &Report<'_>) -> Result<(), Refusal> {
        let certified = self.extensions.tcb(self.product)?;
        let reported = report.reported_tcb().parts(self.product);
        for ((part, certified), (_, reported)) in certified.named().zip(reported.named()) {
            if certified != reported {
                let text = format!("{part} {reported} reported, {certified} certified");
                return Err(Refusal::new(Code::SnpTcbMismatch, text));
            }
        }
        let expected = self.extensions.chip_id(self.product)?;
        if report.chip_id() != expected {
            return Err(Refusal::new(Code::SnpHwid, format!("the key is for {}", const_hex::encode(expected))));
        }
        Ok(())
    }
}
