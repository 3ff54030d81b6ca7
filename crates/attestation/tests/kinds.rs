//! Each kind of evidence beside Intel's: recorded samples, and evidence of a mock hierarchy with one thing wrong at a time.
//!
//! The verifier is the one that ships; only the roots differ.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first failure, and says what it skips"
)]

mod amd;
mod any;
mod azure;
mod cca;
mod maa;
#[expect(dead_code, reason = "quotes of Intel that stand for themselves are another test's")]
mod mock;
mod nitro;
mod vbs;
