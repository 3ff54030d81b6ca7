//! The second verifier: `dcap-qvl`, with this project's provider for its arithmetic.
//!
//! It decides nothing by itself. It gets what the first one accepted and must come to the same status, advisories, platform
//! and report; its errors are text for people, never matched.

use std::collections::BTreeSet;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use dcap_qvl::QuoteCollateralV3;
use dcap_qvl::config::{Config, CryptoProvider};
use dcap_qvl::quote::Report;
use dcap_qvl::verify::{QuoteVerifier, VerifiedReport};
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};

use super::collateral::Collateral;
use super::pck::Platform;
use super::quote::{Body, Quote};
use super::tcb::Reached;
use crate::formats::x509::Certificate;
use crate::{Code, Refusal};

pub(super) fn check(
    quote: &Quote<'_>,
    collateral: &Collateral,
    root: &Certificate<'_>,
    now: u64,
    level: &Reached,
    platform: &Platform,
) -> Result<(), Refusal> {
    let verifier = QuoteVerifier::<Ours>::new_with_config(root.der.to_vec()).allow_debug(true);
    let differ = |text: String| Refusal::new(Code::SecondOpinion, text);
    let second = verifier.verify(quote.bytes, &given(collateral, quote), now).map_err(|e| differ(format!("{e:#}")))?;
    if second.status != level.status.to_string() {
        return Err(differ(format!("status {} here, {} there", level.status, second.status)));
    }
    if advisories(&level.advisories) != advisories(&second.advisory_ids) {
        return Err(differ(format!("advisories {:?} here, {:?} there", level.advisories, second.advisory_ids)));
    }
    if second.ppid != platform.ppid || !same_report(&quote.body, &second) {
        return Err(differ("it read another platform or report".to_owned()));
    }
    Ok(())
}

fn advisories(list: &[String]) -> BTreeSet<&str> {
    list.iter().map(String::as_str).collect()
}

/// It prefers a chain in the collateral, so it gets one only where the quote has none.
fn given(collateral: &Collateral, quote: &Quote<'_>) -> QuoteCollateralV3 {
    QuoteCollateralV3 {
        pck_crl_issuer_chain: collateral.pck_crl_issuer_chain.clone(),
        root_ca_crl: collateral.root_ca_crl.0.clone(),
        pck_crl: collateral.pck_crl.0.clone(),
        tcb_info_issuer_chain: collateral.tcb_info_issuer_chain.clone(),
        tcb_info: collateral.tcb_info.clone(),
        tcb_info_signature: collateral.tcb_info_signature.0.clone(),
        qe_identity_issuer_chain: collateral.qe_identity_issuer_chain.clone(),
        qe_identity: collateral.qe_identity.clone(),
        qe_identity_signature: collateral.qe_identity_signature.0.clone(),
        pck_certificate_chain: collateral.pck_certificate_chain.clone().filter(|_| quote.chain.is_none()),
    }
}

fn same_report(body: &Body, second: &VerifiedReport) -> bool {
    match (body, &second.report) {
        (Body::Sgx(ours), Report::SgxEnclave(theirs)) => {
            ours.mrenclave == theirs.mr_enclave
                && ours.mrsigner == theirs.mr_signer
                && ours.isvsvn == theirs.isv_svn
                && ours.report_data == theirs.report_data
        }
        (Body::Tdx(ours), theirs) => theirs.as_td10().is_some_and(|theirs| {
            ours.mrtd == theirs.mr_td
                && ours.rtmr == [theirs.rt_mr0, theirs.rt_mr1, theirs.rt_mr2, theirs.rt_mr3]
                && ours.mrconfigid == theirs.mr_config_id
                && ours.attributes.to_le_bytes() == theirs.td_attributes
                && ours.report_data == theirs.report_data
        }),
        (Body::Sgx(_), _) => false,
    }
}

/// Its own parser, our arithmetic.
struct Ours;

impl Config for Ours {
    type X509 = dcap_qvl::x509::X509CertBackend;
    type SigEncoder = dcap_qvl::signature::DerSigEncoder;
    type Crypto = Provider;
}

struct Provider;

impl CryptoProvider for Provider {
    fn sig_algo() -> &'static dyn SignatureVerificationAlgorithm {
        &EcdsaP256
    }

    fn sha256(data: &[u8]) -> [u8; 32] {
        crypto::sha256(data).0
    }

    fn sha384(data: &[u8]) -> [u8; 48] {
        let mut bytes = [0; 48];
        bytes.copy_from_slice(digest::digest(&digest::SHA384, data).as_ref());
        bytes
    }
}

#[derive(Debug)]
struct EcdsaP256;

impl SignatureVerificationAlgorithm for EcdsaP256 {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key);
        key.verify(message, signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA256
    }
}
