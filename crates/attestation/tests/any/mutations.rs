//! Evidence with several bytes changed, inserted, left out or moved: it is answered, and an accepted one claims the same.

use attestation::azure::Evidence;
use attestation::{Claims, amd, vbs};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::recorded;
use crate::azure::mutations::PARTS;
use crate::mock::amd::Build as Amd;
use crate::mock::azure::Build as Azure;
use crate::mock::intel::Base;
use crate::mock::vbs::Build as Windows;
use crate::mock::vectors::folder;

const CASES_EACH: u32 = 600;

/// One change; places and lengths are fractions of what there is.
#[derive(Debug, Clone)]
enum Change {
    Set(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    Repeat(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let place = 0..usize::MAX / 2;
    prop_oneof![
        (place.clone(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        // Bytes that mean most in CBOR, DER and JSON.
        (place.clone(), prop::sample::select(b"\x00\x01\x1f\x30\x3f\x7f\x80\x81\x9f\xbf\xff\"{}[],:.".to_vec()))
            .prop_map(|(at, byte)| Change::Set(at, byte)),
        (place.clone(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (place.clone(), 1..64_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        (place, 1..64_usize).prop_map(|(at, count)| Change::Repeat(at, count)),
    ]
}

impl Change {
    fn on(&self, bytes: &mut Vec<u8>) {
        let place = |at: usize| at % bytes.len().max(1);
        match self {
            Self::Set(at, byte) => {
                let at = place(*at);
                if let Some(old) = bytes.get_mut(at) {
                    *old = *byte;
                }
            }
            Self::Insert(at, more) => {
                let at = place(*at).min(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Remove(at, count) => {
                let at = place(*at).min(bytes.len());
                bytes.drain(at..bytes.len().min(at + count));
            }
            Self::Repeat(at, count) => {
                let at = place(*at).min(bytes.len());
                let part = bytes[at..bytes.len().min(at + count)].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
}

fn check(name: &str, evidence: &[u8], verify: &dyn Fn(&[u8]) -> Result<Claims, attestation::Refusal>) {
    let claims = verify(evidence).unwrap();
    let mut runner = TestRunner::new(Config { cases: CASES_EACH, failure_persistence: None, ..Config::default() });
    let changes = prop::collection::vec(change(), 1..4);
    let run = runner.run(&changes, |changes| {
        let mut changed = evidence.to_vec();
        changes.iter().for_each(|change| change.on(&mut changed));
        if let Ok(other) = verify(&changed) {
            prop_assert_eq!(&Claims { evidence: claims.evidence, ..other }, &claims);
        }
        Ok(())
    });
    run.unwrap_or_else(|e| panic!("{name}: {e}"));
}

#[test]
fn recorded_evidence_with_several_changes_is_answered() {
    if folder().is_none() {
        return;
    }
    for one in recorded() {
        check(one.name, &one.evidence, &one.verify);
    }
}

#[test]
fn changed_endorsements_are_answered_too() {
    let build = Amd::new();
    let (evidence, given, roots) = (build.evidence(), build.endorsements(), build.roots());
    let with = |part: fn(&mut amd::Endorsements) -> &mut Vec<u8>| {
        let (evidence, given, roots) = (&evidence, &given, &roots);
        move |bytes: &[u8]| {
            let mut given = given.clone();
            *part(&mut given) = bytes.to_vec();
            amd::verify(evidence, &given, roots, build.now)
        }
    };
    check("VCEK", &given.chain[0], &with(|given| &mut given.chain[0]));
    check("ASK", &given.chain[1], &with(|given| &mut given.chain[1]));
    check("CRL", &given.crls[0], &with(|given| &mut given.crls[0]));
    let uvm = given.uvm.clone().unwrap();
    check("UVM endorsement", &uvm, &with(|given| given.uvm.get_or_insert_default()));
}

#[test]
fn synthetic_evidence_with_several_changes_is_answered() {
    let build = Windows::new();
    let (evidence, anchors) = (build.evidence(), build.anchors());
    check("VBS", &evidence.to_json(), &|bytes| vbs::verify(bytes, &anchors, build.now));
    // Changes inside the encodings, which changes of their text seldom reach.
    let with = |part: fn(&mut vbs::Evidence) -> &mut Vec<u8>| {
        let (evidence, anchors) = (evidence.clone(), &anchors);
        move |bytes: &[u8]| {
            let mut evidence = evidence.clone();
            *part(&mut evidence) = bytes.to_vec();
            vbs::verify(&evidence.to_json(), anchors, build.now)
        }
    };
    check("report", &evidence.report, &with(|evidence| &mut evidence.report));
    check("log", &evidence.log, &with(|evidence| &mut evidence.log));
    check("quote", &evidence.tpm_quote.message, &with(|evidence| &mut evidence.tpm_quote.message));
    check("AK", &evidence.ak_chain[0], &with(|evidence| &mut evidence.ak_chain[0]));
}

/// None is recorded that is accepted.
#[test]
fn vtpm_evidence_on_tdx_with_several_changes_is_answered() {
    for base in [Base::Tdx4, Base::Tdx5] {
        let build = Azure::tdx(base);
        let (evidence, verify) = (build.evidence(), build.verifier());
        check("vTPM on TDX", &evidence, &verify);
        let evidence = Evidence::of_json(&evidence).unwrap();
        for (name, part) in PARTS {
            let whole = part(&mut evidence.clone()).unwrap().clone();
            check(name, &whole, &|bytes| {
                let mut evidence = evidence.clone();
                *part(&mut evidence).unwrap() = bytes.to_vec();
                verify(&evidence.to_json())
            });
        }
    }
}
