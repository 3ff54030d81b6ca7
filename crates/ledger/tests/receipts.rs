//! Receipts of a ledger, made from its files and verified without them.
#![expect(clippy::unwrap_used, reason = "tests stop at the first failure")]

mod sample;

use base::{Digest, Seqno, TxId};
use crypto::cose::SignedRoot;
use crypto::{Certificate, KeyPair, certificate};
use ledger::receipt::{Unproven, verify};
use ledger::{Covered, Disk, Files, RawEntry, Receipt};
use proptest::prelude::*;
use sample::{Sample, Shape, write_ledger};
use serde_json::{Value, json};

struct Ledger {
    sample: Sample,
    files: Files<Disk>,
    _directory: tempfile::TempDir,
}

impl Ledger {
    /// A few chunks; one entry of each batch is larger than a block.
    fn new(dual: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let shape = Shape { dual, batches: 9, entries: 6, private: 90 << 10, chunk_bytes: 1 << 20 };
        let sample = write_ledger(directory.path(), shape);
        let (files, _) = Files::open_with(Disk::open(directory.path()).unwrap(), None, shape.chunk_bytes).unwrap();
        Self { sample, files, _directory: directory }
    }

    fn covered(&self, seqno: u64) -> (Covered, TxId, bool) {
        let covered = self.files.covered(Seqno(seqno)).unwrap();
        let entry = RawEntry::parse(&covered.entry).unwrap();
        let (txid, is_signature) = (entry.txid, entry.is_signature());
        (covered, txid, is_signature)
    }

    fn receipt(&self, seqno: u64) -> (Receipt, TxId, bool) {
        let (covered, txid, is_signature) = self.covered(seqno);
        (Receipt::of(&covered, self.sample.keys.commit_evidence(txid).unwrap()).unwrap(), txid, is_signature)
    }

    fn service(&self) -> &Certificate {
        &self.sample.service_certificate
    }
}

#[test]
fn every_entry_has_a_receipt_in_each_form_that_its_ledger_has() {
    for dual in [false, true] {
        let ledger = Ledger::new(dual);
        for seqno in 1..=ledger.files.end().0 {
            let (receipt, txid, is_signature) = ledger.receipt(seqno);
            let (covered, ..) = ledger.covered(seqno);
            let entry = RawEntry::parse(&covered.entry).unwrap();
            let json = receipt.to_json(&ledger.sample.node_certificate());
            assert_eq!(json.is_some(), dual);
            let in_cose = receipt.to_cose().map(Result::unwrap);
            assert_eq!(in_cose.is_none(), is_signature);
            for bytes in [json.clone(), in_cose.clone()].into_iter().flatten() {
                let proven = verify(&bytes, ledger.service()).unwrap();
                let Some(transaction) = proven.transaction else {
                    assert!(is_signature);
                    continue;
                };
                assert_eq!(transaction.txid, txid);
                assert_eq!(transaction.claims, entry.claims());
                assert_eq!(transaction.write_set, entry.write_set_digest());
            }
            if let Some(bytes) = in_cose {
                let signer = RawEntry::parse(&covered.signature).unwrap().txid;
                let signed = verify(&bytes, ledger.service()).unwrap().signed;
                assert_eq!(signed, Some(SignedRoot { txid: signer, issued_at: sample::TIME }));
            }
        }
    }
}

#[test]
fn no_bit_of_a_receipt_may_change() {
    let ledger = Ledger::new(true);
    let (receipt, ..) = ledger.receipt(9);
    let cose = receipt.to_cose().unwrap().unwrap();
    for bit in 0..cose.len() * 8 {
        let mut bad = cose.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(&bad, ledger.service()).is_err(), "bit {bit}");
    }
    for cut in 0..cose.len() {
        assert!(verify(&cose[..cut], ledger.service()).is_err(), "cut at {cut}");
    }
    let json: Value = serde_json::from_slice(&receipt.to_json(&ledger.sample.node_certificate()).unwrap()).unwrap();
    let fails = |path: &str, value: Value| {
        let mut bad = json.clone();
        *bad.pointer_mut(path).unwrap() = value;
        verify(&serde_json::to_vec(&bad).unwrap(), ledger.service()).unwrap_err()
    };
    let other = Digest([7; 32]).to_string();
    for component in ["claims_digest", "commit_evidence", "write_set_digest"] {
        assert_eq!(fails(&format!("/leaf_components/{component}"), json!(other)), Unproven::Root);
    }
    assert_eq!(fails("/proof/0", json!({ "left": other })), Unproven::Root);
    assert_eq!(fails("/proof", json!([])), Unproven::Root);
    assert_eq!(
        fails("/proof", json!(vec![json!({ "left": other }); 65])),
        Unproven::Malformed("its lists are too long")
    );
    assert_eq!(fails("/node_id", json!(other)), Unproven::Signer);
    assert_eq!(fails("/signature", json!("AAAA")), Unproven::Root);
    assert_eq!(fails("/cert", json!("no certificate")), Unproven::Malformed("a certificate"));
    // A root beside the components: which of them is signed?
    let mut both = json.clone();
    both["leaf"] = json!(other);
    assert_eq!(verify(both.to_string().as_bytes(), ledger.service()), Err(Unproven::Malformed("its leaf")));
}

#[test]
fn a_receipt_is_of_one_service_and_of_what_it_endorsed() {
    let ledger = Ledger::new(true);
    let (receipt, txid, _) = ledger.receipt(4);
    let stranger = KeyPair::generate().unwrap();
    let other = certificate::service(&stranger, "another", sample::YEAR).unwrap();
    assert_eq!(verify(&receipt.to_cose().unwrap().unwrap(), &other), Err(Unproven::Root));
    let json = receipt.to_json(&ledger.sample.node_certificate()).unwrap();
    assert_eq!(verify(&json, &other), Err(Unproven::Endorsement));
    // After a recovery the present identity vouches for the one before.
    let renewed = KeyPair::generate().unwrap();
    let present = certificate::service(&renewed, "present", sample::YEAR).unwrap();
    let former = ledger.service().public_key().unwrap();
    let endorsed = certificate::node(&former, &renewed, &present, &[], sample::YEAR).unwrap();
    let mut chained: Value = serde_json::from_slice(&json).unwrap();
    chained["service_endorsements"] = json!([endorsed.to_pem()]);
    let proven = verify(chained.to_string().as_bytes(), &present).unwrap();
    assert_eq!(proven.transaction.unwrap().txid, txid);
    chained["service_endorsements"] = json!([other.to_pem()]);
    assert_eq!(verify(chained.to_string().as_bytes(), &present), Err(Unproven::Endorsement));
}

#[test]
fn nothing_is_made_of_an_entry_and_a_signature_that_do_not_belong_together() {
    let ledger = Ledger::new(false);
    let evidence = |txid: TxId| ledger.sample.keys.commit_evidence(txid).unwrap();
    let (covered, txid, _) = ledger.covered(3);
    assert!(Receipt::of(&covered, evidence(TxId { seqno: txid.seqno.next(), ..txid })).is_err(), "evidence of another");
    let (later, ..) = ledger.covered(ledger.files.end().0);
    let mixed = Covered { entry: covered.entry.clone(), signature: later.signature };
    assert!(Receipt::of(&mixed, evidence(txid)).is_err(), "a signature whose tree has it under its edge");
    let none = Covered { entry: covered.entry.clone(), signature: covered.entry };
    assert!(Receipt::of(&none, evidence(txid)).is_err(), "no signature");
    assert!(ledger.files.covered(ledger.files.end().next()).is_err());
    assert!(ledger.files.covered(Seqno(0)).is_err());
}

proptest! {
    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "\\{.{0,200}") {
        let service = KeyPair::generate().unwrap();
        let certificate = certificate::service(&service, "s", sample::YEAR).unwrap();
        prop_assert!(verify(&[&[0xd2][..], &bytes].concat(), &certificate).is_err());
        prop_assert!(verify(&bytes, &certificate).is_err());
        prop_assert!(verify(text.as_bytes(), &certificate).is_err());
    }
}
