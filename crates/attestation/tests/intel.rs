//! SGX and TDX: recorded quotes, and quotes of a test hierarchy with one thing wrong at a time.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first failure, and says what it skips or measured"
)]

#[path = "intel/certificates.rs"]
mod certificates;
#[path = "intel/containers.rs"]
mod containers;
#[path = "intel/cost.rs"]
mod cost;
#[path = "intel/deviations.rs"]
mod deviations;
#[path = "intel/differential.rs"]
mod differential;
#[expect(dead_code, reason = "other kinds of evidence use more of it")]
mod mock;
#[path = "intel/mutations.rs"]
mod mutations;
#[path = "intel/properties.rs"]
mod properties;
#[path = "intel/samples.rs"]
mod samples;
