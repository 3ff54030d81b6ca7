//! `fuzz::TARGETS` says what this one does.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::run("platform", data));
