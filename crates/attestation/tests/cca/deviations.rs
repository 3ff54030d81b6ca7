//! A platform and a realm of our own, and one thing wrong at a time.

use attestation::cca::{self, Anchor, Anchors, Curve};
use attestation::{Binding, Code, CodeEntry, Kind, Policy, Refusal, Statement};
use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
use minicbor::data::Tag;

use crate::mock::cose::{Sign1, cbor};
use crate::mock::der::Key;
use crate::mock::vectors::{folder, read};

struct Build {
    newer: bool,
    key: Key,
    /// Of the token, in place of what binds.
    challenge: Option<Vec<u8>>,
    lifecycle: u64,
    realm_key: Key,
    realm_signer: Key,
    platform_signer: &'static str,
    realm_challenge: Option<Vec<u8>>,
    measurement_hash: &'static str,
    key_hash: &'static str,
    rim: Vec<u8>,
    profile: &'static str,
    /// In place of the realm's claims.
    realm_payload: Option<Vec<u8>>,
    platform_payload: fn(&mut Vec<u8>),
    platform_algorithm: &'static [u8],
    tagged: bool,
    inner_tagged: bool,
    finish: fn(&mut Vec<u8>),
    anchors: Anchors,
    policy: Policy,
    presented: Statement,
    expected: Statement,
}

const ES384: &[u8] = &[0xa1, 0x01, 0x38, 0x22];
const ES256: &[u8] = &[0xa1, 0x01, 0x26];

impl Build {
    fn new() -> Self {
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

    fn key_claim(&self) -> Vec<u8> {
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

    fn realm(&self) -> Vec<u8> {
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

    fn platform(&self) -> Vec<u8> {
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

    fn token(&self) -> Vec<u8> {
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

    fn verdict(&self) -> Result<(), Refusal> {
        let claims = cca::verify(&self.token(), &self.anchors)?;
        let binding = Binding::Statement { presented: self.presented.clone(), expected: self.expected.clone() };
        attestation::policy(&claims, &self.policy, &binding)
    }
}

type Case = (&'static str, Code, fn(&mut Build));

const CASES: &[Case] = &[
    ("C1", Code::Empty, |b| b.finish = Vec::clear),
    ("C2", Code::Truncated, |b| b.finish = |token| token.truncate(token.len() - 1)),
    ("C3", Code::TrailingBytes, |b| b.finish = |token| token.push(0)),
    ("C4 platform", Code::WrongVersion, |b| b.profile = "tag:arm.com,2031:cca_platform#2.0.0"),
    ("C5 another algorithm", Code::WrongAlgorithm, |b| b.platform_algorithm = ES256),
    ("C5 another curve", Code::WrongAlgorithm, |b| {
        b.anchors.0[0].curve = Curve::P256;
        b.anchors.0[0].point = Key::p256("platform").public().to_vec();
    }),
    ("C6, C7", Code::BadSignature, |b| b.platform_signer = "another platform"),
    ("C11", Code::OtherRoot, |b| b.anchors.0[0].instance_id = Some([2; 33][..].into())),
    ("C11 another kind", Code::OtherRoot, |b| b.anchors.0[0].implementation_id = Some([2; 32][..].into())),
    ("C19", Code::ReportData, |b| b.realm_challenge = Some(vec![0; 64])),
    ("C20", Code::Nonce, |b| b.expected = Statement::new(b"node key", b"a newer nonce")),
    ("C22", Code::Measurement, |b| b.rim = vec![4; 64]),
    ("C22 firmware", Code::Measurement, |b| {
        b.platform_payload = |payload| {
            let at = payload.windows(32).position(|window| window == [6; 32]).unwrap();
            payload[at] = 0;
        };
    }),
    ("C24", Code::OtherNode, |b| b.expected = Statement::new(b"key of another node", b"nonce")),
    ("C26", Code::OversizedLength, |b| b.finish = |token| token.resize((16 << 10) + 1, 0)),
    ("C26 inside", Code::OversizedLength, |b| {
        b.finish = |token| drop(token.splice(7..10, [0x5a, 0x7f, 0xff, 0xff, 0xff]))
    }),
    ("C27", Code::LengthOverflow, |b| {
        b.finish = |token| drop(token.splice(7..10, [0x5b, 255, 255, 255, 255, 255, 255, 255, 255]));
    }),
    ("C28", Code::DuplicateKey, |b| {
        b.finish = |token| drop(token.splice(4.., [0x19, 0xac, 0xca, 0x40, 0x19, 0xac, 0xca, 0x40]))
    }),
    ("C28 inside", Code::DuplicateKey, |b| {
        b.platform_payload = |payload| drop(payload.splice(..1, [0xa9, 0x0a, 0x40]))
    }),
    ("C29", Code::NotCanonical, |b| b.finish = |token| drop(token.splice(3..4, [0xb8, 2]))),
    ("R1", Code::CcaNotBound, |b| b.challenge = Some(vec![9; 32])),
    ("R2", Code::CcaLifecycle, |b| b.lifecycle = 0x2000),
    ("R2 above", Code::CcaLifecycle, |b| b.lifecycle = 0x3100),
    ("R2, C21 debug", Code::CcaLifecycle, |b| b.lifecycle = 0x4000),
    ("R3", Code::CcaRealmKey, |b| b.realm_signer = Key::p384("another realm")),
    ("R4", Code::CcaHashClaims, |b| (b.measurement_hash, b.key_hash) = (b.key_hash, b.measurement_hash)),
    ("R4 unknown", Code::CcaHashClaims, |b| b.key_hash = "md5"),
    ("R4 another length", Code::CcaHashClaims, |b| b.challenge = Some(vec![9; 64])),
    ("R5", Code::CcaChallenge, |b| b.realm_challenge = None),
    ("R6", Code::CcaCurve, |b| b.anchors.0[0].point[5] ^= 1),
    ("R6 no point", Code::CcaCurve, |b| b.anchors.0[0].point.clear()),
    ("R7", Code::CcaTag, |b| b.tagged = false),
    ("R7 inside", Code::CcaTag, |b| b.inner_tagged = false),
    ("a challenge too short", Code::BadEncoding, |b| b.realm_challenge = Some(vec![0; 32])),
    ("a lifecycle too large", Code::BadEncoding, |b| b.lifecycle = 0x1_3003),
    ("one token only", Code::BadEncoding, |b| {
        b.finish = |token| drop(token.splice(3.., [0xa1, 0x19, 0xac, 0xca, 0x40]))
    }),
];

/// Every code that some case here is refused with.
pub fn covered() -> impl Iterator<Item = Code> {
    CASES.iter().map(|(_, code, _)| *code)
}

#[test]
fn nothing_wrong_is_accepted() {
    assert_eq!(Build::new().verdict(), Ok(()));
    let mut older = Build::new();
    older.newer = false;
    older.profile = "http://arm.com/CCA-SSD/1.0.0";
    older.key_hash = "sha-512";
    assert_eq!(older.verdict(), Ok(()));
    let mut small = Build::new();
    small.key = Key::p256("platform");
    small.platform_algorithm = ES256;
    (small.realm_key, small.realm_signer) = (Key::p256("realm"), Key::p256("realm"));
    small.anchors.0[0].curve = Curve::P256;
    small.anchors.0[0].point = small.key.public().to_vec();
    assert_eq!(small.verdict(), Ok(()));
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
fn recorded_claims_without_a_challenge_are_refused_in_any_token() {
    if folder().is_none() {
        return;
    }
    let mut build = Build::new();
    build.realm_payload = Some(read("arm-cca/ccatoken/realm-claims-missing-challenge.cbor"));
    assert_eq!(build.verdict().unwrap_err().code, Code::CcaChallenge);
}
