//! SGX and TDX: recorded quotes, and quotes of a test hierarchy with one thing wrong at a time.

#[path = "intel/containers.rs"]
mod containers;
#[expect(dead_code, reason = "other kinds of evidence use more of it")]
mod mock;
#[path = "intel/samples.rs"]
mod samples;
