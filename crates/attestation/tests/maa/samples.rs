//! The verdicts on recorded tokens, of an afternoon in 2021.

use attestation::maa::{self, Instance};
use attestation::{Binding, Claims, Code, CodeEntry, Kind, Policy, Refusal};

use crate::mock::vectors::{date, folder, read};

const NOW: u64 = date(2021, 7, 1) + 21 * 3_600;
const SHARED: &str = "https://sharedwus.wus.attest.azure.net";
const OWN: &str = "https://pylarryoattestationaad.wus.attest.azure.net";

fn instance(issuer: &str) -> Instance {
    Instance::new(issuer, &read("maa/attest_open_enclave_sharedwus_certs.json")).unwrap()
}

fn verify(token: &[u8], issuer: &str) -> Result<Claims, Refusal> {
    maa::verify(token, &instance(issuer), NOW)
}

fn code(result: Result<Claims, Refusal>) -> Code {
    result.unwrap_err().code
}

fn decide(claims: &Claims, change: impl FnOnce(&mut Policy)) -> Option<Code> {
    let all: Vec<(&str, &[u8])> =
        claims.measurements.iter().map(|(name, value)| (name.as_str(), value.as_ref())).collect();
    let mut policy = Policy { manifest: vec![CodeEntry::new(Kind::Maa, &all)], ..Policy::default() };
    policy.maa.policy_hashes = claims.text("policy-hash").ok().map(str::to_owned).into_iter().collect();
    change(&mut policy);
    let binding = Binding::Exact(claims.report_data.0.clone());
    attestation::policy(claims, &policy, &binding).err().map(|refusal| refusal.code)
}

fn samples() -> Vec<(String, Vec<u8>, &'static str)> {
    let mut samples = vec![];
    for call in ["attest_open_enclave", "attest_sgx_enclave"] {
        for (name, issuer) in [("sharedwus", SHARED), ("pylarryoattestationaad", OWN)] {
            for data in ["ehd", "runtime"] {
                let name = format!("maa/{call}_{name}_{data}_RS256.jwt");
                let token = read(&name);
                samples.push((name, token, issuer));
            }
        }
    }
    samples
}

#[test]
fn recorded_tokens_are_accepted_from_their_own_instance_in_their_eight_hours() {
    if folder().is_none() {
        return;
    }
    for (name, token, issuer) in samples() {
        let claims = verify(&token, issuer).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(decide(&claims, |_| ()), None, "{name}");
        assert_eq!(decide(&claims, |policy| policy.maa.policy_hashes.clear()), Some(Code::MaaPolicyHash), "{name}");
        let other = if issuer == SHARED { OWN } else { SHARED };
        assert_eq!(code(verify(&token, other)), Code::MaaIssuer, "{name}: the same key signs for both");
        let instance = instance(issuer);
        let late = date(2021, 7, 2) + 4 * 3_600 + 14 * 60;
        assert_eq!(code(maa::verify(&token, &instance, late)), Code::MaaExpired, "{name}");
        assert_eq!(code(maa::verify(&token, &instance, date(2021, 7, 1))), Code::MaaNotYet, "{name}");
    }
}

#[test]
fn every_recorded_key_set_has_the_key() {
    if folder().is_none() {
        return;
    }
    let (_, token, _) = samples().swap_remove(0);
    for name in [
        "attest_open_enclave_fakeresource",
        "attest_sgx_enclave_fakeresource",
        "attest_sgx_enclave_sharedwus",
        "tpm_attestation_fakeresource",
    ] {
        let instance = Instance::new(SHARED, &read(&format!("maa/{name}_certs.json"))).unwrap();
        maa::verify(&token, &instance, NOW).unwrap();
    }
}

#[test]
fn the_claims_of_a_recorded_token_are_what_it_says() {
    if folder().is_none() {
        return;
    }
    let token = read("maa/attest_sgx_enclave_sharedwus_runtime_RS256.jwt");
    let claims = verify(&token, SHARED).unwrap();
    assert!(claims.measurements["mrenclave"].to_string().starts_with("b7792026"), "{claims:?}");
    assert_eq!(claims.svn, Some(1));
    assert_eq!(claims.report_data.0.len(), 64);
    let quote = crypto::sha256(&read("maa/attest_sgx_enclave_quote.bin")).0;
    assert_eq!(claims.bytes("quote-hash").unwrap(), quote);
    let curve = |wanted: &str| {
        let jwk: serde_json::Value = serde_json::from_str(claims.text("runtime").unwrap()).unwrap();
        let mut jwk = jwk["jwk"].clone();
        jwk["crv"] = wanted.into();
        decide(&claims, |policy| drop(policy.maa.runtime.insert("jwk".to_owned(), jwk)))
    };
    assert_eq!(curve("P-256"), None);
    assert_eq!(curve("P-384"), Some(Code::MaaRuntime));
}

#[test]
fn unsigned_tokens_and_results_of_policy_updates_are_refused() {
    if folder().is_none() {
        return;
    }
    for (name, issuer) in [("sharedwus", SHARED), ("pylarryoattestationaad", OWN)] {
        let token = read(&format!("maa/attest_open_enclave_{name}_runtime_none.jwt"));
        assert_eq!(code(verify(&token, issuer)), Code::MaaNone);
    }
    let update = read("maa/tpm_attestation_pylarryoattestationaad_policy_RS256.jwt");
    let claims = verify(&update, OWN).unwrap();
    assert_eq!(decide(&claims, |_| ()), Some(Code::MaaType));
}

#[test]
fn no_accepted_change_of_one_bit_changes_a_claim() {
    if folder().is_none() {
        return;
    }
    for name in ["ehd", "runtime"] {
        let token = read(&format!("maa/attest_sgx_enclave_sharedwus_{name}_RS256.jwt"));
        let instance = instance(SHARED);
        let claims = maa::verify(&token, &instance, NOW).unwrap();
        for at in 0..token.len() {
            let mut changed = token.clone();
            changed[at] ^= 1 << (at % 8);
            if let Ok(other) = maa::verify(&changed, &instance, NOW) {
                assert_eq!(Claims { evidence: claims.evidence, ..other }, claims, "byte {at}");
            }
            assert!(maa::verify(&token[..at], &instance, NOW).is_err(), "cut at {at}");
        }
    }
}
