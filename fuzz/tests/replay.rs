//! Every target on its seeds, and on changes of them that are the same each time. `docs/fuzzing.md` has the longer way.
//!
//! `FUZZ_ROUNDS` is how many changes a target of the fastest kind gets; `FUZZ_SEED` begins another sequence of them.
#![expect(clippy::print_stdout, reason = "a test says what it did, and what it could not do")]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use fuzz::mutation::{Numbers, change};
use fuzz::{TARGETS, Target};

const ROUNDS: u64 = 2_000;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Runs an input; if it does not hold, says what the input was.
fn run(target: &Target, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(input))) {
        println!("{}: {}", target.name, const_hex::encode(input));
        resume_unwind(panic);
    }
}

fn replay(name: &str) {
    let target = fuzz::find(name).expect("a target of this name");
    if fuzz::vectors::folder().is_none() {
        println!("SKIPPED: the recorded seeds of {name}; set COCO_VECTORS");
    }
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "a target has seeds of its own");
    seeds.iter().for_each(|seed| run(target, seed));
    let rounds = number("FUZZ_ROUNDS", ROUNDS) / u64::from(target.weight);
    let mut numbers = Numbers::new(number("FUZZ_SEED", 1));
    for _ in 0..rounds {
        let mut input = seeds[numbers.below(seeds.len())].clone();
        let other = &seeds[numbers.below(seeds.len())];
        change(&mut input, other, &mut numbers);
        run(target, &input);
    }
    println!("{name}: {} seeds, {rounds} changes", seeds.len());
}

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        $(#[test] fn $name() { replay(stringify!($name)); })*

        #[test]
        fn every_target_is_here() {
            let here = [$(stringify!($name)),*];
            assert!(TARGETS.iter().map(|target| target.name).eq(here));
        }
    };
}

targets!(
    envelope,
    certificate,
    evidence,
    signed_evidence,
    signed_tokens,
    signed_vbs,
    signed_vtpm,
    signed_maa,
    platform,
    collateral,
    presented,
    transaction,
    rpc,
    message,
    frame,
    work,
    log_record,
    entry,
    chunk,
    receipt,
    proposal,
    ballot,
);
