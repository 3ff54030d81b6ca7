//! Receipts: from anybody, to whoever knows the service's certificate.

use std::sync::LazyLock;

use base::TxId;
use crypto::Certificate;
use ledger::genesis::ServiceStatus;
use ledger::receipt::verify;
use ledger::{Covered, RawEntry, Receipt, split};

use crate::sample::Sample;

/// The service, and receipts of what it wrote, in both forms.
static GOOD: LazyLock<(Certificate, Vec<Vec<u8>>)> = LazyLock::new(|| {
    let mut sample = Sample::new(true);
    sample.set_status(ServiceStatus::Open);
    (0..6).for_each(|entry| sample.transaction(entry, 40));
    let batch = sample.close();
    let entries: Vec<RawEntry<'_>> = split(&batch).filter_map(Result::ok).collect();
    let copy = |entry: &RawEntry<'_>| entry.bytes.to_vec().into();
    let signature = entries.last().map(copy).expect("a batch ends on its signature");
    let certificate = sample.node_certificate();
    let of = |entry: &RawEntry<'_>| -> Vec<Vec<u8>> {
        let covered = Covered { entry: copy(entry), signature: bytes::Bytes::clone(&signature) };
        let evidence = sample.keys.commit_evidence(entry.txid).unwrap_or_default();
        let receipt = Receipt::of(&covered, evidence).expect("the entry is of this batch");
        [receipt.to_json(&certificate), receipt.to_cose().and_then(Result::ok)].into_iter().flatten().collect()
    };
    (sample.service_certificate.clone(), entries.iter().flat_map(of).collect())
});

/// What is proven is one of the transactions that there are. In COSE nothing else than what was made proves it; in JSON there are many
/// ways to write the same.
pub fn run(data: &[u8]) {
    let (service, good) = &*GOOD;
    let Ok(proven) = verify(data, service) else { return };
    assert!(data.first() != Some(&0xd2) || good.iter().any(|good| good == data), "another receipt that verifies");
    if let Some(transaction) = proven.transaction {
        assert!((TxId::new(2, 1)..=TxId::new(2, 7)).contains(&transaction.txid));
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    GOOD.1.clone()
}
