//! The file as it is written: numbers in four notations, addresses with and without `0x`.

use std::collections::BTreeMap;

use alloy_consensus::EMPTY_ROOT_HASH;
use alloy_eips::eip6110::MAINNET_DEPOSIT_CONTRACT_ADDRESS;
use alloy_primitives::{Address, B256, Bytes, U256};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Genesis, GenesisAccount, GenesisError, HeaderFields};
use crate::forks::Forks;

/// A number: `5`, `"5"`, `"0x5"`, of any length up to 256 bits.
#[derive(Clone, Copy)]
struct Number(U256);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The text itself: terminal total difficulties do not fit into a JSON library's numbers.
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let text = raw.trim_matches('"');
        let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some("") => Ok(U256::ZERO),
            Some(hex) => U256::from_str_radix(hex, 16),
            None => U256::from_str_radix(text, 10),
        };
        parsed
            .map(Self)
            .map_err(|_| D::Error::custom(format!("{raw} is not a number of up to 256 bits, decimal or 0x…")))
    }
}

/// Bytes in hexadecimal, with or without `0x`.
#[derive(Clone, Default)]
struct Hex(Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = const_hex::decode(&text);
        bytes.map(Self).map_err(|error| D::Error::custom(format!("{text:?} is not hexadecimal: {error}")))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    #[serde(borrow)]
    config: Option<BTreeMap<String, &'a RawValue>>,
    alloc: Option<BTreeMap<String, AccountFile>>,
    nonce: Option<Number>,
    timestamp: Option<Number>,
    extra_data: Option<Hex>,
    gas_limit: Option<Number>,
    difficulty: Option<Number>,
    mix_hash: Option<Hex>,
    #[serde(rename = "mixhash")]
    mix_hash_lower: Option<Hex>,
    coinbase: Option<Hex>,
    number: Option<Number>,
    gas_used: Option<Number>,
    parent_hash: Option<Hex>,
    base_fee_per_gas: Option<Number>,
    excess_blob_gas: Option<Number>,
    blob_gas_used: Option<Number>,
}

#[derive(Deserialize)]
struct AccountFile {
    balance: Option<Number>,
    nonce: Option<Number>,
    code: Option<Hex>,
    storage: Option<BTreeMap<String, Hex>>,
}

/// One fork's entry in `blobSchedule`.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlobParameters {
    pub(super) target: u64,
    pub(super) max: u64,
    pub(super) base_fee_update_fraction: u64,
}

/// Members of `config` that change rules in ways this version does not know.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("amsterdamTime", "the fork amsterdam"),
    ("verkleTime", "the fork verkle"),
    ("isthmusTime", "a fork of the OP stack"),
    ("regolithTime", "a fork of the OP stack"),
];

pub(super) fn read(text: &str) -> Result<Genesis, GenesisError> {
    let file: File<'_> = serde_json::from_str(text)?;
    let config = file.config.ok_or(GenesisError::Missing("\"config\""))?;
    for (key, what) in UNSUPPORTED {
        if is_set(&config, key) {
            return Err(GenesisError::Unsupported(what));
        }
    }
    if is_set(&config, "daoForkBlock") && config.get("daoForkSupport").is_some_and(|raw| raw.get() == "true") {
        return Err(GenesisError::Unsupported("the DAO fork (daoForkSupport)"));
    }
    let forks = forks(&config)?;
    if file.number.is_some_and(|number| !number.0.is_zero()) {
        return Err(GenesisError::Value {
            member: "number",
            value: "not 0".into(),
            want: "the first block is number 0",
        });
    }
    let gas_limit = small("gasLimit", file.gas_limit)?;
    if let Some(limit) = gas_limit.filter(|limit| (1..super::GAS_LIMIT_MIN).contains(limit)) {
        return Err(GenesisError::Value {
            member: "gasLimit",
            value: limit.to_string(),
            want: "a block needs room for 5,000 gas at least, and for one transaction 21,000",
        });
    }
    let mix_hash = file.mix_hash.or(file.mix_hash_lower);
    let fields = HeaderFields {
        nonce: small("nonce", file.nonce)?.unwrap_or(0),
        timestamp: small("timestamp", file.timestamp)?.unwrap_or(0),
        extra_data: Bytes::from(file.extra_data.unwrap_or_default().0),
        gas_limit,
        difficulty: file.difficulty.map(|number| number.0),
        mix_hash: hash("mixHash", mix_hash)?,
        coinbase: file.coinbase.map_or(Ok(Address::ZERO), |hex| address("coinbase", &hex.0))?,
        gas_used: small("gasUsed", file.gas_used)?.unwrap_or(0),
        parent_hash: hash("parentHash", file.parent_hash)?,
        base_fee: small("baseFeePerGas", file.base_fee_per_gas)?,
        excess_blob_gas: blob_gas("excessBlobGas", file.excess_blob_gas)?,
        blob_gas_used: blob_gas("blobGasUsed", file.blob_gas_used)?,
    };
    let header = super::header(fields, &forks);
    debug_assert_eq!(header.transactions_root, EMPTY_ROOT_HASH);
    let alloc = alloc(file.alloc.ok_or(GenesisError::Missing("\"alloc\" (the first accounts; {} for none)"))?)?;
    Ok(Genesis { forks, alloc, header })
}

fn is_set(config: &BTreeMap<String, &RawValue>, key: &str) -> bool {
    config.get(key).is_some_and(|raw| raw.get() != "null")
}

fn forks(config: &BTreeMap<String, &RawValue>) -> Result<Forks, GenesisError> {
    let number = |key: &str| -> Result<Option<U256>, GenesisError> {
        match config.get(key) {
            Some(raw) if raw.get() != "null" => Ok(Some(serde_json::from_str::<Number>(raw.get())?.0)),
            _ => Ok(None),
        }
    };
    let chain_id = number("chainId")?.ok_or(GenesisError::Missing("\"chainId\" in \"config\""))?;
    let chain_id = u64::try_from(chain_id).ok().filter(|id| *id > 0).ok_or_else(|| GenesisError::Value {
        member: "chainId",
        value: chain_id.to_string(),
        want: "choose a number from 1 to 2^64-1",
    })?;
    let mut points = BTreeMap::new();
    for (name, _, timed) in super::LADDER {
        let key = format!("{name}{}", if *timed { "Time" } else { "Block" });
        if let Some(point) = number(&key)? {
            let point = u64::try_from(point).map_err(|_| GenesisError::Value {
                member: name,
                value: point.to_string(),
                want: "a fork begins at a block number or a time below 2^64",
            })?;
            points.insert(*name, point);
        }
    }
    let ladder = super::ladder(|name| points.get(name).copied())?;
    let schedule: BTreeMap<String, BlobParameters> = match config.get("blobSchedule") {
        Some(raw) if raw.get() != "null" => serde_json::from_str(raw.get())?,
        _ => BTreeMap::new(),
    };
    for (fork, parameters) in &schedule {
        let BlobParameters { target, max, base_fee_update_fraction } = *parameters;
        if max < target || !(1..=1_024).contains(&max) || base_fee_update_fraction == 0 {
            return Err(GenesisError::Value {
                member: "blobSchedule",
                value: fork.clone(),
                want: "target must not be above max, max must be from 1 to 1024, and baseFeeUpdateFraction not 0",
            });
        }
    }
    let timed = ladder.iter().any(|fork| matches!(fork.at, crate::forks::At::Time(_)));
    let passed = config.get("terminalTotalDifficultyPassed").is_some_and(|raw| raw.get() == "true");
    let terminal = match number("terminalTotalDifficulty")? {
        // Networks that were born after the merge often say no more than this.
        None if passed || timed => Some(U256::ZERO),
        terminal => terminal,
    };
    if terminal == Some(U256::ZERO) && !points.contains_key("london") {
        return Err(GenesisError::Order { earlier: "london", later: "the merge (terminalTotalDifficulty)" });
    }
    let deposit_contract = match config.get("depositContractAddress") {
        Some(raw) if raw.get() != "null" => {
            address("depositContractAddress", &serde_json::from_str::<Hex>(raw.get())?.0)?
        }
        _ => MAINNET_DEPOSIT_CONTRACT_ADDRESS,
    };
    let blobs = super::blob_params(&ladder, &schedule);
    Ok(Forks { chain_id, terminal_total_difficulty: terminal, deposit_contract, ladder, blobs })
}

fn alloc(file: BTreeMap<String, AccountFile>) -> Result<BTreeMap<Address, GenesisAccount>, GenesisError> {
    let mut alloc = BTreeMap::new();
    for (key, AccountFile { balance, nonce, code, storage }) in file {
        let bytes = const_hex::decode(&key).unwrap_or_default();
        let address = Address::try_from(&bytes[..]).map_err(|_| GenesisError::Value {
            member: "alloc",
            value: key.clone(),
            want: "an address has 40 hexadecimal digits",
        })?;
        let mut slots = BTreeMap::new();
        for (slot, value) in storage.unwrap_or_default() {
            let value = word(&value.0)?;
            if !value.is_zero() {
                let padded = slot.trim_start_matches("0x");
                let slot = U256::from_str_radix(padded, 16).map_err(|_| GenesisError::Value {
                    member: "storage",
                    value: slot.clone(),
                    want: "a slot is a hexadecimal number of up to 32 bytes",
                })?;
                slots.insert(slot, value);
            }
        }
        let account = GenesisAccount {
            balance: balance.map_or(U256::ZERO, |number| number.0),
            nonce: small("nonce", nonce)?.unwrap_or(0),
            code: Bytes::from(code.unwrap_or_default().0),
            storage: slots,
        };
        if alloc.insert(address, account).is_some() {
            return Err(GenesisError::Twice { address });
        }
    }
    Ok(alloc)
}

fn small(member: &'static str, number: Option<Number>) -> Result<Option<u64>, GenesisError> {
    let Some(Number(number)) = number else { return Ok(None) };
    let small = u64::try_from(number);
    small.map(Some).map_err(|_| GenesisError::Value {
        member,
        value: number.to_string(),
        want: "it must be below 2^64",
    })
}

/// The next block's blob gas is computed from these, with numbers of 64 bits.
fn blob_gas(member: &'static str, number: Option<Number>) -> Result<u64, GenesisError> {
    const BLOB_GAS_MAX: u64 = 1 << 48;
    let gas = small(member, number)?.unwrap_or(0);
    if gas > BLOB_GAS_MAX {
        return Err(GenesisError::Value { member, value: gas.to_string(), want: "it must not be above 2^48" });
    }
    Ok(gas)
}

fn hash(member: &'static str, hex: Option<Hex>) -> Result<B256, GenesisError> {
    let Some(Hex(bytes)) = hex else { return Ok(B256::ZERO) };
    B256::try_from(&bytes[..]).map_err(|_| GenesisError::Value {
        member,
        value: const_hex::encode_prefixed(&bytes),
        want: "a hash has 32 bytes",
    })
}

fn address(member: &'static str, bytes: &[u8]) -> Result<Address, GenesisError> {
    Address::try_from(bytes).map_err(|_| GenesisError::Value {
        member,
        value: const_hex::encode_prefixed(bytes),
        want: "an address has 20 bytes",
    })
}

fn word(bytes: &[u8]) -> Result<U256, GenesisError> {
    U256::try_from_be_slice(bytes).ok_or_else(|| GenesisError::Value {
        member: "storage",
        value: const_hex::encode_prefixed(bytes),
        want: "a value has at most 32 bytes",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Genesis::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn every_notation_of_a_number_is_read() {
        let genesis = Genesis::parse(
            r#"{"config": {"chainId": 7, "homesteadBlock": 0, "terminalTotalDifficulty": 58750000000000000000000}, "difficulty": "0x20000",
                "alloc": {"0x00000000000000000000000000000000000000Aa": {"balance": "1000"},
                          "00000000000000000000000000000000000000bb": {"balance": "0xff", "nonce": "0x1", "code": "0x60",
                            "storage": {"0x01": "0x02", "0x02": "0x00"}}}}"#,
        )
        .unwrap();
        let accounts: Vec<_> = genesis.alloc.values().collect();
        assert_eq!(accounts[0].balance, U256::from(1000));
        assert_eq!(accounts[1].balance, U256::from(255));
        assert_eq!(accounts[1].storage, BTreeMap::from([(U256::from(1), U256::from(2))]));
        assert_eq!(genesis.forks.terminal_total_difficulty, Some("58750000000000000000000".parse().unwrap()));
    }

    #[test]
    fn refusals_say_what_to_change() {
        assert!(refusal("{}").contains("config"));
        assert!(refusal(r#"{"config": {}, "alloc": {}}"#).contains("chainId"));
        assert!(refusal(r#"{"config": {"chainId": 0}, "alloc": {}}"#).contains("from 1"));
        assert!(
            refusal(r#"{"config": {"chainId": 1, "eip150Block": 2}, "alloc": {}}"#).contains("eip150 before homestead")
        );
        assert!(
            refusal(r#"{"config": {"chainId": 1, "homesteadBlock": 3, "eip150Block": 2}, "alloc": {}}"#)
                .contains("homestead")
        );
        let blobs = |max| {
            format!(
                r#"{{"config": {{"chainId": 1, "blobSchedule": {{"osaka": {{"target": 0, "max": {max}, "baseFeeUpdateFraction": 1}}}}}}, "alloc": {{}}}}"#
            )
        };
        assert!(refusal(&blobs(0)).contains("from 1 to 1024") && Genesis::parse(&blobs(1)).is_ok());
        assert!(
            refusal(r#"{"config": {"chainId": 1}, "excessBlobGas": "0xffffffffffffffff", "alloc": {}}"#)
                .contains("2^48")
        );
        assert!(refusal(r#"{"config": {"chainId": 1, "amsterdamTime": 2}, "alloc": {}}"#).contains("amsterdam"));
        assert!(refusal(r#"{"config": {"chainId": 1}, "alloc": {"0x12": {}}}"#).contains("40 hexadecimal"));
        assert!(
            refusal(r#"{"config": {"chainId": 1}, "alloc": {"0x00000000000000000000000000000000000000aa": {}, "00000000000000000000000000000000000000aa": {}}}"#)
                .contains("twice")
        );
    }
}
