//! Recorded certificates that carry quotes.

use attestation::intel::quote::Quote;
use attestation::intel::{self, ROOT};
use attestation::ra_tls::{Format, RaTls};
use attestation::{Code, CodeEntry, Kind, Policy, Status};

use crate::containers::collateral;
use crate::mock::der::{Certificate, Key, Style, octets, tlv};
use crate::mock::vectors::{date, folder, read};

const JUNE: u64 = date(2025, 6, 20);

fn certificate(path: &str) -> Vec<u8> {
    x509_parser::pem::parse_x509_pem(&read(path)).unwrap().1.contents
}

#[test]
fn recorded_certificates_bind_their_keys_to_debug_enclaves() {
    if folder().is_none() {
        return;
    }
    for path in ["ra-tls/gramine-cert.pem", "ra-tls/intel-sgxsdk-cert.pem"] {
        let der = certificate(path);
        let carried = RaTls::parse(&der, JUNE).unwrap_or_else(|refusal| panic!("{path}: {refusal}"));
        assert_eq!(carried.format, Format::IntelQuote);
        let mut claims = Quote::parse(carried.evidence).unwrap().unverified_claims();
        if path.contains("gramine") {
            claims = intel::verify(carried.evidence, &collateral("sgx/composed/00606A000000-eval17.json"), ROOT, JUNE)
                .unwrap();
        }
        let binding = carried.binding(None).unwrap();
        binding.check(&claims).unwrap();
        assert_eq!(carried.binding(Some(b"a nonce")).unwrap_err().code, Code::Nonce);
        // The default policy, as if Intel had nothing to say of the platform.
        claims.status = Some(Status::UpToDate);
        claims.evaluation = Some(17);
        let entry = CodeEntry::new(Kind::Sgx, &[("mrenclave", claims.measurements["mrenclave"].as_ref())]);
        let policy = Policy { manifest: vec![entry], ..Policy::default() };
        assert_eq!(attestation::policy(&claims, &policy, &binding).unwrap_err().code, Code::DebugBit);
    }
}

/// CBOR of a byte string shorter than 256.
fn bytes(content: &[u8]) -> Vec<u8> {
    let length = content.len() as u8;
    let head = if length < 24 { vec![0x40 | length] } else { vec![0x58, length] };
    [&head, content].concat()
}

/// A certificate of `key` whose claims name `named`.
fn made(key: &str, signer: &str, named: &str, algorithm: u8, tag: u16) -> Vec<u8> {
    let digest = crypto::sha256(&Key::p256(named).spki()).0;
    let hash = [&[0x82, algorithm][..], &bytes(&digest)].concat();
    let claims = [b"\xa2\x6bpubkey-hash", bytes(&hash).as_slice(), b"\x65nonce\x42no"].concat();
    let value = [&[0xd9][..], &tag.to_be_bytes(), &[0x82], &bytes(b"evidence"), &bytes(&claims)].concat();
    Certificate {
        serial: 1,
        issuer: "node",
        subject: "node",
        window: ("20250101000000Z", "20320101000000Z"),
        spki: Key::p256(key).spki(),
        extensions: vec![("2.23.133.5.4.9", false, value)],
    }
    .signed(&Key::p256(signer), Style::Ecdsa256)
}

#[test]
fn a_certificate_of_another_key_and_an_old_nonce_are_told_apart() {
    let code = |der: &[u8], nonce: Option<&[u8]>| {
        RaTls::parse(der, JUNE).and_then(|carried| carried.binding(nonce)).map(|_| ()).map_err(|refusal| refusal.code)
    };
    let good = made("node", "node", "node", 1, 60000);
    assert_eq!(code(&good, None), Ok(()));
    assert_eq!(code(&good, Some(b"no")), Ok(()));
    assert_eq!(code(&good, Some(b"fresh")), Err(Code::Nonce));
    assert_eq!(code(&made("node", "other", "node", 1, 60000), None), Err(Code::BadSignature));
    assert_eq!(code(&made("node", "node", "other", 1, 60000), None), Err(Code::OtherNode));
    assert_eq!(code(&made("node", "node", "node", 7, 60000), None), Err(Code::WrongAlgorithm));
    assert_eq!(code(&made("node", "node", "node", 1, 60003), None), Err(Code::WrongVersion));
    assert_eq!(RaTls::parse(&good, date(2024, 1, 1)).unwrap_err().code, Code::NotYetValid);
    assert_eq!(RaTls::parse(&good, date(2033, 1, 1)).unwrap_err().code, Code::Expired);
    for length in 0..good.len() {
        assert!(RaTls::parse(&good[..length], JUNE).is_err());
    }
    let plain = Certificate {
        serial: 1,
        issuer: "node",
        subject: "node",
        window: ("20250101000000Z", "20320101000000Z"),
        spki: Key::p256("node").spki(),
        extensions: vec![("2.23.133.5.4.10", false, tlv(0x30, &octets(b"x")))],
    };
    assert_eq!(
        RaTls::parse(&plain.signed(&Key::p256("node"), Style::Ecdsa256), JUNE).unwrap_err().code,
        Code::BadEncoding
    );
}
