//! What one verification costs, in CPU time of this thread: `cargo test --release -p attestation --test intel cost -- --ignored --nocapture`.

use attestation::intel::{self, ROOT};

use crate::containers::{collateral, quote};
use crate::mock::vectors::folder;
use crate::samples::GOOD;

const TIMES: u32 = 500;

/// Nanoseconds that this thread ran.
fn cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_ascii_whitespace().next().unwrap().parse().unwrap()
}

#[test]
#[ignore = "a measurement: it prints what a verification costs and asserts nothing, as a time would depend on the machine"]
fn cost_of_one_verification() {
    if folder().is_none() {
        return;
    }
    for row in GOOD {
        let (evidence, given) = (quote(row.quote), collateral(row.collateral));
        let before = cpu();
        for _ in 0..TIMES {
            intel::verify(&evidence, &given, ROOT, row.now).unwrap();
        }
        println!("{} {}: {} µs", row.quote, row.collateral, (cpu() - before) / u64::from(TIMES) / 1_000);
    }
}
