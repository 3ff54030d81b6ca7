//! How fast a ledger is verified: `verify_speed [DIR]`. Without a directory it writes and measures two: one of many small
//! batches, where ECDSA is most of the work, and one of large batches, where hashing is.
#![expect(clippy::disallowed_methods, reason = "it measures")]
#![expect(clippy::unwrap_used, reason = "a test tool stops at the first failure")]

#[path = "../tests/sample/mod.rs"]
mod sample;

use std::path::Path;
use std::time::Instant;

fn main() {
    if let Some(directory) = std::env::args().nth(1) {
        measure("as given", Path::new(&directory));
        return;
    }
    let base = sample::Shape { dual: false, batches: 0, entries: 0, private: 0, chunk_bytes: 5 << 20 };
    let shapes = [
        ("20,000 batches of 1 entry of 200 bytes", sample::Shape { batches: 20_000, entries: 1, private: 200, ..base }),
        (
            "2,000 batches of 100 entries of 400 bytes",
            sample::Shape { batches: 2_000, entries: 100, private: 400, ..base },
        ),
        (
            "200 batches of 5,000 entries of 400 bytes",
            sample::Shape { batches: 200, entries: 5_000, private: 400, ..base },
        ),
        ("100 batches of 5 entries of 1 MB", sample::Shape { batches: 100, entries: 5, private: 1 << 20, ..base }),
    ];
    for (name, shape) in shapes {
        let directory = tempfile::tempdir().unwrap();
        sample::write_ledger(directory.path(), shape);
        measure(name, directory.path());
    }
}

#[expect(clippy::print_stdout, reason = "a measurement reads a clock and prints")]
fn measure(name: &str, directory: &Path) {
    let start = Instant::now();
    let report = ledger::verify(directory, None, |_| ()).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{name}: {:.0} MB, {} entries, {} signatures in {seconds:.2} s: {:.0} MB/s, {:.0} entries/s, {:.0} signatures/s",
        report.bytes as f64 / 1e6,
        report.entries,
        report.signatures,
        report.bytes as f64 / 1e6 / seconds,
        report.entries as f64 / seconds,
        report.signatures as f64 / seconds,
    );
}
