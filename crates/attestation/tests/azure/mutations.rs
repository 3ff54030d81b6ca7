//! Every byte flipped and every length cut: recorded evidence on SEV-SNP, and our own on TDX, where none is recorded that is
//! accepted.

use attestation::azure::Evidence;
use attestation::{Claims, Code, Refusal};

use super::samples::{SNP, recorded, verify};
use crate::mock::azure::Build;
use crate::mock::intel::Base;
use crate::mock::vectors::{date, folder};

type Verify = Box<dyn Fn(&[u8]) -> Result<Claims, Refusal>>;

/// A part of evidence, where it has it.
type Part = fn(&mut Evidence) -> Option<&mut Vec<u8>>;

/// Those that are encoded within the document.
pub const PARTS: &[(&str, Part)] = &[
    ("HCL report", |evidence| Some(&mut evidence.hcl_report)),
    ("TPM quote", |evidence| Some(&mut evidence.tpm_quote.message)),
    ("TD quote", |evidence| evidence.td_quote.as_mut()),
];

fn machines() -> Vec<(Evidence, Verify)> {
    let parts = |evidence: &[u8]| Evidence::of_json(evidence).unwrap();
    let on_tdx = [Base::Tdx4, Base::Tdx5].map(|base| {
        let build = Build::tdx(base);
        (parts(&build.evidence()), Box::new(build.verifier()) as Verify)
    });
    let mut machines = Vec::from(on_tdx);
    if folder().is_some() {
        let (evidence, endorsements) = recorded(&format!("{SNP}/evidence-v1.json"));
        let verify = move |evidence: &[u8]| verify(evidence, &endorsements, date(2026, 1, 1));
        machines.push((parts(&evidence), Box::new(verify)));
    }
    machines
}

#[test]
fn no_accepted_change_of_one_bit_changes_a_claim() {
    for (evidence, verify) in machines() {
        let evidence = evidence.to_json();
        let claims = verify(&evidence).unwrap();
        for at in 0..evidence.len() {
            let mut changed = evidence.clone();
            changed[at] ^= 1 << (at % 8);
            if let Ok(other) = verify(&changed) {
                assert_eq!(Claims { evidence: claims.evidence, ..other }, claims, "byte {at}");
            }
        }
    }
}

#[test]
fn whatever_is_cut_off_is_missed() {
    for (evidence, verify) in machines() {
        let text = evidence.to_json();
        for length in 0..text.len() {
            assert!(verify(&text[..length]).is_err(), "{length}");
        }
        for (name, part) in PARTS {
            let mut cut = evidence.clone();
            let whole = part(&mut cut).cloned().unwrap_or_default();
            for length in (0..whole.len()).rev() {
                part(&mut cut).unwrap().truncate(length);
                match verify(&cut.to_json()) {
                    // The TPM's index ends in zeros, of which some may be missing.
                    Ok(_) => assert!(whole[length..].iter().all(|byte| *byte == 0), "{name}, {length}"),
                    Err(refusal) => {
                        let missed = if length == 0 && *name == "TD quote" { Code::Empty } else { Code::Truncated };
                        assert_eq!(refusal.code, missed, "{name}, {length}: {refusal}");
                    }
                }
            }
        }
    }
}
