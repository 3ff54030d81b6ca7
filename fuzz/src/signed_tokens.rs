//! Tokens in CBOR whose payloads an input is, signed with keys of our own: Arm CCA's two, and the document of a Nitro enclave.

use std::sync::LazyLock;

use attestation::cca::{self, Anchor, Anchors, Curve};
use attestation::nitro::{self, Root};
use attestation::{Binding, Claims, Policy, Refusal};
use minicbor::Encoder;
use minicbor::data::Tag;

use crate::input::{Input, pieces};
use crate::mock::amd::{NOW, WINDOW};
use crate::mock::cose::{Sign1, cbor};
use crate::mock::der::{Certificate, Key, Style, authority, sequence};

type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

/// The protected header that says ES384.
const ES384: &[u8] = &[0xa1, 0x01, 0x38, 0x22];

/// The first byte chooses: a platform's and a realm's claims, or a document.
pub fn run(data: &[u8]) {
    let mut input = Input(data);
    match input.byte() & 1 {
        0 => {
            let platform = input.piece();
            let token = token(&signed(true, platform, "platform"), &signed(true, input.0, "realm"));
            judge(input.0, || cca::verify(&token, &anchors()));
        }
        _ => {
            let document = signed(false, input.0, "leaf");
            judge(input.0, || nitro::verify(&document, &Root(CHAIN[0].clone()), NOW));
        }
    }
}

/// The same verdict twice; what was accepted is told whole, and bound to what the payload says.
fn judge(payload: &[u8], verify: impl Fn() -> Result<Claims, Refusal>) {
    let verdict = verify();
    assert_eq!(verdict, verify());
    let Ok(claims) = verdict else { return };
    let text = serde_json::to_string(&claims).expect("claims have a text");
    assert_eq!(serde_json::from_str::<Claims>(&text).ok().as_ref(), Some(&claims));
    let bound = &claims.report_data.0;
    assert!(bound.is_empty() || payload.windows(bound.len()).any(|window| window == bound), "bound to other bytes");
    drop(attestation::policy(&claims, &Policy::default(), &Binding::Exact(bound.clone())));
}

fn signed(tagged: bool, payload: &[u8], signer: &'static str) -> Vec<u8> {
    let parts = Sign1 { tagged, protected: ES384, unprotected: &[0xa0], payload };
    parts.signed(|signed| Key::p384(signer).sign_fixed(signed))
}

fn written(write: impl FnOnce(&mut Encoder<Vec<u8>>) -> Written) -> Vec<u8> {
    cbor(|e| write(e).expect("memory takes it"))
}

fn token(platform: &[u8], realm: &[u8]) -> Vec<u8> {
    written(|e| e.tag(Tag::new(399))?.map(2)?.i64(44234)?.bytes(platform)?.i64(44241)?.bytes(realm)?.ok())
}

fn anchors() -> Anchors {
    let point = Key::p384("platform").public().to_vec();
    Anchors(vec![Anchor { implementation_id: None, instance_id: None, curve: Curve::P384, point }])
}

/// From the root to the enclave's own, which AWS makes for three hours.
static CHAIN: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let link = |subject, issuer, path: Option<Option<u8>>| {
        let constraints = path.map_or_else(|| ("2.5.29.19", true, sequence(&[])), authority);
        let spki = Key::p384(subject).spki();
        let certificate =
            Certificate { serial: 1, issuer, subject, window: WINDOW, spki, extensions: vec![constraints] };
        certificate.signed(&Key::p384(issuer), Style::Ecdsa384)
    };
    vec![
        link("root", "root", Some(None)),
        link("region", "root", Some(Some(2))),
        link("zone", "region", Some(Some(1))),
        link("instance", "zone", Some(Some(0))),
        link("leaf", "instance", None),
    ]
});

fn document() -> Vec<u8> {
    let (leaf, others) = CHAIN.split_last().expect("five of them");
    written(|e| {
        e.map(9)?.str("module_id")?.str("i-1-enc2")?.str("digest")?.str("SHA384")?;
        e.str("timestamp")?.u64(NOW * 1_000)?.str("pcrs")?.map(2)?;
        e.u64(0)?.bytes(&[7; 48])?.u64(8)?.bytes(&[7; 48])?;
        e.str("certificate")?.bytes(leaf)?.str("cabundle")?.array(others.len() as u64)?;
        for certificate in others {
            e.bytes(certificate)?;
        }
        e.str("public_key")?.bytes(&[1; 91])?.str("user_data")?.bytes(&[2; 64])?.str("nonce")?.bytes(&[3; 16])?.ok()
    })
}

fn realm(key: &[u8]) -> Vec<u8> {
    written(|e| {
        e.map(8)?.i64(265)?.str("tag:arm.com,2023:realm#1.0.0")?.i64(10)?.bytes(&[9; 64])?;
        e.i64(44235)?.bytes(&[7; 64])?.i64(44236)?.str("sha-512")?.i64(44237)?.bytes(key)?;
        e.i64(44238)?.bytes(&[5; 64])?.i64(44239)?.array(4)?;
        for _ in 0..4 {
            e.bytes(&[0; 64])?;
        }
        e.i64(44240)?.str("sha-256")?.ok()
    })
}

fn platform(key: &[u8]) -> Vec<u8> {
    written(|e| {
        e.map(8)?.i64(265)?.str("tag:arm.com,2023:cca_platform#1.0.0")?;
        e.i64(10)?.bytes(&crypto::sha256(key).0)?.i64(2396)?.bytes(&[0x1d; 32])?.i64(256)?.bytes(&[1; 33])?;
        e.i64(2395)?.u64(0x3003)?.i64(2401)?.bytes(&[0xcf; 4])?.i64(2402)?.str("sha-256")?;
        e.i64(2399)?.array(1)?.map(3)?.i64(1)?.str("BL")?.i64(2)?.bytes(&[6; 32])?.i64(5)?.bytes(&[8; 32])?.ok()
    })
}

fn realm_key() -> Vec<u8> {
    let point = Key::p384("realm").public().to_vec();
    let (x, y) = point[1..].split_at(point.len() / 2);
    written(|e| e.map(4)?.i64(1)?.i64(2)?.i64(-1)?.i64(2)?.i64(-2)?.bytes(x)?.i64(-3)?.bytes(y)?.ok())
}

pub fn seeds() -> Vec<Vec<u8>> {
    let key = realm_key();
    vec![pieces(0, &[&platform(&key)], &realm(&key)), pieces(1, &[], &document())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_accepted() {
        let key = realm_key();
        let token = token(&signed(true, &platform(&key), "platform"), &signed(true, &realm(&key), "realm"));
        assert_eq!(cca::verify(&token, &anchors()).err(), None);
        let verdict = nitro::verify(&signed(false, &document(), "leaf"), &Root(CHAIN[0].clone()), NOW);
        assert_eq!(verdict.err(), None);
    }
}
