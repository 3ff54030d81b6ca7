//! The tables of one hosted Ethereum ledger. All are private.
//!
//! | table          | kind    | key                         | value                                             |
//! |----------------|---------|-----------------------------|---------------------------------------------------|
//! | `accounts`     | state   | address                     | nonce, balance, code hash (see `account.rs`)      |
//! | `storage`      | state   | address, slot (32 bytes)    | value, big-endian, no leading zeros; never zero   |
//! | `code`         | state   | keccak of the code          | the code; stays when its last account goes        |
//! | `chain`        | state   | number mod 256 (one byte)   | hash of the newest block with that remainder      |
//! |                |         | `head`                      | number of the newest block                        |
//! | `blocks`       | history | number (8 bytes)            | header and what the body has beside transactions  |
//! | `numbers`      | history | block hash                  | number                                            |
//! | `transactions` | history | transaction hash            | place, sender, receipt, the raw transaction       |
//!
//! The state trie is in no table: it is computed from `accounts` and `storage` (see `world.rs`).

use alloy_primitives::{Address, B256, U256};
use kv::{Kind, TableError, TableId, Tables};

/// Where the ledger's rows are.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub(crate) accounts: TableId,
    pub(crate) storage: TableId,
    pub(crate) code: TableId,
    pub(crate) chain: TableId,
    pub(crate) blocks: TableId,
    pub(crate) numbers: TableId,
    pub(crate) transactions: TableId,
}

/// Key of the row in `chain` that holds the newest block's number.
pub(crate) const HEAD: &[u8] = b"head";

impl Layout {
    /// Registers the tables of the ledger called `name`.
    pub(crate) fn register(name: &str, tables: &Tables) -> Result<Self, TableError> {
        let add = |table: &str, kind| tables.add(format!("{name}.{table}"), kind);
        Ok(Self {
            accounts: add("accounts", Kind::State)?,
            storage: add("storage", Kind::State)?,
            code: add("code", Kind::State)?,
            chain: add("chain", Kind::State)?,
            blocks: add("blocks", Kind::History)?,
            numbers: add("numbers", Kind::History)?,
            transactions: add("transactions", Kind::History)?,
        })
    }
}

/// Bytes of a key in `storage`.
pub(crate) const STORAGE_KEY_BYTES: usize = 52;

pub(crate) fn storage_key(address: Address, slot: U256) -> [u8; STORAGE_KEY_BYTES] {
    let mut key = [0; STORAGE_KEY_BYTES];
    key[..20].copy_from_slice(address.as_slice());
    key[20..].copy_from_slice(&slot.to_be_bytes::<32>());
    key
}

/// All keys of one account's storage: from the first up to and with the last.
pub(crate) fn storage_range(address: Address) -> ([u8; STORAGE_KEY_BYTES], [u8; STORAGE_KEY_BYTES]) {
    (storage_key(address, U256::ZERO), storage_key(address, U256::MAX))
}

/// Blocks whose hashes are in `chain`.
pub(crate) const RECENT: u64 = 256;

/// Key in `chain` of a block's hash.
pub(crate) fn recent_key(number: u64) -> [u8; 1] {
    [number.to_be_bytes()[7]]
}

/// A block hash read from a row.
pub(crate) fn hash_of(bytes: &[u8]) -> Option<B256> {
    B256::try_from(bytes).ok()
}
