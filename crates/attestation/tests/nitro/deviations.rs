//! One thing wrong at a time with a document of our own AWS.

use attestation::nitro::{self, Root};
use attestation::{Binding, Code, Statement};

use crate::mock::nitro::{Build, FUTURE, NOW, PAST, ROOT};
use crate::mock::vectors::date;

fn replace(bytes: &mut Vec<u8>, from: &[u8], to: &[u8]) {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes.splice(at..at + from.len(), to.iter().copied());
}

/// The payload's map as today's hypervisors write it: without a count, with an end.
fn open(payload: &mut Vec<u8>) {
    payload[0] = 0xbf;
    payload.push(0xff);
}

type Case = (&'static str, Code, fn(&mut Build));

const CASES: &[Case] = &[
    ("C1", Code::Empty, |b| b.finish = Vec::clear),
    ("C2", Code::Truncated, |b| b.finish = |document| document.truncate(document.len() - 1)),
    ("C3", Code::TrailingBytes, |b| b.finish = |document| document.push(0)),
    ("C3 in the payload", Code::TrailingBytes, |b| b.payload = |payload| payload.push(0)),
    ("C6: to a verifier, any other's signature", Code::BadSignature, |b| {
        b.finish = |document| {
            let mut other = Build::new();
            other.pcrs[0].1 = vec![8; 48];
            let other = other.document();
            let (at, from) = (document.len() - 96, other.len() - 96);
            document.truncate(at);
            document.extend_from_slice(&other[from..]);
        };
    }),
    ("C7", Code::BadSignature, |b| b.signer = "another"),
    ("C7 leaf", Code::BadSignature, |b| b.links[4].signer = "zone"),
    ("C7 region", Code::BadSignature, |b| b.links[1].signer = "another"),
    ("C8", Code::ChainIncomplete, |b| b.chain = |chain| drop(chain.remove(2))),
    ("C8 nothing", Code::ChainIncomplete, |b| b.chain = |chain| drop(chain.drain(..4))),
    ("C9", Code::ChainOrder, |b| b.chain = |chain| chain.swap(1, 2)),
    ("C9 root last", Code::ChainOrder, |b| b.chain = |chain| chain[..4].reverse()),
    ("an issuer that is no authority", Code::ChainOrder, |b| b.links[3].authority = None),
    ("an issuer whose key may not certify", Code::ChainOrder, |b| {
        b.links[3].more = Some(("2.5.29.15", true, &[3, 2, 7, 0x80]));
    }),
    ("an extension that must be understood", Code::BadEncoding, |b| {
        b.links[2].more = Some(("2.5.29.30", true, &[0x30, 0]));
    }),
    ("C11 right name, own key", Code::NitroRoot, |b| b.links[0].signer = "another"),
    ("C12", Code::Expired, |b| b.links[4].window = PAST),
    ("C12 instance", Code::Expired, |b| b.links[3].window = PAST),
    ("C13", Code::NotYetValid, |b| b.links[4].window = FUTURE),
    ("C19", Code::ReportData, |b| b.user_data = Some(vec![0; 64])),
    ("C20 in the statement", Code::Nonce, |b| b.expected = Statement::new(b"node key", b"a newer nonce")),
    ("C20 in the document", Code::Nonce, |b| b.nonce = Some(vec![4; 16])),
    ("C20 absent", Code::Nonce, |b| b.nonce = None),
    ("C22", Code::Measurement, |b| b.pcrs[3].1 = vec![8; 48]),
    ("C22 absent", Code::Measurement, |b| b.pcrs.truncate(3)),
    ("C24", Code::OtherNode, |b| b.expected = Statement::new(b"key of another node", b"nonce")),
    ("C26", Code::OversizedLength, |b| {
        b.finish = |document| replace(document, &[0x44, 0xa1], &[0x5a, 0x7f, 0xff, 0xff, 0xff, 0xa1])
    }),
    ("C26 all of it", Code::OversizedLength, |b| b.finish = |document| document.resize((16 << 10) + 1, 0)),
    ("C27", Code::LengthOverflow, |b| {
        b.finish = |document| replace(document, &[0x44, 0xa1], &[0x5b, 255, 255, 255, 255, 255, 255, 255, 255, 0xa1])
    }),
    ("C28 header", Code::DuplicateKey, |b| b.protected = vec![0xa2, 0x01, 0x38, 0x22, 0x01, 0x38, 0x22]),
    ("C28 payload", Code::DuplicateKey, |b| b.payload = |payload| replace(payload, b"\x65nonce", b"\x66digest")),
    ("C28 PCR", Code::DuplicateKey, |b| b.pcrs[3].0 = 0),
    ("C29 header", Code::NotCanonical, |b| b.protected = vec![0xa1, 0x01, 0x39, 0x00, 0x22]),
    ("C29 payload", Code::NotCanonical, |b| b.payload = |payload| drop(payload.splice(..1, [0xb8, 9]))),
    ("C29 an open map inside", Code::NotCanonical, |b| {
        b.payload = |payload| {
            open(payload);
            replace(payload, b"\x64pcrs\xa4", b"\x64pcrs\xbf");
        };
    }),
    ("C29 an open header", Code::NotCanonical, |b| b.protected = vec![0xbf, 0x01, 0x38, 0x22, 0xff]),
    ("C2 an open map without its end", Code::Truncated, |b| b.payload = |payload| payload[0] = 0xbf),
    ("C3 after an open map", Code::TrailingBytes, |b| {
        b.payload = |payload| {
            open(payload);
            payload.push(0xff);
        };
    }),
    ("N1", Code::NitroZeroPcrs, |b| b.pcrs[..3].iter_mut().for_each(|(_, pcr)| pcr.fill(0))),
    ("N2 ES256", Code::NitroAlgorithm, |b| b.protected = vec![0xa1, 0x01, 0x26]),
    ("N2 none", Code::NitroAlgorithm, |b| b.protected = vec![0xa1, 0x02, 0x38, 0x22]),
    ("another header", Code::BadEncoding, |b| b.protected = vec![0xa2, 0x01, 0x38, 0x22, 0x04, 0x40]),
    ("N3", Code::NitroUnprotected, |b| b.unprotected = vec![0xa1, 0x04, 0x40]),
    ("N4", Code::NitroRoot, |b| b.root = "another"),
    ("N5 future", Code::NitroTimestamp, |b| b.timestamp = (NOW + 301) * 1000),
    ("N5 before the leaf", Code::NitroTimestamp, |b| b.timestamp = (date(2026, 1, 1) - 1) * 1000),
    ("N6", Code::NitroPublicKey, |b| b.public_key = None),
    ("N7", Code::NitroTagged, |b| b.tagged = true),
    ("N8", Code::NitroPathLength, |b| b.links[1].authority = Some(Some(1))),
    ("N8 zone", Code::NitroPathLength, |b| b.links[2].authority = Some(Some(0))),
    ("N9 though its key may not certify", Code::NitroLeafIsCa, |b| {
        b.links[4].authority = Some(None);
        b.links[4].more = Some(("2.5.29.15", true, &[3, 2, 7, 0x80]));
    }),
    ("N9", Code::NitroLeafIsCa, |b| b.links[4].authority = Some(None)),
    ("N10 public key", Code::NitroFieldSize, |b| b.public_key = Some(vec![1; 1025])),
    ("N10 user data", Code::NitroFieldSize, |b| b.user_data = Some(vec![1; 1025])),
    ("N10 nonce", Code::NitroFieldSize, |b| b.nonce = Some(vec![1; 1025])),
    ("N10 certificate", Code::NitroFieldSize, |b| b.chain = |chain| chain[4].resize(1025, 0)),
    ("N10 authority", Code::NitroFieldSize, |b| b.chain = |chain| chain[1].resize(1025, 0)),
    ("N11 size", Code::NitroPcrSize, |b| b.pcrs[0].1 = vec![7; 32]),
    ("N11 index", Code::NitroPcrSize, |b| b.pcrs[3].0 = 32),
    ("N12", Code::NitroDigest, |b| b.digest = "SHA256"),
    ("no PCR", Code::BadEncoding, |b| b.pcrs.clear()),
    ("an unknown field", Code::BadEncoding, |b| b.payload = |payload| replace(payload, b"\x65nonce", b"\x65nance")),
    ("too many certificates", Code::OversizedLength, |b| {
        b.chain = |chain| {
            let leaf = chain[4].clone();
            chain.extend([leaf.clone(), leaf]);
        }
    }),
];

/// Every code that some case here is refused with.
pub fn covered() -> impl Iterator<Item = Code> {
    CASES.iter().map(|(_, code, _)| *code)
}

#[test]
fn nothing_wrong_is_accepted() {
    assert_eq!(Build::new().verdict(), Ok(()));
    let newer = Build { payload: open, ..Build::new() };
    assert_eq!(newer.verdict(), Ok(()));
    let mut build = Build::new();
    build.timestamp = (NOW + 299) * 1000;
    build.nonce = None;
    build.policy.nitro.nonce = None;
    build.public_key = None;
    build.policy.nitro.require_public_key = false;
    build.links[3].more = Some(("2.5.29.15", true, &[3, 2, 2, 4]));
    build.links[2].more = Some(("2.5.29.30", false, &[0x30, 0]));
    assert_eq!(build.verdict(), Ok(()));
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
fn without_user_data_the_public_key_is_what_is_bound() {
    let mut build = Build::new();
    build.user_data = None;
    assert_eq!(build.verdict().unwrap_err().code, Code::ReportData);
    let claims = nitro::verify(&build.document(), &Root(ROOT.to_vec()), NOW).unwrap();
    assert_eq!(claims.report_data.0, [1; 91]);
    assert_eq!(attestation::policy(&claims, &build.policy, &Binding::Exact(vec![1; 91])), Ok(()));
}
