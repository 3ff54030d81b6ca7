//! Ethereum's own state tests, through this ledger's store: genesis, transaction, commit, root.
//!
//! Each case starts a ledger from its accounts, decodes its raw transaction, recovers the sender, executes, applies the
//! write set, and compares the root of the state trie and the hash of the logs. Where an exception is expected, the
//! transaction must be refused and the state stay.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod support {
    pub mod archive;
    #[path = "mod.rs"]
    mod base;
    pub use base::*;
}

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use ethereum::{Config, Genesis, Refused, transaction};
use kv::Tx;
use rayon::prelude::*;
use revm::context::result::ExecutionResult;
use serde::Deserialize;
use serde_json::value::RawValue;
use support::{Bench, vectors};

#[derive(Deserialize)]
struct Case<'a> {
    env: Env,
    #[serde(borrow)]
    pre: &'a RawValue,
    post: BTreeMap<String, Vec<Post>>,
    #[serde(default)]
    config: Settings,
}

#[derive(Deserialize, Default)]
struct Settings {
    chainid: Option<U256>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Env {
    current_coinbase: Address,
    current_gas_limit: U256,
    current_number: U256,
    current_timestamp: U256,
    current_difficulty: Option<U256>,
    current_random: Option<B256>,
    current_base_fee: Option<U256>,
    current_excess_blob_gas: Option<U256>,
    #[serde(rename = "currentChainID")]
    current_chain_id: Option<U256>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Post {
    hash: B256,
    logs: B256,
    txbytes: Bytes,
    expect_exception: Option<String>,
}

fn small(number: U256) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// `Err`: what is wrong with the result.
fn run(case: &Case<'_>, fork: &str, post: &Post) -> Result<(), String> {
    let Env { current_coinbase, current_gas_limit, current_number, current_timestamp, .. } = case.env;
    let chain_id = small(case.env.current_chain_id.or(case.config.chainid).unwrap_or(U256::ONE));
    let genesis = format!("{{\"config\": {{{}}}, \"alloc\": {}}}", support::forks(fork, chain_id), case.pre.get());
    let genesis = Genesis::parse(&genesis).map_err(|error| error.to_string())?;
    let bench = Bench::new(Config::new(genesis));
    let merged = bench.ethereum.forks().merged(U256::ZERO);
    let header = alloy_consensus::Header {
        beneficiary: current_coinbase,
        gas_limit: small(current_gas_limit),
        number: small(current_number),
        timestamp: small(current_timestamp),
        difficulty: if merged { U256::ZERO } else { case.env.current_difficulty.unwrap_or_default() },
        mix_hash: case.env.current_random.unwrap_or_default(),
        base_fee_per_gas: case.env.current_base_fee.map(small),
        excess_blob_gas: case.env.current_excess_blob_gas.map(small),
        ..alloy_consensus::Header::default()
    };
    let ledger = bench.ethereum.ledger();
    let context = ledger.context(&header, U256::ZERO);

    let mut state = bench.store.head().clone();
    let mut tx = Tx::new(&state);
    let chain = state.tables().find("ethereum.chain").unwrap();
    tx.put(chain, &b"head"[..], &header.number.saturating_sub(1).to_be_bytes()[..]);
    for number in header.number.saturating_sub(256)..header.number {
        // As every runner of these tests has it.
        tx.put(chain, &number.to_be_bytes()[7..], keccak256(number.to_string()).as_slice());
    }
    let before = tx.savepoint();
    let ran = (|| {
        let envelope = transaction::decode(&post.txbytes).or_else(|_| transaction::decode_in_block(&post.txbytes));
        let envelope = envelope.map_err(|error| error.to_string())?;
        let sender = transaction::sender(&envelope, fork != "Frontier").map_err(|error| error.to_string())?;
        ledger.transact(&context, &mut tx, &envelope, sender).map_err(|refused| match refused {
            Refused::Invalid(invalid) => invalid.to_string(),
            Refused::TooMuch => panic!("a test wrote more than an entry holds"),
            Refused::Failed(error) => panic!("the store failed: {error}"),
        })
    })();
    let logs = match (&ran, &post.expect_exception) {
        (Ok(_), Some(exception)) => return Err(format!("was executed, but {exception} was expected")),
        (Err(error), None) => return Err(format!("was refused: {error}")),
        (Err(_), Some(_)) => {
            tx.rollback(before);
            Vec::new()
        }
        (Ok(ExecutionResult::Success { logs, .. }), None) => logs.clone(),
        (Ok(_), None) => Vec::new(),
    };
    let writes = tx.finish().writes;
    state.apply(state.seqno().next(), &writes);
    let world = bench.ethereum.latest(&bench.store.snapshot()).world().unwrap();
    let root = world.after(ledger.layout(), [&writes]).unwrap().root();
    if root != post.hash {
        return Err(format!("the state root is {root}, not {}", post.hash));
    }
    if ethereum::World::build(ledger.layout(), &state).unwrap().root() != root {
        return Err("the trie that was carried along differs from the one built anew".into());
    }
    let mut list = Vec::new();
    alloy_rlp::encode_list(&logs, &mut list);
    if keccak256(&list) != post.logs {
        return Err("the logs differ".into());
    }
    Ok(())
}

#[test]
fn ethereum_state_tests_pass_through_our_own_store() {
    let Some(vectors) = vectors() else { return };
    let files = support::archive::json_files(&vectors.join("state-tests.tar.zst"));
    let (passed, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failures: Vec<String> = files
        .par_iter()
        .flat_map_iter(|(name, text)| {
            let cases: BTreeMap<String, Case<'_>> =
                serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut failures = Vec::new();
            for (title, case) in &cases {
                // Constantinople without Petersburg's correction was never the rule of a public network.
                for (fork, posts) in case.post.iter().filter(|(fork, _)| *fork != "Constantinople") {
                    for (place, post) in posts.iter().enumerate() {
                        match run(case, fork, post) {
                            Ok(()) => {
                                passed.fetch_add(1, Ordering::Relaxed);
                                refused.fetch_add(usize::from(post.expect_exception.is_some()), Ordering::Relaxed);
                            }
                            Err(error) => failures.push(format!("{name} {title} {fork}[{place}]: {error}")),
                        }
                    }
                }
            }
            failures
        })
        .collect();
    let passed = passed.into_inner();
    println!(
        "{} files, {passed} cases passed ({} of them refusals), {} failed",
        files.len(),
        refused.into_inner(),
        failures.len()
    );
    let claimed = format!("all {},{:03} cases", passed / 1_000, passed % 1_000);
    assert!(include_str!("../../../README.md").contains(&claimed), "the README does not say {claimed:?}");
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures[..failures.len().min(60)].join("\n"));
}
