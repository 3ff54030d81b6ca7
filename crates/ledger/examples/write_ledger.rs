//! Writes a sample ledger for tools of other people: `write_ledger DIR cose|dual [BATCHES ENTRIES PRIVATE_BYTES CHUNK_BYTES]`.
//!
//! Beside it, in `DIR.pem`, the service's certificate; in `DIR.receipts`, a receipt of every entry in each form that it has.
#![expect(clippy::unwrap_used, reason = "a test tool stops at the first failure")]

#[path = "../tests/sample/mod.rs"]
mod sample;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base::Seqno;
use ledger::{Disk, Files, RawEntry, Receipt};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(directory), Some(mode)) = (arguments.next(), arguments.next()) else {
        return usage();
    };
    let dual = match mode.as_str() {
        "cose" => false,
        "dual" => true,
        _ => return usage(),
    };
    let Ok(numbers) = arguments.map(|text| text.parse()).collect::<Result<Vec<u64>, _>>() else {
        return usage();
    };
    let number = |at: usize, default| numbers.get(at).copied().unwrap_or(default);
    let shape = sample::Shape {
        dual,
        batches: number(0, 40),
        entries: number(1, 5),
        private: usize::try_from(number(2, 200)).unwrap(),
        chunk_bytes: number(3, 16 << 10),
    };
    let directory = PathBuf::from(directory);
    let written = sample::write_ledger(&directory, shape);
    fs::write(directory.with_extension("pem"), written.service_certificate.to_pem()).unwrap();
    write_receipts(&directory, &written);
    ExitCode::SUCCESS
}

fn write_receipts(directory: &Path, written: &sample::Sample) {
    let receipts = directory.with_extension("receipts");
    fs::create_dir_all(&receipts).unwrap();
    let (files, _) = Files::open(Disk::open(directory).unwrap(), None).unwrap();
    let certificate = written.node_certificate();
    for seqno in 1..=files.end().0 {
        let covered = files.covered(Seqno(seqno)).unwrap();
        let txid = RawEntry::parse(&covered.entry).unwrap().txid;
        let receipt = Receipt::of(&covered, written.keys.commit_evidence(txid).unwrap()).unwrap();
        if let Some(json) = receipt.to_json(&certificate) {
            fs::write(receipts.join(format!("{txid}.json")), json).unwrap();
        }
        if let Some(cose) = receipt.to_cose() {
            fs::write(receipts.join(format!("{txid}.cose")), cose.unwrap()).unwrap();
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command says how it is used")]
fn usage() -> ExitCode {
    eprintln!("write_ledger DIR cose|dual [BATCHES ENTRIES PRIVATE_BYTES CHUNK_BYTES]");
    ExitCode::FAILURE
}
