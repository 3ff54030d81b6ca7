//! An instance of our own, and one thing wrong at a time.

use std::sync::LazyLock;

use attestation::maa::{self, Instance};
use attestation::{Binding, Code, CodeEntry, Kind, Policy, Refusal, Statement};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::KeyPair;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::mock::der::Key;

static KEY: LazyLock<Key> = LazyLock::new(|| Key::rsa(include_str!("../mock/keys/test-rsa2048-one.pem")));
static OTHER: LazyLock<Key> = LazyLock::new(|| Key::rsa(include_str!("../mock/keys/test-rsa2048-two.pem")));

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://mock.attest.azure.net";

struct Build {
    header: Value,
    payload: Value,
    /// On the texts before they are encoded.
    payload_text: fn(&mut String),
    header_text: fn(&mut String),
    signer: &'static LazyLock<Key>,
    finish: fn(&mut Vec<u8>),
    pinned: &'static str,
    now: u64,
    policy: Policy,
    presented: Statement,
    expected: Statement,
}

impl Build {
    /// A virtual machine on SEV-SNP.
    fn new() -> Self {
        let statement = Statement::new(b"node key", b"nonce");
        let mut entry = CodeEntry::new(Kind::Maa, &[("measurement", &[4; 48])]);
        entry.host_data = Some([6; 32][..].into());
        entry.lowest_svn = Some(3);
        let mut policy = Policy { manifest: vec![entry], ..Policy::default() };
        policy.maa.policy_hashes = ["hash".to_owned()].into();
        policy.maa.runtime = [("nonce".to_owned(), json!("fresh"))].into();
        Self {
            header: json!({"alg": "RS256", "kid": "one", "jku": format!("{ISSUER}/certs"), "typ": "JWT"}),
            payload: json!({
                "iss": ISSUER, "exp": NOW + 100, "nbf": NOW - 100, "iat": NOW - 100,
                "x-ms-attestation-type": "azurevm",
                "x-ms-policy-hash": "hash",
                "x-ms-runtime": {
                    "nonce": "fresh",
                    "keys": [],
                    "client-payload": {"nonce": STANDARD.encode(statement.report_data())},
                },
                "x-ms-isolation-tee": {
                    "x-ms-attestation-type": "sevsnpvm",
                    "x-ms-sevsnpvm-is-debuggable": false,
                    "x-ms-sevsnpvm-launchmeasurement": "04".repeat(48),
                    "x-ms-sevsnpvm-hostdata": "06".repeat(32),
                    "x-ms-sevsnpvm-guestsvn": 3,
                    "x-ms-sevsnpvm-reportdata": "77".repeat(64),
                }
            }),
            payload_text: |_| (),
            header_text: |_| (),
            signer: &KEY,
            finish: |_| (),
            pinned: ISSUER,
            now: NOW,
            policy,
            presented: statement.clone(),
            expected: statement,
        }
    }

    /// An enclave, with what its report data hashes.
    fn sgx() -> Self {
        let mut build = Self::new();
        let held = b"held data";
        build.payload = json!({
            "iss": ISSUER, "exp": NOW + 100, "nbf": NOW - 100, "iat": NOW - 100,
            "x-ms-attestation-type": "sgx",
            "x-ms-policy-hash": "hash",
            "x-ms-runtime": {"nonce": "fresh"},
            "x-ms-sgx-is-debuggable": false,
            "x-ms-sgx-mrenclave": "04".repeat(32),
            "x-ms-sgx-mrsigner": "05".repeat(32),
            "x-ms-sgx-svn": 3,
            "x-ms-sgx-ehd": URL_SAFE_NO_PAD.encode(held),
            "x-ms-sgx-report-data": format!("{}{}", crypto::sha256(held), "00".repeat(32)),
        });
        build.policy.manifest = vec![CodeEntry::new(Kind::Maa, &[("mrenclave", &[4; 32])])];
        build
    }

    fn token(&self) -> Vec<u8> {
        let (mut header, mut payload) = (self.header.to_string(), self.payload.to_string());
        (self.header_text)(&mut header);
        (self.payload_text)(&mut payload);
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = match self.header["alg"].as_str() {
            Some("HS256") => {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, KEY.public());
                hmac::sign(&secret, signed.as_bytes()).as_ref().to_vec()
            }
            Some("none") => vec![],
            _ => self.signer.sign_fixed(signed.as_bytes()),
        };
        let mut token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into_bytes();
        (self.finish)(&mut token);
        token
    }

    fn verdict(&self) -> Result<(), Refusal> {
        let Key::Rsa(pair) = LazyLock::force(&KEY) else { panic!("an RSA key") };
        let n = URL_SAFE_NO_PAD.encode(pair.public_key().modulus().big_endian_without_leading_zero());
        let jwks = json!({"keys": [{"kid": "one", "kty": "RSA", "n": n, "e": "AQAB"}, {"kid": "two", "kty": "EC"}]});
        let instance = Instance::new(self.pinned, jwks.to_string().as_bytes()).unwrap();
        let claims = maa::verify(&self.token(), &instance, self.now)?;
        let binding = Binding::Statement { presented: self.presented.clone(), expected: self.expected.clone() };
        attestation::policy(&claims, &self.policy, &binding)
    }
}

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
