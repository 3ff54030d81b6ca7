//! What a ledger starts from here: the default of a development network, with accounts of our own.

use alloy_primitives::{Address, U256};
use ethereum::{Config, Genesis};
use serde_json::{Value, json};

use crate::contract;

/// Gas of a block: room for the largest batch that is measured.
const GAS_LIMIT: u64 = 1_000_000_000;

/// Each account is rich, in coins and in tokens.
pub(crate) fn config(accounts: &[Address]) -> Config {
    let mut genesis: Value = serde_json::from_str(development::DEFAULT_GENESIS).unwrap();
    genesis["gasLimit"] = json!(format!("{GAS_LIMIT:#x}"));
    let alloc = genesis["alloc"].as_object_mut().unwrap();
    for account in accounts {
        alloc.insert(account.to_string().to_lowercase(), json!({ "balance": "0x21e19e0c9bab2400000" }));
    }
    let storage =
        accounts.iter().map(|account| (contract::slot(*account).to_string(), json!(U256::from(1_000_000_000))));
    let storage: serde_json::Map<String, Value> = storage.collect();
    let token = json!({ "balance": "0x0", "nonce": "0x1", "code": contract::code().to_string(), "storage": storage });
    alloc.insert(contract::ADDRESS.to_string().to_lowercase(), token);
    Config::new(Genesis::parse(&genesis.to_string()).unwrap())
}
