//! One thing wrong at a time with a token of an instance of our own.

use attestation::maa::Instance;
use attestation::{Code, Roots, Statement};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::mock::maa::{Build, ISSUER, NOW, OTHER};

fn nested(b: &mut Build) -> &mut Value {
    &mut b.payload["x-ms-isolation-tee"]
}

type Case = (&'static str, Code, fn(&mut Build));

const CASES: &[Case] = &[
    ("C1", Code::Empty, |b| b.finish = Vec::clear),
    ("C2 no signature", Code::BadEncoding, |b| b.finish = |token| token.truncate(20)),
    ("C3", Code::BadEncoding, |b| b.finish = |token| token.push(b'.')),
    ("C3 in the signature", Code::BadSignature, |b| b.finish = |token| token.extend(b"AAAA")),
    ("C6, C7", Code::BadSignature, |b| b.signer = &OTHER),
    ("C22", Code::Measurement, |b| nested(b)["x-ms-sevsnpvm-launchmeasurement"] = "05".repeat(48).into()),
    ("C23", Code::LowSvn, |b| nested(b)["x-ms-sevsnpvm-guestsvn"] = 2.into()),
    ("host data", Code::Measurement, |b| nested(b)["x-ms-sevsnpvm-hostdata"] = "07".repeat(32).into()),
    ("C20", Code::Nonce, |b| b.expected = Statement::new(b"node key", b"a newer nonce")),
    ("C24", Code::OtherNode, |b| b.expected = Statement::new(b"key of another node", b"nonce")),
    ("C26", Code::OversizedLength, |b| b.finish = |token| token.resize((64 << 10) + 1, b'A')),
    ("C28 payload", Code::DuplicateKey, |b| b.payload_text = |text| text.insert_str(1, "\"iss\":0,")),
    ("C28 header", Code::DuplicateKey, |b| b.header_text = |text| text.insert_str(1, "\"alg\":0,")),
    ("C30 payload", Code::JsonTrailing, |b| b.payload_text = |text| text.push_str("{}")),
    ("C30 header", Code::JsonTrailing, |b| b.header_text = |text| text.push_str("{}")),
    ("M1", Code::MaaNone, |b| b.header["alg"] = "none".into()),
    ("M1 in capitals", Code::MaaNone, |b| b.header["alg"] = "NONE".into()),
    ("M2", Code::MaaAlgorithm, |b| b.header["alg"] = "HS256".into()),
    ("M2 another hash", Code::MaaAlgorithm, |b| b.header["alg"] = "RS512".into()),
    ("M3", Code::MaaKid, |b| b.header["kid"] = "three".into()),
    ("M3 a key that is not RSA", Code::MaaKid, |b| b.header["kid"] = "two".into()),
    ("M3 none", Code::MaaKid, |b| drop(b.header.as_object_mut().unwrap().remove("kid"))),
    ("M4", Code::MaaJku, |b| b.header["jku"] = "https://elsewhere.example/certs".into()),
    ("M5", Code::MaaExpired, |b| b.now = NOW + 101),
    ("M6", Code::MaaNotYet, |b| b.now = NOW - 101),
    ("M6 issued later", Code::MaaNotYet, |b| b.payload["iat"] = (NOW + 1).into()),
    ("M7", Code::MaaIssuer, |b| b.pinned = "https://other.attest.azure.net"),
    ("M7 none", Code::MaaIssuer, |b| drop(b.payload.as_object_mut().unwrap().remove("iss"))),
    ("M8", Code::MaaPolicyHash, |b| b.payload["x-ms-policy-hash"] = "other".into()),
    ("M8 none", Code::MaaPolicyHash, |b| drop(b.payload.as_object_mut().unwrap().remove("x-ms-policy-hash"))),
    ("M9, C21", Code::MaaDebuggable, |b| nested(b)["x-ms-sevsnpvm-is-debuggable"] = true.into()),
    ("M9 unsaid", Code::MaaDebuggable, |b| {
        drop(nested(b).as_object_mut().unwrap().remove("x-ms-sevsnpvm-is-debuggable"))
    }),
    ("M10", Code::MaaType, |b| drop(b.payload.as_object_mut().unwrap().remove("x-ms-attestation-type"))),
    ("M10 another", Code::MaaType, |b| b.payload["x-ms-attestation-type"] = "tpm".into()),
    ("M11 nonce", Code::MaaRuntime, |b| b.payload["x-ms-runtime"]["nonce"] = "stale".into()),
    ("M11 no runtime data", Code::MaaRuntime, |b| drop(b.payload.as_object_mut().unwrap().remove("x-ms-runtime"))),
    ("M11, C19", Code::MaaRuntime, |b| b.payload["x-ms-runtime"]["client-payload"]["nonce"] = "AAAA".into()),
    ("M11, C19 nothing bound", Code::MaaRuntime, |b| b.payload["x-ms-runtime"] = json!({"nonce": "fresh"})),
    ("a nonce that is none", Code::BadEncoding, |b| b.payload["x-ms-runtime"]["client-payload"]["nonce"] = "-".into()),
    ("M12", Code::MaaNestedType, |b| nested(b)["x-ms-attestation-type"] = "sgx".into()),
    ("M12 none", Code::MaaNestedType, |b| drop(b.payload.as_object_mut().unwrap().remove("x-ms-isolation-tee"))),
    ("no expiry", Code::BadEncoding, |b| drop(b.payload.as_object_mut().unwrap().remove("exp"))),
    ("a critical extension", Code::BadEncoding, |b| b.header["crit"] = json!(["exp"])),
    ("a measurement that is none", Code::BadEncoding, |b| nested(b)["x-ms-sevsnpvm-launchmeasurement"] = 4.into()),
    ("a flag that is none", Code::BadEncoding, |b| nested(b)["x-ms-sevsnpvm-is-debuggable"] = "false".into()),
];

/// Every code that some case here is refused with.
pub fn covered() -> impl Iterator<Item = Code> {
    CASES.iter().map(|(_, code, _)| *code)
}

#[test]
fn nothing_wrong_is_accepted() {
    assert_eq!(Build::new().verdict(), Ok(()));
    let mut build = Build::new();
    build.header.as_object_mut().unwrap().remove("jku");
    assert_eq!(build.verdict(), Ok(()));
    let user_data = const_hex::encode(build.presented.report_data());
    build.payload["x-ms-runtime"] = json!({"nonce": "fresh", "client-payload": {"nonce": ""}});
    nested(&mut build)["x-ms-runtime"] = json!({"vm-configuration": {}, "user-data": user_data});
    assert_eq!(build.verdict(), Ok(()), "bound by what the paravisor keeps");
    let runtime = nested(&mut build)["x-ms-runtime"].clone();
    let machine = build.payload.as_object_mut().unwrap();
    let report = machine.remove("x-ms-isolation-tee").unwrap();
    machine.extend(report.as_object().unwrap().clone());
    machine.insert("x-ms-runtime".to_owned(), runtime);
    build.policy.maa.runtime.clear();
    assert_eq!(build.verdict(), Ok(()), "and without the TPM");
}

#[test]
fn each_change_has_its_code() {
    for (what, expected, change) in CASES {
        let mut build = Build::new();
        change(&mut build);
        let refusal = build.verdict().expect_err(what);
        assert_eq!(refusal.code, *expected, "{what}: {refusal}");
    }
}

#[test]
fn what_an_enclave_holds_is_what_its_report_data_hashes() {
    let mut build = Build::sgx();
    let refusal = build.verdict().unwrap_err();
    assert_eq!(refusal.code, Code::MaaRuntime, "it holds something else than the node's statement: {refusal}");
    build.payload["x-ms-sgx-ehd"] = URL_SAFE_NO_PAD.encode("other").into();
    let report_data = const_hex::encode(build.presented.report_data());
    build.payload["x-ms-sgx-report-data"] = report_data.into();
    assert_eq!(build.verdict().unwrap_err().code, Code::MaaRuntime);
    build.payload.as_object_mut().unwrap().remove("x-ms-sgx-ehd");
    assert_eq!(build.verdict(), Ok(()));
}

#[test]
fn a_key_set_with_one_name_twice_is_refused() {
    let jwks = json!({"keys": [{"kid": "one", "kty": "RSA", "n": "AQAB", "e": "AQAB"}, {"kid": "one", "kty": "RSA", "n": "AAAA", "e": "AQAB"}]});
    assert_eq!(Instance::new(ISSUER, jwks.to_string().as_bytes()).unwrap_err().code, Code::DuplicateKey);
}

#[test]
fn where_several_instances_are_trusted_the_refusal_is_of_the_one_that_made_it() {
    let instance = |issuer| Instance::new(issuer, Build::jwks().as_bytes()).unwrap();
    let others = [instance("https://other.attest.azure.net"), instance("https://third.attest.azure.net")];
    let late = |maa| Build::new().shown().verify(&Roots { maa, ..Roots::vendors() }, NOW + 101).unwrap_err().code;
    let [one, two] = others;
    assert_eq!(late(vec![one.clone(), instance(ISSUER), two.clone()]), Code::MaaExpired);
    assert_eq!(late(vec![one, two]), Code::MaaIssuer);
    assert_eq!(late(vec![]), Code::MaaIssuer);
}
