//! What vouches for evidence and comes from its vendor, by whoever fetched it: documents, lists, chains, key sets.

use std::sync::LazyLock;

use attestation::fetch::Fetched;
use attestation::intel::{self, Collateral};
use attestation::maa::Instance;
use attestation::nitro::Root;
use attestation::{Bytes, amd, azure, cca};

use crate::input::{Input, pieces};
use crate::mock::intel::{Base, Build};
use crate::vectors;

/// A quote, and collateral that it is accepted with.
static GOOD: LazyLock<(Vec<u8>, Collateral, Vec<u8>)> = LazyLock::new(|| {
    let build = Build::new(Base::Tdx5);
    (build.evidence(), build.collateral(), Build::pinned())
});

/// The first byte chooses which part of the collateral the input is; then come files as vendors publish them, and
/// what their services answer.
pub fn run(data: &[u8]) {
    let mut input = Input(data);
    match input.byte() % 6 {
        0 => document(&mut input),
        1 => with(|given| given.root_ca_crl = Bytes(input.0.to_vec())),
        2 => with(|given| given.pck_crl = Bytes(input.0.to_vec())),
        3 => with(|given| given.tcb_info_issuer_chain = String::from_utf8_lossy(input.0).into_owned()),
        4 => file(input.0),
        _ => answered(&mut input),
    }
}

/// Documents of any text, signed by the mock vendor.
fn document(input: &mut Input<'_>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (tcb_info, qe_identity) = (text(input.piece()), text(input.0));
    let key = crate::mock::der::Key::p256("TCB signer");
    let sign = |text: &str| Bytes(key.sign_fixed(text.as_bytes()));
    with(|given| {
        (given.tcb_info_signature, given.qe_identity_signature) = (sign(&tcb_info), sign(&qe_identity));
        (given.tcb_info, given.qe_identity) = (tcb_info, qe_identity);
    });
}

fn with(change: impl FnOnce(&mut Collateral)) {
    let (evidence, given, root) = &*GOOD;
    let mut given = given.clone();
    change(&mut given);
    let now = crate::mock::intel::NOW;
    let verdict = || intel::verify(evidence, &given, root, now);
    assert_eq!(verdict(), verdict());
    let text = serde_json::to_vec(&given).expect("collateral has a text");
    assert_eq!(Collateral::parse(&text), Ok(given), "its own text says the same");
}

fn file(bytes: &[u8]) {
    if let Ok(given) = Collateral::parse(bytes) {
        let text = serde_json::to_vec(&given).expect("collateral has a text");
        assert_eq!(Collateral::parse(&text), Ok(given));
    }
    drop(amd::Endorsements::of_pem(bytes));
    drop(amd::Endorsements::of_thim(bytes));
    drop(Root::of_pem(bytes));
    drop(cca::Anchor::of_jwk(bytes));
    drop(Instance::new("https://issuer.example", bytes));
    if let Ok(evidence) = azure::Evidence::of_json(bytes) {
        let again = azure::Evidence::of_json(&evidence.to_json()).expect("its own text can be read");
        assert_eq!(again.to_json(), evidence.to_json());
    }
    if let Ok(evidence) = attestation::vbs::Evidence::of_json(bytes) {
        let again = attestation::vbs::Evidence::of_json(&evidence.to_json()).expect("its own text can be read");
        assert_eq!(again.to_json(), evidence.to_json());
    }
}

/// The answers of Intel's service, all with one signer's chain.
fn answered(input: &mut Input<'_>) {
    let bodies = [input.piece(), input.piece(), input.piece(), input.piece()];
    let chain = String::from_utf8_lossy(input.0).into_owned();
    let fetched = bodies.map(|body| Fetched { body: body.to_vec(), chain: Some(chain.clone()) });
    let Ok(given) = Collateral::of_service(fetched.to_vec()) else { return };
    let holds = |body: &[u8], text: &str| body.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds(bodies[0], &given.tcb_info) && holds(bodies[1], &given.qe_identity), "what is signed is as it came");
    let text = serde_json::to_vec(&given).expect("collateral has a text");
    assert_eq!(Collateral::parse(&text), Ok(given));
}

/// As the service would answer.
fn answers(given: &Collateral) -> Vec<u8> {
    let signed = |name: &str, text: &str, signature: &Bytes| {
        format!("{{\"{name}\":{text},\"signature\":\"{signature}\"}}").into_bytes()
    };
    let tcb = signed("tcbInfo", &given.tcb_info, &given.tcb_info_signature);
    let identity = signed("enclaveIdentity", &given.qe_identity, &given.qe_identity_signature);
    let root = const_hex::encode(&given.root_ca_crl.0).into_bytes();
    pieces(5, &[&tcb, &identity, &given.pck_crl.0, &root], b"-----BEGIN%20CERTIFICATE-----%0A")
}

pub fn seeds() -> Vec<Vec<u8>> {
    let (_, given, _) = &*GOOD;
    let mut seeds = vec![
        pieces(0, &[given.tcb_info.as_bytes()], given.qe_identity.as_bytes()),
        [&[1], &given.root_ca_crl.0[..]].concat(),
        [&[2], &given.pck_crl.0[..]].concat(),
        [&[3], given.tcb_info_issuer_chain.as_bytes()].concat(),
        answers(given),
    ];
    let files = vectors::ending(
        "attestation",
        &[
            "ollateral.json",
            "cpak.json",
            "certs.json",
            "amd_certificate.json",
            "evidence-v1.json",
            "evidence-v2.json",
            "root_g1.pem",
            "ask_ark_milan.pem",
            "2025-06.json",
        ],
    );
    seeds.extend(files.into_iter().map(|bytes| [&[4], &bytes[..]].concat()));
    seeds
}
