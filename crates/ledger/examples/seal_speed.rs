//! What an entry costs on its way through a node, beside encryption: `seal_speed [ENTRIES PRIVATE_BYTES]`.
#![expect(clippy::disallowed_methods, reason = "it measures")]
#![expect(clippy::unwrap_used, reason = "a test tool stops at the first failure")]

#[path = "../tests/sample/mod.rs"]
mod sample;

use std::time::Instant;

use base::{Digest, Seqno, TxId, View};
use ledger::{Disk, Files, Head, Receipt, Signer, check_batch, find_row, open, seal, sign, split};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>().unwrap());
    let (entries, private) = (arguments.next().unwrap_or(1_000), arguments.next().unwrap_or(300));
    let (tables, keys) = (sample::tables(), sample::keys());
    let value = vec![7; private];
    let writes = sample::writes(
        &tables,
        &[("private.state", b"account", Some(&value)), ("a.private.history", b"receipt", Some(&[1; 40]))],
    );
    let service = crypto::KeyPair::generate().unwrap();
    let signer = Signer { service: service.into(), node: None };
    let head = Head::new();
    let (mut batch, mut leaves) = (Vec::new(), Vec::new());
    per_entry("seal", entries, || {
        for seqno in 1..=entries as u64 {
            leaves.push(seal(TxId::new(2, seqno), &writes, &Digest::ZERO, &tables, &keys, &mut batch).unwrap());
        }
    });
    per_entry("sign (a batch)", 1, || {
        sign(&head, View(2), &leaves, &signer, &keys, sample::TIME, &mut batch).unwrap();
    });
    let mut checked = None;
    per_entry("check_batch", entries, || checked = Some(check_batch(&head, &batch, None).unwrap()));
    per_entry("open", entries, || split(&batch).for_each(|entry| drop(open(&entry.unwrap(), &tables, &keys).unwrap())));
    per_entry("find_row", entries, || {
        split(&batch).for_each(|entry| {
            let _ = find_row(&entry.unwrap(), "private.state", b"account", &keys).unwrap();
        });
    });
    let directory = tempfile::tempdir().unwrap();
    let (files, _) = Files::open(Disk::open(directory.path()).unwrap(), None).unwrap();
    per_entry("append", entries, || files.append(&batch).unwrap());
    per_entry("read", entries, || {
        checked
            .iter()
            .flat_map(|checked| &checked.entries)
            .for_each(|entry| drop(files.read(entry.txid.seqno).unwrap()));
    });
    per_entry("sync (a batch)", 1, || assert_eq!(files.sync().unwrap(), files.end()));
    let evidence = keys.commit_evidence(TxId::new(2, 1)).unwrap();
    per_entry("receipt (of the batch's first entry)", 1, || {
        Receipt::of(&files.covered(Seqno(1)).unwrap(), evidence).unwrap().to_cose().unwrap().unwrap();
    });
}

#[expect(clippy::print_stdout, reason = "a measurement prints")]
fn per_entry(what: &str, entries: usize, run: impl FnOnce()) {
    let start = Instant::now();
    run();
    println!("{what}: {:.2} µs", start.elapsed().as_secs_f64() * 1e6 / entries as f64);
}
