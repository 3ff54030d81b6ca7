//! What one verification costs, in CPU time of this thread: `cargo test --release -p attestation --test kinds cost -- --ignored --nocapture`.

use super::recorded;
use crate::mock::vectors::folder;

const TIMES: u32 = 200;

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
    for one in recorded() {
        let before = cpu();
        for _ in 0..TIMES {
            (one.verify)(&one.evidence).unwrap();
        }
        println!("{}: {} µs", one.name, (cpu() - before) / u64::from(TIMES) / 1_000);
    }
}
