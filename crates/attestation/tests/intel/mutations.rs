//! What changed bytes can do to recorded evidence: nothing that a claim shows, and never a panic.

use attestation::intel::quote::Quote;
use attestation::intel::{self, Collateral, ROOT};
use attestation::{Claims, Code};
use base::Digest;

use crate::containers::{collateral, quote};
use crate::mock::vectors::{date, folder};
use crate::samples::GOOD;

/// Everything but the hash of the bytes themselves.
fn meaning(claims: Claims) -> Claims {
    Claims { evidence: Digest::ZERO, ..claims }
}

/// Flips these bits, one at a time; returns how many of the results were accepted.
fn sweep(
    evidence: &[u8],
    given: &Collateral,
    now: u64,
    wanted: &Claims,
    flips: impl Iterator<Item = (usize, u32)>,
) -> usize {
    let mut changed = evidence.to_vec();
    let mut accepted = 0;
    for (position, bit) in flips {
        let bit = 1 << bit;
        changed[position] ^= bit;
        if let Ok(claims) = intel::verify(&changed, given, ROOT, now) {
            accepted += 1;
            assert_eq!(&meaning(claims), wanted, "byte {position}");
        }
        changed[position] ^= bit;
    }
    accepted
}

/// Over each recorded quote that verifies; `bits` are those to flip in a byte.
fn sweep_all(bits: fn(usize) -> std::ops::Range<u32>) {
    let mut seen = Vec::new();
    for row in GOOD {
        if seen.contains(&row.quote) {
            continue;
        }
        seen.push(row.quote);
        let evidence = quote(row.quote);
        let given = collateral(row.collateral);
        let wanted = meaning(intel::verify(&evidence, &given, ROOT, row.now).unwrap());
        let middle = evidence.len() / 2;
        let run = |range: std::ops::Range<usize>| {
            let flips = range.flat_map(|position| bits(position).map(move |bit| (position, bit)));
            sweep(&evidence, &given, row.now, &wanted, flips)
        };
        let accepted = std::thread::scope(|scope| {
            let second = scope.spawn(|| run(middle..evidence.len()));
            run(0..middle) + second.join().unwrap()
        });
        println!("{}: {accepted} flips are accepted", row.quote);
        // Padding behind the quote must stay zero; of the quote itself nearly every byte counts. What is left is the PEM
        // around a chain that the collateral has, too, and white space in it.
        assert!(accepted <= 128, "{}: {accepted} flips are accepted", row.quote);
    }
}

#[test]
fn no_accepted_bit_flip_changes_a_claim() {
    if folder().is_some() {
        // Another bit in each byte, so that one run sees all eight.
        sweep_all(|position| {
            let bit = (position % 8) as u32;
            bit..bit + 1
        });
    }
}

#[test]
#[ignore = "every bit of every byte: half a minute"]
fn no_accepted_flip_of_any_bit_changes_a_claim() {
    if folder().is_some() {
        sweep_all(|_| 0..8);
    }
}

#[test]
fn a_quote_cut_anywhere_is_refused() {
    if folder().is_none() {
        return;
    }
    for path in ["sgx/dcap-qvl/sgx_quote", "tdx/dcap-qvl/tdx_quote", "tdx/dcap-qvl/tdx_quote_td15ex"] {
        let evidence = quote(path);
        let end = Quote::parse(&evidence).unwrap().bytes.len();
        for length in 0..end {
            let code = Quote::parse(&evidence[..length]).unwrap_err().code;
            assert_eq!(code, if length == 0 { Code::Empty } else { Code::Truncated }, "{path} cut to {length}");
        }
    }
}

#[test]
fn no_change_of_collateral_passes_unseen() {
    if folder().is_none() {
        return;
    }
    let evidence = quote("tdx/dcap-qvl/tdx_quote");
    let given = collateral("tdx/dcap-qvl/tdx_quote_collateral.json");
    let now = date(2025, 6, 20);
    let wanted = intel::verify(&evidence, &given, ROOT, now).unwrap();
    let parts: [fn(&mut Collateral) -> &mut Vec<u8>; 4] = [
        |given| &mut given.root_ca_crl.0,
        |given| &mut given.pck_crl.0,
        |given| &mut given.tcb_info_signature.0,
        |given| &mut given.qe_identity_signature.0,
    ];
    for part in parts {
        let mut changed = given.clone();
        for position in 0..part(&mut changed).len() {
            part(&mut changed)[position] ^= 1 << (position % 8);
            if let Ok(claims) = intel::verify(&evidence, &changed, ROOT, now) {
                assert_eq!(claims, wanted, "byte {position}");
            }
            part(&mut changed)[position] ^= 1 << (position % 8);
        }
    }
    let texts: [fn(&mut Collateral) -> &mut String; 2] = [|given| &mut given.tcb_info, |given| &mut given.qe_identity];
    for text in texts {
        let mut changed = given.clone();
        let whole = text(&mut changed).clone();
        for position in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone().into_bytes();
            bytes[position] ^= 1;
            *text(&mut changed) = String::from_utf8(bytes).unwrap();
            assert!(intel::verify(&evidence, &changed, ROOT, now).is_err(), "byte {position}");
        }
    }
}
