//! An instance of Azure Attestation of our own: a token, valid unless somebody changes a part.

use std::sync::LazyLock;

use attestation::maa::{self, Instance};
use attestation::{Binding, Bytes, CodeEntry, Endorsements, Kind, Policy, Presented, Refusal, Statement};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::KeyPair;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::der::Key;

pub static KEY: LazyLock<Key> = LazyLock::new(|| Key::rsa(include_str!("keys/test-rsa2048-one.pem")));
pub static OTHER: LazyLock<Key> = LazyLock::new(|| Key::rsa(include_str!("keys/test-rsa2048-two.pem")));

pub const NOW: u64 = 1_800_000_000;
pub const ISSUER: &str = "https://mock.attest.azure.net";

pub struct Build {
    pub header: Value,
    pub payload: Value,
    /// In place of header and payload.
    pub texts: Option<[Vec<u8>; 2]>,
    /// On the texts before they are encoded.
    pub payload_text: fn(&mut String),
    pub header_text: fn(&mut String),
    pub signer: &'static LazyLock<Key>,
    pub finish: fn(&mut Vec<u8>),
    pub pinned: &'static str,
    pub now: u64,
    pub policy: Policy,
    pub presented: Statement,
    pub expected: Statement,
}

impl Build {
    /// A virtual machine on SEV-SNP.
    pub fn new() -> Self {
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
            texts: None,
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
    pub fn sgx() -> Self {
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

    pub fn token(&self) -> Vec<u8> {
        let (mut header, mut payload) = (self.header.to_string(), self.payload.to_string());
        (self.header_text)(&mut header);
        (self.payload_text)(&mut payload);
        let [header, payload] = self.texts.clone().unwrap_or([header.into_bytes(), payload.into_bytes()]);
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

    /// Binds these bytes, as a machine asks for.
    pub fn bind(&mut self, report_data: &[u8; 64]) {
        self.payload["x-ms-runtime"]["client-payload"]["nonce"] = STANDARD.encode(report_data).into();
    }

    /// As a joining node shows it.
    pub fn shown(&self) -> Presented {
        let evidence = Bytes(self.token());
        Presented { kind: Kind::Maa, evidence, endorsements: Endorsements::None, event_log: None }
    }

    /// The instance's keys as it publishes them.
    pub fn jwks() -> String {
        let Key::Rsa(pair) = LazyLock::force(&KEY) else { panic!("an RSA key") };
        let n = URL_SAFE_NO_PAD.encode(pair.public_key().modulus().big_endian_without_leading_zero());
        json!({"keys": [{"kid": "one", "kty": "RSA", "n": n, "e": "AQAB"}, {"kid": "two", "kty": "EC"}]}).to_string()
    }

    pub fn verdict(&self) -> Result<(), Refusal> {
        let instance = Instance::new(self.pinned, Self::jwks().as_bytes()).unwrap();
        let claims = maa::verify(&self.token(), &instance, self.now)?;
        let binding = Binding::Statement { presented: self.presented.clone(), expected: self.expected.clone() };
        attestation::policy(&claims, &self.policy, &binding)
    }
}
