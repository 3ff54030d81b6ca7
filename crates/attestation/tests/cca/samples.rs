//! The verdicts on recorded tokens. All of them are signed by keys of emulators and tests.

use attestation::cca::{self, Anchor, Anchors};
use attestation::{Binding, Claims, Code, CodeEntry, Kind, Policy, Refusal};

use crate::mock::vectors::{folder, read};

fn token(name: &str) -> Vec<u8> {
    read(&format!("arm-cca/ccatoken/{name}"))
}

fn anchors() -> Anchors {
    Anchors(vec![Anchor::of_jwk(&token("cpak.json")).unwrap()])
}

fn verify(evidence: &[u8]) -> Result<Claims, Refusal> {
    cca::verify(evidence, &anchors())
}

fn code(result: Result<Claims, Refusal>) -> Code {
    result.unwrap_err().code
}

const ACCEPTED: [&str; 2] = ["cca-token-01.cbor", "cca-token-draft-ffm-00.cbor"];

#[test]
fn recorded_tokens_of_both_profiles_are_accepted_with_their_test_key() {
    if folder().is_none() {
        return;
    }
    for name in ACCEPTED {
        let claims = verify(&token(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(claims.number("lifecycle"), Ok(0x3003));
        let all: Vec<(&str, &[u8])> =
            claims.measurements.iter().map(|(name, value)| (name.as_str(), value.as_ref())).collect();
        let policy = Policy { manifest: vec![CodeEntry::new(Kind::ArmCca, &all)], ..Policy::default() };
        assert_eq!(attestation::policy(&claims, &policy, &Binding::Exact(claims.report_data.0.clone())), Ok(()));
    }
    let claims = verify(&token("cca-token-draft-ffm-00.cbor")).unwrap();
    assert!(claims.measurements["rim"].to_string().starts_with("311314ab"), "{claims:?}");
    assert_eq!(claims.text("platform0-type"), Ok("RSE_BL1_2"));
    assert_eq!(claims.host_data.unwrap().0.len(), 64);
}

#[test]
fn an_unbound_realm_a_missing_challenge_and_other_keys_are_refused() {
    if folder().is_none() {
        return;
    }
    assert_eq!(code(verify(&token("bug-33-repro.cbor"))), Code::CcaNotBound);
    let other = Anchors(vec![Anchor::of_jwk(&token("pkey.json")).unwrap()]);
    assert_eq!(code(cca::verify(&token(ACCEPTED[0]), &other)), Code::WrongAlgorithm, "a key on another curve");
    let mut elsewhere = anchors();
    elsewhere.0[0].instance_id = Some([1; 33][..].into());
    assert_eq!(code(cca::verify(&token(ACCEPTED[0]), &elsewhere)), Code::OtherRoot);
    assert_eq!(code(cca::verify(&token(ACCEPTED[0]), &Anchors::default())), Code::OtherRoot);
}

#[test]
fn no_accepted_change_of_one_bit_changes_a_claim() {
    if folder().is_none() {
        return;
    }
    for name in ACCEPTED {
        let evidence = token(name);
        let claims = verify(&evidence).unwrap();
        for at in 0..evidence.len() {
            let mut changed = evidence.clone();
            changed[at] ^= 1 << (at % 8);
            if let Ok(other) = verify(&changed) {
                assert_eq!(Claims { evidence: claims.evidence, ..other }, claims, "{name}, byte {at}");
            }
        }
    }
}

#[test]
fn whatever_is_cut_off_is_missed() {
    if folder().is_none() {
        return;
    }
    let evidence = token(ACCEPTED[1]);
    for length in 0..evidence.len() {
        let expected = if length == 0 { Code::Empty } else { Code::Truncated };
        assert_eq!(code(verify(&evidence[..length])), expected, "{length}");
    }
    assert_eq!(code(verify(&[&evidence[..], &[0]].concat())), Code::TrailingBytes);
}
