//! Bytes that nobody chose with care: parsers answer, and answer the same twice.

use attestation::intel::event_log::replay;
use attestation::intel::quote::Quote;
use attestation::intel::{self, Collateral, ROOT};
use attestation::{Code, json, virtual_tee};
use proptest::prelude::*;
use serde_json::Value;

use crate::mock::intel::{ALL, Base, Build, NOW, event_log, pem};

fn bases() -> impl Strategy<Value = Base> {
    prop::sample::select(ALL)
}

/// Any small JSON value.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9A-Fa-f]{0,100}".prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z]{1,8}", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Places of the two documents.
const PLACES: &[&str] = &[
    "/version",
    "/id",
    "/issueDate",
    "/nextUpdate",
    "/fmspc",
    "/tcbEvaluationDataNumber",
    "/tcbLevels",
    "/tcbLevels/0",
    "/tcbLevels/1/tcb/sgxtcbcomponents",
    "/tcbLevels/1/tcb/pcesvn",
    "/tcbLevels/1/tcb/tdxtcbcomponents/3/svn",
    "/tcbLevels/1/tcb/isvsvn",
    "/tcbLevels/1/tcbStatus",
    "/tcbLevels/1/tcbDate",
    "/tdxModule",
    "/tdxModuleIdentities/0/tcbLevels/0/tcb/isvsvn",
    "/tdxModuleIdentities/0/attributesMask",
    "/mrsigner",
    "/attributes",
    "/miscselectMask",
    "/isvprodid",
];

/// A log's header, and whatever follows.
fn log(rest: &[u8]) -> Vec<u8> {
    [event_log(&[]).as_slice(), rest].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_no_quote(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert!(Quote::parse(&bytes).is_err());
        prop_assert!(virtual_tee::verify(&bytes).is_err());
        prop_assert!(Collateral::parse(&bytes).is_err());
        prop_assert!(replay(&bytes).is_err());
    }

    #[test]
    fn a_quote_with_a_piece_replaced_is_answered(
        base in bases(),
        at in 0_usize..6_000,
        piece in prop::collection::vec(any::<u8>(), 1..64),
    ) {
        let mut evidence = Build::new(base).evidence();
        let at = at % evidence.len();
        let end = (at + piece.len()).min(evidence.len());
        evidence[at..end].copy_from_slice(&piece[..end - at]);
        let first = Quote::parse(&evidence).map(|quote| quote.unverified_claims());
        prop_assert_eq!(Quote::parse(&evidence).map(|quote| quote.unverified_claims()), first);
    }

    #[test]
    fn certificates_and_lists_with_a_piece_replaced_are_answered(
        which in 0_usize..4,
        at in 0_usize..1_000,
        piece in prop::collection::vec(any::<u8>(), 1..32),
    ) {
        let build = Build::new(Base::Tdx5);
        let (evidence, mut given) = (build.evidence(), build.collateral());
        let replace = |der: &mut Vec<u8>| {
            let at = at % der.len();
            let end = (at + piece.len()).min(der.len());
            der[at..end].copy_from_slice(&piece[..end - at]);
        };
        match which {
            0 => replace(&mut given.root_ca_crl.0),
            1 => replace(&mut given.pck_crl.0),
            _ => {
                let mut chain = build.signers();
                replace(&mut chain[which - 2]);
                given.tcb_info_issuer_chain = pem(&chain);
            }
        }
        let verdict = || intel::verify(&evidence, &given, &Build::pinned(), NOW).map_err(|refusal| refusal.code);
        prop_assert_eq!(verdict(), verdict());
    }

    #[test]
    fn events_of_any_bytes_replay_or_are_refused(rest in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Err(refusal) = replay(&log(&rest)) {
            prop_assert_eq!(refusal.code, Code::EventLogTruncated);
        }
    }

    #[test]
    fn well_formed_events_replay_and_their_order_counts(digests in prop::collection::vec(any::<[u8; 48]>(), 2..6)) {
        let events = |digests: Vec<[u8; 48]>| {
            let events: Vec<_> = digests.into_iter().map(|digest| (1, digest)).collect();
            event_log(&events)
        };
        let forward = events(digests.clone());
        let backward = events(digests.iter().rev().copied().collect());
        let register = |log: &[u8]| replay(log).map(|registers| registers[0]);
        let padded = [forward.as_slice(), &[0xff; 100]].concat();
        prop_assert_eq!(register(&padded), register(&forward));
        let palindrome = digests.iter().eq(digests.iter().rev());
        prop_assert_eq!(register(&forward) == register(&backward), palindrome);
        prop_assert_eq!(register(&forward[..forward.len() - 1]).unwrap_err().code, Code::EventLogTruncated);
    }

    #[test]
    fn documents_with_anything_anywhere_are_answered(
        base in bases(),
        place in prop::sample::select(PLACES),
        value in value(),
    ) {
        let mut build = Build::new(base);
        for document in [&mut build.tcb_info.value, &mut build.qe_identity.value] {
            if let Some(there) = document.pointer_mut(place) {
                *there = value.clone();
            }
        }
        // The two verifiers may differ on an odd document; then it is refused. A verdict stays the same.
        // Signatures are made anew, so the evidence has another hash.
        let verdict = || build.verify().map(|claims| claims.status).map_err(|refusal| refusal.code);
        prop_assert_eq!(verdict(), verdict());
    }

    #[test]
    fn json_of_any_text_is_answered(text in "\\PC{0,200}") {
        let _ = json::parse::<Value>(text.as_bytes(), 1_000, "test");
    }
}

#[test]
fn events_that_look_like_padding_do_not_make_the_walk_quadratic() {
    // A mebibyte of empty events (all zero) and one last byte: each event must be looked at once.
    let mut rest = vec![0; (1 << 20) - 100];
    rest.push(1);
    assert_eq!(replay(&log(&rest)).unwrap_err().code, Code::EventLogTruncated);
}

#[test]
fn collateral_is_read_strictly() {
    let text = r#"{"root_ca_crl":"","pck_crl":"","tcb_info_issuer_chain":"","tcb_info":"","tcb_info_signature":"",
        "qe_identity_issuer_chain":"","qe_identity":"","qe_identity_signature":""}"#;
    let given = Collateral::parse(text.as_bytes()).unwrap();
    let code = |text: &str| Collateral::parse(text.as_bytes()).unwrap_err().code;
    assert_eq!(code(&text.replacen('{', "{\"pck_crl\":\"\",", 1)), Code::DuplicateKey);
    assert_eq!(code(&format!("{text}x")), Code::JsonTrailing);
    assert_eq!(code(&text.replacen("\"pck_crl\"", "\"pck_clr\"", 1)), Code::BadEncoding);
    assert_eq!(
        code(&text.replacen("\"tcb_info\":\"\"", &format!("\"tcb_info\":\"{}\"", "x".repeat(300_000)), 1)),
        Code::OversizedLength
    );
    let refusal = intel::verify(&Build::new(Base::Sgx).evidence(), &given, ROOT, 0).unwrap_err();
    assert_eq!(refusal.code, Code::OtherRoot);
}
