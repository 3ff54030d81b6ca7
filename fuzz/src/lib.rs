//! Targets for fuzzing: one function for each way in which bytes from outside come in.
//!
//! ```text
//!   libFuzzer (fuzz_targets/, feature "libfuzzer") ─┐
//!                                                   ├─▶ Target::run(bytes)     panics if something does not hold
//!   tests/replay.rs: seeds, and changes of them ────┘
//! ```
//!
//! A target holds more than that nothing panics: what is accepted says the same when it is written and read again, and
//! evidence that is changed and still accepted claims what it claimed. Where a signature stands before what is of interest, the
//! target signs whatever it is given, with keys of a hierarchy of its own.
//!
//! Seeds are made when they are asked for, from recorded vectors and from the builders that the crates' own tests have.
//! `docs/fuzzing.md` says how to run all of it, and what was found.

mod certificate;
mod collateral;
mod envelope;
mod ethereum_ledger;
mod evidence;
mod input;
mod ledger_file;
pub mod mutation;
mod network;
mod platform;
mod presented;
mod receipt;
mod resigned;
mod script;
mod signed_evidence;
mod signed_tokens;
pub mod vectors;
mod wire;

/// Builders that belong to the tests of other crates.
#[path = "../../crates/attestation/tests/mock/mod.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "written for tests, and more than is needed here"
)]
mod mock;
#[path = "../../crates/ledger/tests/sample/mod.rs"]
mod sample;
#[path = "../../crates/governance/tests/world/mod.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "written for tests, and more than is needed here")]
mod world;

/// One way in.
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
    /// Good inputs to start from. Some need the recorded vectors, and are missing without them.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Rounds of the test for one of a target whose input costs microseconds.
    pub weight: u32,
}

const fn target(name: &'static str, run: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>, weight: u32) -> Target {
    Target { name, run, seeds, weight }
}

/// In the order of risk: what strangers send first.
pub static TARGETS: &[Target] = &[
    target("envelope", envelope::run, envelope::seeds, 20),
    target("certificate", certificate::run, certificate::seeds, 4),
    target("evidence", evidence::run, evidence::seeds, 20),
    target("signed_evidence", signed_evidence::run, signed_evidence::seeds, 20),
    target("signed_tokens", signed_tokens::run, signed_tokens::seeds, 100),
    target("signed_vbs", resigned::windows, resigned::windows_seeds, 50),
    target("signed_vtpm", resigned::vtpm, resigned::vtpm_seeds, 50),
    target("signed_maa", resigned::token, resigned::token_seeds, 50),
    target("platform", platform::run, platform::seeds, 10),
    target("collateral", collateral::run, collateral::seeds, 20),
    target("presented", presented::run, presented::seeds, 20),
    target("transaction", ethereum_ledger::transaction, ethereum_ledger::transaction_seeds, 4),
    target("rpc", ethereum_ledger::rpc, ethereum_ledger::rpc_seeds, 10),
    target("message", wire::message, wire::message_seeds, 1),
    target("frame", wire::frame, wire::frame_seeds, 1),
    target("work", network::work, network::work_seeds, 20),
    target("log_record", wire::log_record, wire::log_record_seeds, 1),
    target("entry", ledger_file::entry, ledger_file::entry_seeds, 4),
    target("chunk", ledger_file::chunk, ledger_file::chunk_seeds, 4),
    target("receipt", receipt::run, receipt::seeds, 20),
    target("proposal", script::proposal, script::proposal_seeds, 200),
    target("ballot", script::ballot, script::ballot_seeds, 200),
];

/// The target of this name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Runs the target of this name, which there is.
pub fn run(name: &str, data: &[u8]) {
    if let Some(target) = find(name) {
        (target.run)(data);
    }
}
