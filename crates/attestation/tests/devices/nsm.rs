//! The device of Nitro enclaves, scripted.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use attestation::gather::{Attester, Error, Gathered, Nsm, NsmDevice};
use attestation::nitro::Root;
use attestation::{Binding, Kind, Roots, Statement};
use proptest::prelude::*;

use crate::mock::cose::cbor;
use crate::mock::nitro::{Build, NOW, ROOT};

/// What a call answers: these bytes, and how many the driver says that they are; or an errno.
type Answer = Result<(Vec<u8>, u64), i32>;

/// A simulated `/dev/nsm`.
#[derive(Clone)]
struct Simulated {
    answer: Answer,
    asked: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl NsmDevice for Simulated {
    fn ask(&self, request: &[u8], response: &mut [u8]) -> io::Result<u64> {
        self.asked.lock().unwrap().push(request.to_vec());
        let (bytes, length) = self.answer.clone().map_err(io::Error::from_raw_os_error)?;
        response[..bytes.len()].copy_from_slice(&bytes);
        Ok(length)
    }

    fn name(&self) -> PathBuf {
        "simulated nsm".into()
    }
}

fn ask(answer: Answer, data: &[u8; 64]) -> (Result<Gathered, Error>, Vec<Vec<u8>>) {
    let device = Simulated { answer, asked: Arc::default() };
    let gathered = Nsm::on(Box::new(device.clone())).evidence(data);
    let asked = device.asked.lock().unwrap().clone();
    (gathered, asked)
}

fn whole(bytes: Vec<u8>) -> Answer {
    let length = bytes.len() as u64;
    Ok((bytes, length))
}

/// As the module answers.
pub fn answer(document: &[u8]) -> Vec<u8> {
    cbor(|e| {
        e.map(1).unwrap().str("Attestation").unwrap().map(1).unwrap().str("document").unwrap().bytes(document).unwrap();
    })
}

fn why(answer: Answer) -> String {
    match ask(answer, &[7; 64]).0 {
        Err(Error::Answer { device, what }) => {
            assert_eq!(device, PathBuf::from("simulated nsm"));
            what
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_document_binds_what_was_asked_for() {
    let data = Statement::new(b"key of the node", b"").report_data();
    let mut build = Build::new();
    build.bind(&data);
    let document = build.document();
    let (gathered, asked) = ask(whole(answer(&document)), &data);
    // As AWS's library writes `Request::Attestation`.
    let mut request = b"\xa1\x6bAttestation\xa3\x69user_data\x58\x40".to_vec();
    request.extend(data);
    request.extend(b"\x65nonce\xf6\x6apublic_key\xf6");
    assert_eq!(asked, [request]);
    let gathered = gathered.unwrap();
    assert_eq!((gathered.kind, &gathered.evidence), (Kind::Nitro, &document));
    let roots = Roots { nitro: Root(ROOT.to_vec()), ..Roots::vendors() };
    let claims = gathered.presented(None).unwrap().verify(&roots, NOW).unwrap();
    assert_eq!(Binding::Exact(data.to_vec()).check(&claims), Ok(()));
}

#[test]
fn the_envelope_may_have_any_form_and_more_in_it() {
    let open = [&b"\xbf\x6bAttestation\xbf\x68document\x43abc\xff\xff"[..]];
    let more = [
        &b"\xa2\x64more\x82\x01\xbf\xff\x6bAttestation\xa2\x68document\x43abc\x61x\xa1\x01\x02"[..],
        b"\xa1\x6bAttestation\xa2\x61x\x9f\x9f\xff\xff\x68document\x43abc",
    ];
    for bytes in open.into_iter().chain(more) {
        assert_eq!(ask(whole(bytes.to_vec()), &[7; 64]).0.unwrap().evidence, b"abc");
    }
}

#[test]
fn what_is_no_document_is_an_error_that_says_so() {
    let refused = |name: &str| {
        cbor(|e| {
            e.map(1).unwrap().str("Error").unwrap().str(name).unwrap();
        })
    };
    assert_eq!(why(whole(refused("InputTooLarge"))), "the module gives no document: InputTooLarge");
    assert!(why(whole(refused(&"x".repeat(9_000)))).len() < 100);
    assert_eq!(why(whole(answer(b""))), "it has no document");
    assert_eq!(why(whole(b"\xa0".to_vec())), "it has no document");
    assert_eq!(why(whole(b"\xa1\x68Describe\xa0".to_vec())), "it has no document");
    assert!(why(whole(vec![])).contains("cannot be read"));
    assert!(why(whole(b"\x80".to_vec())).contains("cannot be read"));
    assert!(why(whole(b"\xa1\x6bAttestation\xa1\x68document\x60".to_vec())).contains("cannot be read"), "a text");
    assert!(why(whole([&b"\xb8\x20"[..], &b"\x61x\x01".repeat(32)].concat())).contains("too many"));
    assert!(why(whole(b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x61x\x01".to_vec())).contains("cannot be read"));
    assert!(
        why(whole(b"\xa1\x6bAttestation\xa1\x68document\x5b\xff\xff\xff\xff\xff\xff\xff\xff".to_vec()))
            .contains("read")
    );
    // The driver says more than there was room for, or less than there is.
    for length in [0x3001, u64::MAX] {
        assert!(why(Ok((answer(b"abc"), length))).contains("room"));
    }
    let good = answer(b"abc");
    for length in 0..good.len() {
        assert!(why(Ok((good.clone(), length as u64))).contains("cannot be read"), "{length}");
    }
    let (failed, asked) = ask(Err(90), &[7; 64]);
    assert!(matches!(failed, Err(Error::File { source, .. }) if source.raw_os_error() == Some(90)));
    assert_eq!(asked.len(), 1);
}

proptest! {
    #[test]
    fn no_answer_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = ask(whole(bytes.clone()), &[7; 64]);
        let _ = ask(whole([&b"\xa1\x6bAttestation"[..], &bytes].concat()), &[7; 64]);
        let _ = ask(whole([&b"\xbf\x6bAttestation\xbf\x68document"[..], &bytes].concat()), &[7; 64]);
    }
}
