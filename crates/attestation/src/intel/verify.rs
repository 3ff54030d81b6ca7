//! Generic verification, as a numbered list.

use super::collateral::Collateral;
use super::document::{QeIdentity, Signed, TcbInfo};
use super::pck::Platform;
use super::quote::{Body, Quote};
use super::{chain, claims, opinion, pem, tcb};
use crate::formats::signature::PublicKey;
use crate::formats::x509::Certificate;
use crate::{Claims, Code, Refusal};

/// Verifies a quote with the collateral of its platform. `root` is the pinned root certificate, DER; [`super::ROOT`] in production.
///
/// What needs no trust comes first (the quote in itself), then who vouches for it, then dates, then what is vouched for:
/// so a quote that was tampered with is told apart from one of a stranger, and one that is merely old from both.
pub fn verify(evidence: &[u8], collateral: &Collateral, root: &[u8], now: u64) -> Result<Claims, Refusal> {
    // 1. Lengths, versions, vendor; nothing after the quote but zeros.
    let quote = Quote::parse(evidence)?;
    collateral.check_sizes()?;
    let root = Certificate::parse(root)?;

    // 2. The attestation key signed header and body, and the QE report names that key.
    check_signature(&quote)?;
    check_binding(&quote)?;

    // 3. PCK chain up to the pinned key, and the PCK signed the QE report.
    let ders = pck_chain(&quote, collateral)?;
    let pck = chain::parse(&ders)?;
    chain::check_pck(&pck, &root, now)?;
    check_qe_signature(&quote, &pck[0])?;
    let platform = Platform::of(&pck[0])?;

    // 4. TCB info and QE identity: signed by the TCB signer, of the right kind, within their windows.
    let info = tcb_info(collateral).tcb_info_under(&root, now)?;
    let identity = qe_identity(collateral).qe_identity_under(&root, now)?;
    check_kind(&quote.body, &info, &identity)?;

    // 5. Nothing in the chains is revoked, by lists of their own issuers that hold now.
    check_revocation(collateral, &pck, &root, now)?;

    // 6. The quoting enclave is the one that the QE identity describes.
    let qe = tcb::of_qe(&identity, &quote.qe_report)?;

    // 7. The TCB info is of this platform; its status, converged with the quoting enclave's and the TDX module's.
    check_platform(&info, &platform)?;
    let level = match &quote.body {
        Body::Sgx(_) => tcb::of_sgx(&info, &platform, &qe)?,
        Body::Tdx(td) => tcb::of_tdx(&info, &platform, td, &qe)?,
    };

    // 8. Attributes of a TD that no policy may allow.
    if let Body::Tdx(td) = &quote.body {
        td.check_attributes()?;
    }

    // 9. The second verifier says the same.
    opinion::check(&quote, collateral, &root, now, &level, &platform)?;

    let evaluation = info.tcb_evaluation_data_number.min(identity.tcb_evaluation_data_number);
    Ok(claims::of(&quote, &platform, &qe, &level, evaluation, now))
}

fn check_signature(quote: &Quote<'_>) -> Result<(), Refusal> {
    let point = [&[4], &quote.attestation_key[..]].concat();
    if chain::signed(quote.signed, &quote.signature, &PublicKey::P256(&point)) {
        return Ok(());
    }
    Err(Refusal::new(Code::BadSignature, "the attestation key did not sign this report"))
}

fn check_binding(quote: &Quote<'_>) -> Result<(), Refusal> {
    let digest = crypto::sha256(&[&quote.attestation_key, quote.qe_auth_data].concat());
    let (lower, upper) = quote.qe_report.report_data.split_at(32);
    if lower != digest.0 {
        return Err(Refusal::new(Code::QeReportData, format!("{} instead of {digest}", const_hex::encode(lower))));
    }
    if upper.iter().any(|byte| *byte != 0) {
        return Err(Refusal::new(Code::QeReportDataUpper, const_hex::encode(upper)));
    }
    Ok(())
}

/// The quote's own chain, or the collateral's if the quote has none.
fn pck_chain(quote: &Quote<'_>, collateral: &Collateral) -> Result<Vec<Vec<u8>>, Refusal> {
    let own = quote.chain.map(pem::certificates).transpose()?;
    let given = collateral.pck_certificate_chain.as_ref().map(|text| pem::certificates(text.as_bytes())).transpose()?;
    match (own, given) {
        (Some(own), Some(given)) if own != given => {
            Err(Refusal::new(Code::OtherPckChain, "both have a chain and they differ"))
        }
        (Some(chain), _) | (None, Some(chain)) => Ok(chain),
        (None, None) => {
            Err(Refusal::new(Code::ChainIncomplete, "neither the quote nor the collateral has the PCK certificate"))
        }
    }
}

fn check_qe_signature(quote: &Quote<'_>, pck: &Certificate<'_>) -> Result<(), Refusal> {
    if chain::signed(quote.qe_report_bytes, &quote.qe_signature, &pck.key()?) {
        return Ok(());
    }
    Err(Refusal::new(Code::BadSignature, "the PCK did not sign the quoting enclave's report"))
}

fn tcb_info(collateral: &Collateral) -> Signed<'_> {
    Signed {
        text: &collateral.tcb_info,
        signature: &collateral.tcb_info_signature.0,
        chain: &collateral.tcb_info_issuer_chain,
    }
}

fn qe_identity(collateral: &Collateral) -> Signed<'_> {
    Signed {
        text: &collateral.qe_identity,
        signature: &collateral.qe_identity_signature.0,
        chain: &collateral.qe_identity_issuer_chain,
    }
}

fn check_kind(body: &Body, info: &TcbInfo, identity: &QeIdentity) -> Result<(), Refusal> {
    let (info_id, identity_id, versions, code) = match body {
        Body::Sgx(_) => ("SGX", "QE", 2..=2, Code::TdxTcbForSgx),
        Body::Tdx(_) => ("TDX", "TD_QE", 2..=3, Code::SgxTcbForTd),
    };
    if info.id != info_id || identity.id != identity_id {
        return Err(Refusal::new(code, format!("TCB info of {:?}, QE identity of {:?}", info.id, identity.id)));
    }
    if !versions.contains(&identity.version) {
        return Err(Refusal::new(Code::WrongVersion, format!("QE identity of version {}", identity.version)));
    }
    Ok(())
}

fn check_platform(info: &TcbInfo, platform: &Platform) -> Result<(), Refusal> {
    let differ = |code, given: &[u8], own: &[u8]| {
        let text = format!("TCB info of {}, platform {}", const_hex::encode(given), const_hex::encode(own));
        Err(Refusal::new(code, text))
    };
    if info.fmspc != platform.fmspc {
        return differ(Code::OtherFmspc, &info.fmspc, &platform.fmspc);
    }
    if info.pce_id != platform.pceid {
        return differ(Code::OtherPceId, &info.pce_id, &platform.pceid);
    }
    Ok(())
}

/// The root's list names intermediates and signers; the PCK's own issuer lists PCK certificates.
fn check_revocation(
    collateral: &Collateral,
    pck: &[Certificate<'_>],
    root: &Certificate<'_>,
    now: u64,
) -> Result<(), Refusal> {
    let by_root = chain::revocations(&collateral.root_ca_crl.0, root, now)?;
    let by_issuer = chain::revocations(&collateral.pck_crl.0, &pck[1], now)?;
    let signers = [tcb_info(collateral).signer_serial()?, qe_identity(collateral).signer_serial()?];
    if by_root.names(pck[1].serial()) || signers.iter().any(|serial| by_root.names(serial)) {
        return Err(Refusal::new(Code::IntermediateRevoked, "named by the root's list"));
    }
    if by_issuer.names(pck[0].serial()) {
        return Err(Refusal::new(Code::LeafRevoked, format!("named by the list of {:?}", pck[1].common_name())));
    }
    Ok(())
}
