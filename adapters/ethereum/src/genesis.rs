//! Reads geth's `genesis.json`: forks, accounts and the first header.
//!
//! What geth fills in when a member is missing is filled in here too, so that the same file gives the same genesis hash.
//! What cannot be honoured is refused, with a sentence that says what to change.

mod file;

use std::collections::BTreeMap;

use alloy_consensus::Header;
use alloy_consensus::constants::EMPTY_WITHDRAWALS;
use alloy_eips::eip1559::INITIAL_BASE_FEE;
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_eips::eip7840::BlobParams;
use alloy_primitives::{Address, B64, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use kv::Tx;
use revm::primitives::hardfork::SpecId;

use crate::forks::{At, Fork, Forks};
use crate::tables::Layout;
use crate::{Account, rows};

/// Why a genesis was refused.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    #[error("the genesis is not readable as geth's genesis.json: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{member} in the genesis is {value:?}: {want}")]
    Value { member: &'static str, value: String, want: &'static str },
    #[error("the genesis has no {0}: every network needs one")]
    Missing(&'static str),
    #[error(
        "the genesis sets {later} before {earlier}: forks build on each other, set {earlier} at the same point or before"
    )]
    Order { earlier: &'static str, later: &'static str },
    #[error("the genesis asks for {0}, which this version does not know: remove it from \"config\"")]
    Unsupported(&'static str),
    #[error("account {address} is in the genesis twice, with and without 0x or in another case: keep one")]
    Twice { address: Address },
}

/// An account that the ledger starts with.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GenesisAccount {
    pub balance: U256,
    pub nonce: u64,
    pub code: Bytes,
    pub storage: BTreeMap<U256, U256>,
}

/// What a ledger starts from.
#[derive(Clone, Debug)]
pub struct Genesis {
    pub forks: Forks,
    pub alloc: BTreeMap<Address, GenesisAccount>,
    /// The first block's header, but for its state root.
    pub(crate) header: Header,
}

/// The ladder: key in the file, rules, and whether it begins at a time.
const LADDER: &[(&str, Option<SpecId>, bool)] = &[
    ("homestead", Some(SpecId::HOMESTEAD), false),
    ("eip150", Some(SpecId::TANGERINE), false),
    ("eip155", None, false),
    ("eip158", Some(SpecId::SPURIOUS_DRAGON), false),
    ("byzantium", Some(SpecId::BYZANTIUM), false),
    // Constantinople without Petersburg's removal of EIP-1283 never lived on a public network; its other rules are Petersburg's.
    ("constantinople", Some(SpecId::PETERSBURG), false),
    ("petersburg", Some(SpecId::PETERSBURG), false),
    ("istanbul", Some(SpecId::ISTANBUL), false),
    ("muirGlacier", None, false),
    ("berlin", Some(SpecId::BERLIN), false),
    ("london", Some(SpecId::LONDON), false),
    ("arrowGlacier", None, false),
    ("grayGlacier", None, false),
    ("mergeNetsplit", None, false),
    ("shanghai", Some(SpecId::SHANGHAI), true),
    ("cancun", Some(SpecId::CANCUN), true),
    ("prague", Some(SpecId::PRAGUE), true),
    ("osaka", Some(SpecId::OSAKA), true),
    ("bpo1", None, true),
    ("bpo2", None, true),
    ("bpo3", None, true),
    ("bpo4", None, true),
    ("bpo5", None, true),
];

/// The least gas limit that a block may have.
pub(crate) const GAS_LIMIT_MIN: u64 = 5_000;

/// Forks that may be left out, since nothing but a difficulty bomb or blob parameters came with them.
const OPTIONAL: &[&str] =
    &["muirGlacier", "arrowGlacier", "grayGlacier", "mergeNetsplit", "bpo1", "bpo2", "bpo3", "bpo4", "bpo5"];

impl Genesis {
    /// Reads the text of a `genesis.json`.
    pub fn parse(text: &str) -> Result<Self, GenesisError> {
        file::read(text)
    }

    /// The address that fees go to in blocks made here.
    #[must_use]
    pub fn beneficiary(&self) -> Address {
        self.header.beneficiary
    }

    /// Whether some account has storage and neither code nor nonce, as no transaction can make one.
    pub(crate) fn has_bare_storage(&self) -> bool {
        self.alloc.values().any(|account| account.nonce == 0 && account.code.is_empty() && !account.storage.is_empty())
    }

    /// Writes the first accounts.
    pub(crate) fn write(&self, layout: &Layout, tx: &mut Tx<'_>) {
        for (address, GenesisAccount { balance, nonce, code, storage }) in &self.alloc {
            let code_hash = if code.is_empty() { KECCAK256_EMPTY } else { keccak256(code) };
            rows::put_account(layout, tx, *address, &Account { nonce: *nonce, balance: *balance, code_hash });
            if !code.is_empty() {
                rows::put_code(layout, tx, code_hash, code);
            }
            for (slot, value) in storage {
                rows::put_storage(layout, tx, *address, *slot, *value);
            }
        }
    }
}

/// Checks that forks come in the order of the ladder and without holes.
fn ladder(mut at: impl FnMut(&str) -> Option<u64>) -> Result<Vec<Fork>, GenesisError> {
    let mut forks: Vec<Fork> = Vec::new();
    let mut missing: Option<&'static str> = None;
    for &(name, spec, timed) in LADDER {
        let Some(point) = at(name) else {
            if !OPTIONAL.contains(&name) {
                missing = missing.or(Some(name));
            }
            continue;
        };
        if let Some(earlier) = missing {
            return Err(GenesisError::Order { earlier, later: name });
        }
        let fork = Fork { name, at: if timed { At::Time(point) } else { At::Block(point) }, spec };
        if let Some(before) = forks.last() {
            let late = match (before.at, fork.at) {
                (At::Block(before), At::Block(this)) | (At::Time(before), At::Time(this)) => before > this,
                (At::Block(_), At::Time(_)) => false,
                (At::Time(_), At::Block(_)) => true,
            };
            if late {
                return Err(GenesisError::Order { earlier: before.name, later: name });
            }
        }
        forks.push(fork);
    }
    Ok(forks)
}

/// Blob parameters by time: the file's where it has them, else those of the public networks.
fn blob_params(forks: &[Fork], schedule: &BTreeMap<String, file::BlobParameters>) -> Vec<(u64, BlobParams)> {
    let mut list = Vec::new();
    for fork in forks {
        let At::Time(from) = fork.at else { continue };
        let known = match fork.name {
            "cancun" => BlobParams::cancun(),
            "prague" => BlobParams::prague(),
            "osaka" => BlobParams::osaka(),
            "bpo1" => BlobParams::bpo1(),
            name if name.starts_with("bpo") => BlobParams::bpo2(),
            _ => continue,
        };
        let params = schedule.get(fork.name).map_or(known, |file| {
            let per_transaction = if known.blob_base_cost == 0 { file.max } else { known.max_blobs_per_tx };
            BlobParams {
                target_blob_count: file.target,
                max_blob_count: file.max,
                update_fraction: u128::from(file.base_fee_update_fraction),
                max_blobs_per_tx: per_transaction.min(file.max),
                ..known
            }
        });
        list.push((from, params));
    }
    list
}

/// The members of the file that only the header has.
struct HeaderFields {
    nonce: u64,
    timestamp: u64,
    extra_data: Bytes,
    gas_limit: Option<u64>,
    difficulty: Option<U256>,
    mix_hash: B256,
    coinbase: Address,
    gas_used: u64,
    parent_hash: B256,
    base_fee: Option<u64>,
    excess_blob_gas: u64,
    blob_gas_used: u64,
}

/// The first header, as geth builds it.
fn header(fields: HeaderFields, forks: &Forks) -> Header {
    const GAS_LIMIT: u64 = 4_712_388;
    const DIFFICULTY: u64 = 131_072;
    let merged = forks.merged(U256::ZERO);
    let spec = forks.spec(0, fields.timestamp, merged);
    let since = |fork| spec.is_enabled_in(fork);
    let difficulty = if merged { U256::ZERO } else { U256::from(DIFFICULTY) };
    Header {
        parent_hash: fields.parent_hash,
        beneficiary: fields.coinbase,
        difficulty: fields.difficulty.unwrap_or(difficulty),
        gas_limit: fields.gas_limit.filter(|limit| *limit > 0).unwrap_or(GAS_LIMIT),
        gas_used: fields.gas_used,
        timestamp: fields.timestamp,
        extra_data: fields.extra_data,
        mix_hash: fields.mix_hash,
        nonce: B64::from(fields.nonce),
        base_fee_per_gas: since(SpecId::LONDON).then(|| fields.base_fee.unwrap_or(INITIAL_BASE_FEE)),
        withdrawals_root: since(SpecId::SHANGHAI).then_some(EMPTY_WITHDRAWALS),
        blob_gas_used: since(SpecId::CANCUN).then_some(fields.blob_gas_used),
        excess_blob_gas: since(SpecId::CANCUN).then_some(fields.excess_blob_gas),
        parent_beacon_block_root: since(SpecId::CANCUN).then_some(B256::ZERO),
        requests_hash: since(SpecId::PRAGUE).then_some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    }
}
