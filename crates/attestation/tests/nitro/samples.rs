//! The verdicts on recorded documents.

use attestation::nitro::{self, Root};
use attestation::{Binding, Claims, Code, CodeEntry, Kind, Policy, Refusal};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::mock::vectors::{date, folder, read};

const HOUR: u64 = 3_600;

fn verify(document: &[u8], now: u64) -> Result<Claims, Refusal> {
    nitro::verify(document, &Root::aws(), now)
}

fn code(result: Result<Claims, Refusal>) -> Code {
    result.unwrap_err().code
}

/// The default policy, with the claims' own PCRs in the manifest and what they bind asked for.
fn decide(claims: &Claims) -> Option<Code> {
    let pcrs: Vec<(&str, &[u8])> =
        claims.measurements.iter().map(|(name, pcr)| (name.as_str(), pcr.as_ref())).collect();
    let policy = Policy { manifest: vec![CodeEntry::new(Kind::Nitro, &pcrs)], ..Policy::default() };
    let binding = Binding::Exact(claims.report_data.0.clone());
    attestation::policy(claims, &policy, &binding).err().map(|refusal| refusal.code)
}

fn samples() -> [(&'static str, Vec<u8>, u64, Option<Code>); 3] {
    let evervault = STANDARD.decode(read("nitro/evervault/valid-attestation-doc-base64").trim_ascii()).unwrap();
    [
        ("nitro_attest", read("nitro/nitro_attest/attestation.cose"), date(2025, 1, 6) + 17 * HOUR, None),
        ("evervault", evervault, date(2023, 9, 18) + 15 * HOUR + HOUR / 2, Some(Code::NitroZeroPcrs)),
        (
            "fortanix",
            read("nitro/fortanix/request_proper.bin"),
            date(2021, 9, 9) + 11 * HOUR,
            Some(Code::NitroZeroPcrs),
        ),
    ]
}

#[test]
fn recorded_documents_verify_in_their_three_hours_and_debug_mode_is_refused() {
    if folder().is_none() {
        return;
    }
    for (name, document, now, default) in samples() {
        let claims = verify(&document, now).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(decide(&claims), default, "{name}");
        assert_eq!(code(verify(&document, now + 4 * HOUR)), Code::Expired, "{name}");
        assert_eq!(code(verify(&document, now - 24 * HOUR)), Code::NotYetValid, "{name}");
        assert_eq!(code(verify(&document, date(2026, 11, 26))), Code::Expired, "{name}: today");
    }
}

#[test]
fn the_claims_of_a_recorded_document_are_what_it_says() {
    if folder().is_none() {
        return;
    }
    let [first, second, third] = samples().map(|(_, document, now, _)| verify(&document, now).unwrap());
    assert_eq!(first.text("module-id"), Ok("i-0bee92034f3d60691-enc01943c5eaab3ad6a"));
    assert_eq!(first.number("timestamp"), Ok(1_736_179_625_472));
    assert_eq!(first.measurements.len(), 16);
    assert!(first.measurements["pcr0"].to_string().starts_with("8bb159f2"), "{first:?}");
    assert!(first.measurements["pcr5"].0.iter().all(|byte| *byte == 0));
    assert_eq!(first.bytes("public-key").unwrap().len(), 294);
    assert_eq!(first.report_data.0, first.bytes("public-key").unwrap());
    assert_eq!(second.bytes("nonce").unwrap().len(), 256);
    assert!(second.debug);
    assert_eq!((third.bytes("nonce").unwrap().len(), third.report_data.0.len()), (16, 64));
}

#[test]
fn a_changed_signature_and_other_roots_are_refused() {
    if folder().is_none() {
        return;
    }
    let now = date(2021, 9, 9) + 11 * HOUR;
    assert_eq!(code(verify(&read("nitro/fortanix/tampered_signature.bin"), now)), Code::BadSignature);
    let root = |name: &str| Root::of_pem(&read(&format!("nitro/fortanix/{name}")));
    assert_eq!(root("aws.crt"), Ok(Root::aws()));
    assert_eq!(root("tampered_root_cert.crt").unwrap_err().code, Code::BadEncoding);
    let document = read("nitro/fortanix/request_proper.bin");
    assert_eq!(code(nitro::verify(&document, &root("unknown_ca.crt").unwrap(), now)), Code::NitroRoot);
    assert!(verify(&read("nitro/evervault/certificate.der"), now).is_err());
}

#[test]
fn no_accepted_change_of_one_bit_changes_a_claim() {
    if folder().is_none() {
        return;
    }
    let [(_, document, now, _), ..] = samples();
    let claims = verify(&document, now).unwrap();
    for at in 0..document.len() {
        let mut changed = document.clone();
        changed[at] ^= 1 << (at % 8);
        if let Ok(other) = verify(&changed, now) {
            assert_eq!(Claims { evidence: claims.evidence, ..other }, claims, "byte {at}");
        }
    }
}

#[test]
fn whatever_is_cut_off_is_missed() {
    if folder().is_none() {
        return;
    }
    let [(_, document, now, _), ..] = samples();
    for length in 0..document.len() {
        let expected = if length == 0 { Code::Empty } else { Code::Truncated };
        assert_eq!(code(verify(&document[..length], now)), expected, "{length}");
    }
    assert_eq!(code(verify(&[&document[..], &[0]].concat(), now)), Code::TrailingBytes);
}
