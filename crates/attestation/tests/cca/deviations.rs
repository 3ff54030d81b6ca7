//! One thing wrong at a time with a token of a platform and a realm of our own.

use attestation::cca::Curve;
use attestation::{Code, Statement};

use crate::mock::cca::{Build, ES256};
use crate::mock::der::Key;
use crate::mock::vectors::{folder, read};

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
