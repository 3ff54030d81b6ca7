//! A platform and a realm of our own: a token, valid unless somebody changes a part.

use attestation::cca::{self, Anchor, Anchors, Curve};
use attestation::{Binding, Bytes, CodeEntry, Endorsements, Kind, Policy, Presented, Refusal, Statement};
use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minicbor::data::Tag;

use super::cose::{Sign1, cbor};
use super::der::Key;

pub struct Build {
    pub newer: bool,
    pub key: Key,
    /// Of the token, in place of what binds.
    pub challenge: Option<Vec<u8>>,
    pub lifecycle: u64,
    pub realm_key: Key,
    pub realm_signer: Key,
    pub platform_signer: &'static str,
    pub realm_challenge: Option<Vec<u8>>,
    pub measurement_hash: &'static str,
    pub key_hash: &'static str,
    pub rim: Vec<u8>,
    pub profile: &'static str,
    /// In place of the realm's claims.
    pub realm_payload: Option<Vec<u8>>,
    pub platform_payload: fn(&mut Vec<u8>),
    pub platform_algorithm: &'static [u8],
    pub tagged: bool,
    pub inner_tagged: bool,
    pub finish: fn(&mut Vec<u8>),
    pub anchors: Anchors,
    pub policy: Policy,
    pub presented: Statement,
    pub expected: Statement,
}

pub const ES384: &[u8] = &[0xa1, 0x01, 0x38, 0x22];
pub const ES256: &[u8] = &[0xa1, 0x01, 0x26];

impl Build {
    pub fn new() -> Self {
        let statement = Statement::new(b"node key", b"nonce");
        let anchor = Anchor {
            implementation_id: Some([0x1d; 32][..].into()),
            instance_id: Some([1; 33][..].into()),
            curve: Curve::P384,
            point: Key::p384("platform").public().to_vec(),
        };
        let mut entry = CodeEntry::new(Kind::ArmCca, &[("rim", &[5; 64]), ("platform0", &[6; 32])]);
        entry.host_data = Some([7; 64][..].into());
        Self {
            newer: true,
            key: Key::p384("platform"),
            challenge: None,
            lifecycle: 0x3003,
            realm_key: Key::p384("realm"),
            realm_signer: Key::p384("realm"),
            platform_signer: "platform",
            realm_challenge: Some(statement.report_data().to_vec()),
            measurement_hash: "sha-512",
            key_hash: "sha-256",
            rim: vec![5; 64],
            profile: "tag:arm.com,2023:cca_platform#1.0.0",
            realm_payload: None,
            platform_payload: |_| (),
            platform_algorithm: ES384,
            tagged: true,
            inner_tagged: true,
            finish: |_| (),
            anchors: Anchors(vec![anchor]),
            policy: Policy { manifest: vec![entry], ..Policy::default() },
            presented: statement.clone(),
            expected: statement,
        }
    }

    pub fn key_claim(&self) -> Vec<u8> {
        let point = self.realm_key.public();
        if !self.newer {
            return point.to_vec();
        }
        let (x, y) = point[1..].split_at(point.len() / 2);
        cbor(|e| {
            e.map(4).unwrap().i64(1).unwrap().i64(2).unwrap();
            e.i64(-1).unwrap().i64(if x.len() == 32 { 1 } else { 2 }).unwrap();
            e.i64(-2).unwrap().bytes(x).unwrap().i64(-3).unwrap().bytes(y).unwrap();
        })
    }

    pub fn realm(&self) -> Vec<u8> {
        cbor(|e| {
            e.map(6 + u64::from(self.newer) + u64::from(self.realm_challenge.is_some())).unwrap();
            if self.newer {
                e.i64(265).unwrap().str("tag:arm.com,2023:realm#1.0.0").unwrap();
            }
            if let Some(challenge) = &self.realm_challenge {
                e.i64(10).unwrap().bytes(challenge).unwrap();
            }
            e.i64(44235).unwrap().bytes(&[7; 64]).unwrap();
            e.i64(44236).unwrap().str(self.measurement_hash).unwrap();
            e.i64(44237).unwrap().bytes(&self.key_claim()).unwrap();
            e.i64(44238).unwrap().bytes(&self.rim).unwrap();
            e.i64(44239).unwrap().array(4).unwrap();
            for _ in 0..4 {
                e.bytes(&vec![0; self.rim.len()]).unwrap();
            }
            e.i64(44240).unwrap().str(self.key_hash).unwrap();
        })
    }

    pub fn platform(&self) -> Vec<u8> {
        let algorithm = match self.key_hash {
            "sha-512" => &SHA512,
            "sha-384" => &SHA384,
            _ => &SHA256,
        };
        let challenge =
            self.challenge.clone().unwrap_or_else(|| digest(algorithm, &self.key_claim()).as_ref().to_vec());
        let mut payload = cbor(|e| {
            e.map(8).unwrap().i64(265).unwrap().str(self.profile).unwrap();
            e.i64(10).unwrap().bytes(&challenge).unwrap();
            e.i64(2396).unwrap().bytes(&[0x1d; 32]).unwrap().i64(256).unwrap().bytes(&[1; 33]).unwrap();
            e.i64(2395).unwrap().u64(self.lifecycle).unwrap().i64(2401).unwrap().bytes(&[0xcf; 4]).unwrap();
            e.i64(2402).unwrap().str("sha-256").unwrap();
            e.i64(2399).unwrap().array(1).unwrap().map(3).unwrap().i64(1).unwrap().str("BL").unwrap();
            e.i64(2).unwrap().bytes(&[6; 32]).unwrap().i64(5).unwrap().bytes(&[8; 32]).unwrap();
        });
        (self.platform_payload)(&mut payload);
        payload
    }

    pub fn token(&self) -> Vec<u8> {
        let realm_algorithm = if self.realm_key.public().len() == 65 { ES256 } else { ES384 };
        let message = |protected: &[u8], payload: &[u8], key: &Key| {
            let parts = Sign1 { tagged: self.inner_tagged, protected, unprotected: &[0xa0], payload };
            parts.signed(|signed| key.sign_fixed(signed))
        };
        let signer = if self.platform_signer == "platform" { &self.key } else { &Key::p384(self.platform_signer) };
        let platform = message(self.platform_algorithm, &self.platform(), signer);
        let payload = self.realm_payload.clone().unwrap_or_else(|| self.realm());
        let realm = message(realm_algorithm, &payload, &self.realm_signer);
        let mut token = cbor(|e| {
            if self.tagged {
                e.tag(Tag::new(399)).unwrap();
            }
            e.map(2).unwrap().i64(44234).unwrap().bytes(&platform).unwrap().i64(44241).unwrap().bytes(&realm).unwrap();
        });
        (self.finish)(&mut token);
        token
    }

    /// Binds these bytes, as a realm asks for.
    pub fn bind(&mut self, report_data: &[u8; 64]) {
        self.realm_challenge = Some(report_data.to_vec());
    }

    /// As a joining node shows it.
    pub fn shown(&self) -> Presented {
        let evidence = Bytes(self.token());
        Presented { kind: Kind::ArmCca, evidence, endorsements: Endorsements::None, event_log: None }
    }

    /// The platform's key as its vendor publishes it.
    pub fn jwk(&self) -> String {
        let point = &self.key.public()[1..];
        let [x, y] = [0, 1].map(|half| URL_SAFE_NO_PAD.encode(&point[half * point.len() / 2..][..point.len() / 2]));
        let curve = if point.len() == 64 { "P-256" } else { "P-384" };
        format!(r#"{{"kty":"EC","crv":"{curve}","x":"{x}","y":"{y}"}}"#)
    }

    pub fn verdict(&self) -> Result<(), Refusal> {
        let claims = cca::verify(&self.token(), &self.anchors)?;
        let binding = Binding::Statement { presented: self.presented.clone(), expected: self.expected.clone() };
        attestation::policy(&claims, &self.policy, &binding)
    }
}
