//! Ethereum's own transaction tests: what must be read, and what must be refused, in each fork.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod support {
    pub mod archive;
    #[path = "mod.rs"]
    mod base;
    pub use base::*;
}

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256};
use ethereum::{Config, Context, Envelope, Genesis, transaction};
use serde::Deserialize;
use support::{Bench, vectors};

#[derive(Deserialize)]
struct Case {
    txbytes: Bytes,
    result: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expected {
    exception: Option<String>,
    hash: Option<B256>,
    sender: Option<Address>,
    intrinsic_gas: Option<U256>,
}

/// Valid by the letter, but with a gas price above 2^128 wei, which nobody could pay and this ledger does not read.
const BEYOND_PRICE: [&str; 2] = ["GasLimitPriceProductOverflowtMinusOne", "V_equals38"];

/// A ledger at a fork, with a block that refuses nothing for being too expensive.
struct Fork {
    bench: Bench,
    context: Context,
}

impl Fork {
    fn new(name: &str) -> Self {
        let genesis = format!("{{\"config\": {{{}}}, \"alloc\": {{}}}}", support::forks(name, 1));
        let bench = Bench::new(Config::new(Genesis::parse(&genesis).unwrap()));
        let header = alloy_consensus::Header { number: 1, gas_limit: u64::MAX, ..Default::default() };
        let mut context = bench.ethereum.ledger().context(&header, U256::ZERO);
        context.cfg.disable_balance_check = true;
        context.cfg.disable_nonce_check = true;
        Self { bench, context }
    }

    fn read(&self, name: &str, raw: &[u8]) -> Result<(Envelope, Address, u64), String> {
        let envelope = transaction::decode_in_block(raw).map_err(|error| error.to_string())?;
        let sender = transaction::sender(&envelope, name != "Frontier").map_err(|error| error.to_string())?;
        let gas = self
            .bench
            .ethereum
            .ledger()
            .validate(self.context.clone(), self.bench.store.head(), &envelope, sender)
            .map_err(|refused| format!("{refused:?}"))?;
        Ok((envelope, sender, gas))
    }
}

#[test]
fn ethereum_transaction_tests_are_read_and_refused_as_they_say() {
    let Some(vectors) = vectors() else { return };
    let mut forks: BTreeMap<String, Fork> = BTreeMap::new();
    let (mut valid, mut invalid, mut beyond, mut failures) = (0, 0, 0, Vec::new());
    for (file, text) in support::archive::json_files(&vectors.join("transaction-tests.tar.zst")) {
        let cases: BTreeMap<String, Case> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        for (title, case) in cases {
            for (name, expected) in case.result.iter().filter(|(name, _)| *name != "Constantinople") {
                let fork = forks.entry(name.clone()).or_insert_with(|| Fork::new(name));
                match (fork.read(name, &case.txbytes), &expected.exception) {
                    (Err(_), Some(_)) => invalid += 1,
                    (Ok((envelope, sender, gas)), None) => {
                        valid += 1;
                        let right = Some(*envelope.hash()) == expected.hash
                            && Some(sender) == expected.sender
                            && Some(U256::from(gas)) == expected.intrinsic_gas;
                        if !right {
                            failures.push(format!("{file} {title} {name}: hash, sender or intrinsic gas {gas} differ"));
                        }
                    }
                    (Ok(_), Some(exception)) => failures.push(format!("{file} {title} {name}: read, but {exception}")),
                    (Err(_), None) if BEYOND_PRICE.contains(&&title[..]) => beyond += 1,
                    (Err(error), None) => failures.push(format!("{file} {title} {name}: refused: {error}")),
                }
            }
        }
    }
    println!(
        "{valid} valid, {invalid} invalid transactions, {beyond} with prices beyond what is read, {} failed",
        failures.len()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
