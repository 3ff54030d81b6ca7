//! Accounts, storage and code as rows: what the EVM reads, and what it leaves behind.
//!
//! [`Rows`] answers the EVM's four questions from a version of the store or from a transaction over one. [`commit`] turns
//! what a run left in the EVM's journal into row changes. Nothing else in this crate writes state.

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use kv::{Blob, HistoryError, State, TableId, Tx};
use revm::bytecode::Bytecode;
use revm::primitives::hardfork::SpecId;
use revm::state::{AccountInfo, EvmState};

use crate::ledger::Ledger;
use crate::record::Block;
use crate::tables::{HEAD, Layout, RECENT, hash_of, recent_key, storage_key, storage_range};
use crate::tip::Tip;
use crate::{Account, ReadError};

/// What rows are read from.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    State(&'a State),
    Tx(&'a Tx<'a>),
}

impl Source<'_> {
    pub(crate) fn get(self, table: TableId, key: &[u8]) -> Result<Option<Blob>, HistoryError> {
        match self {
            Self::State(state) => state.get(table, key),
            Self::Tx(tx) => tx.get(table, key),
        }
    }

    fn any_in(self, table: TableId, first: &[u8], last: &[u8]) -> bool {
        let range = (std::ops::Bound::Included(first), std::ops::Bound::Included(last));
        match self {
            Self::State(state) => state.range::<(_, _)>(table, range).next().is_some(),
            Self::Tx(tx) => tx.range::<(_, _)>(table, range).next().is_some(),
        }
    }
}

/// Accounts, storage, code and recent block hashes, of one version or over a transaction. What the EVM runs on.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    ledger: &'a Ledger,
    source: Source<'a>,
    /// Knows what the newest block is still to bring.
    tip: Option<&'a Tip>,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(ledger: &'a Ledger, source: Source<'a>) -> Self {
        Self { ledger, source, tip: None }
    }

    /// For code of the block after `tip`, which may not be sealed yet.
    pub(crate) fn after(self, tip: Option<&'a Tip>) -> Self {
        Self { tip, ..self }
    }

    /// Whether some account may have storage and neither code nor nonce: only a genesis can make one.
    pub(crate) fn bare_storage(&self) -> bool {
        self.ledger.bare_storage
    }

    pub fn account(&self, address: Address) -> Result<Option<Account>, ReadError> {
        let row = self.source.get(self.ledger.layout.accounts, address.as_slice())?;
        row.map(|row| Account::decode(&row)).transpose()
    }

    pub fn storage(&self, address: Address, slot: U256) -> Result<U256, ReadError> {
        let row = self.source.get(self.ledger.layout.storage, &storage_key(address, slot))?;
        row.map_or(Ok(U256::ZERO), |row| U256::try_from_be_slice(&row).ok_or(ReadError::Corrupt("a storage slot")))
    }

    /// Code as it was deployed. Empty for the hash of nothing.
    pub fn code(&self, hash: B256) -> Result<Blob, ReadError> {
        if hash == KECCAK256_EMPTY {
            return Ok(Blob::from([]));
        }
        self.source.get(self.ledger.layout.code, hash.as_slice())?.ok_or(ReadError::Corrupt("code is missing"))
    }

    /// Hash of one of the newest 256 blocks.
    pub fn recent(&self, number: u64) -> Result<Option<B256>, ReadError> {
        let row = self.source.get(self.ledger.layout.chain, &recent_key(number))?;
        row.map(|row| hash_of(&row).ok_or(ReadError::Corrupt("a recent block hash"))).transpose()
    }

    /// Number of the newest block. `None` before genesis.
    pub fn head(&self) -> Result<Option<u64>, ReadError> {
        let Some(row) = self.source.get(self.ledger.layout.chain, HEAD)? else { return Ok(None) };
        let number = <[u8; 8]>::try_from(&row[..]).map_err(|_| ReadError::Corrupt("the head"))?;
        Ok(Some(u64::from_be_bytes(number)))
    }

    fn has_storage(&self, address: Address) -> bool {
        let (first, last) = storage_range(address);
        self.source.any_in(self.ledger.layout.storage, &first, &last)
    }
}

impl revm::Database for Rows<'_> {
    type Error = ReadError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, ReadError> {
        let Some(Account { nonce, balance, code_hash }) = self.account(address)? else { return Ok(None) };
        if code_hash != KECCAK256_EMPTY {
            let code = self.ledger.codes.get(code_hash, || self.code(code_hash))?;
            return Ok(Some(AccountInfo { balance, nonce, code_hash, account_id: None, code: Some(code) }));
        }
        // EIP-7610: nothing may be deployed over old storage. The EVM looks at nonce and code alone, so an account that
        // has storage and neither must not show the hash of no code. EXTCODEHASH sets that right (`execute.rs`).
        let bare = self.bare_storage() && nonce == 0 && self.has_storage(address);
        let code_hash = if bare { B256::ZERO } else { code_hash };
        Ok(Some(AccountInfo { balance, nonce, code_hash, account_id: None, code: Some(Bytecode::default()) }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, ReadError> {
        if hash == KECCAK256_EMPTY || hash.is_zero() {
            return Ok(Bytecode::default());
        }
        self.ledger.codes.get(hash, || self.code(hash))
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, ReadError> {
        match self.tip.map_or(Ok(None), |tip| tip.history(address, slot))? {
            Some(hash) => Ok(hash.into()),
            None => Rows::storage(self, address, slot),
        }
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, ReadError> {
        if let Some(tip) = self.tip.filter(|tip| tip.number() == number) {
            return Ok(tip.sealed()?.hash);
        }
        match self.head()?.and_then(|head| head.checked_sub(number)) {
            None => Ok(B256::ZERO),
            Some(age) if age < RECENT => Ok(self.recent(number)?.unwrap_or_default()),
            // In the block after the head no code can ask for these, but simulated code may run in another.
            Some(_) => {
                let row = self.source.get(self.ledger.layout.blocks, &number.to_be_bytes())?;
                row.map_or(Ok(B256::ZERO), |row| Ok(Block::decode(&row)?.hash))
            }
        }
    }
}

pub(crate) fn put_account(layout: &Layout, tx: &mut Tx<'_>, address: Address, account: &Account) {
    tx.put(layout.accounts, address.as_slice(), account.encode());
}

pub(crate) fn put_code(layout: &Layout, tx: &mut Tx<'_>, hash: B256, code: &[u8]) {
    tx.put(layout.code, hash.as_slice(), code);
}

pub(crate) fn put_storage(layout: &Layout, tx: &mut Tx<'_>, address: Address, slot: U256, value: U256) {
    let key = storage_key(address, slot);
    if value.is_zero() {
        tx.remove(layout.storage, &key[..]);
    } else {
        tx.put(layout.storage, &key[..], value.to_be_bytes_trimmed_vec());
    }
}

/// Returns how many slots there were.
pub(crate) fn clear_storage(layout: &Layout, tx: &mut Tx<'_>, address: Address) -> usize {
    let (first, last) = storage_range(address);
    let range = (std::ops::Bound::Included(&first[..]), std::ops::Bound::Included(&last[..]));
    let keys: Vec<Blob> = tx.range::<(_, _)>(layout.storage, range).map(|(key, _)| key.clone()).collect();
    let count = keys.len();
    for key in keys {
        tx.remove(layout.storage, key);
    }
    count
}

/// Makes a block the newest.
pub(crate) fn put_head(layout: &Layout, tx: &mut Tx<'_>, number: u64) {
    tx.put(layout.chain, HEAD, &number.to_be_bytes()[..]);
}

/// Makes a block's hash known to BLOCKHASH.
pub(crate) fn put_recent(layout: &Layout, tx: &mut Tx<'_>, number: u64, hash: B256) {
    tx.put(layout.chain, &recent_key(number)[..], hash.as_slice());
}

/// Writes what a run left in the EVM's journal.
///
/// The journal also holds what was only looked at, accounts that vanish again, and storage of contracts that are gone:
/// which of it counts is decided here and nowhere else. Returns how many bytes were written, about.
pub(crate) fn commit(layout: &Layout, tx: &mut Tx<'_>, journal: EvmState, spec: SpecId) -> Result<usize, ReadError> {
    /// Of a key and its value, with what stands around them.
    const ROW_BYTES: usize = 128;
    let mut bytes = 0;
    let clears_empty = spec.is_enabled_in(SpecId::SPURIOUS_DRAGON);
    for (address, account) in journal {
        if !account.is_touched() {
            continue;
        }
        // Nothing was there before, so there is nothing to take away.
        let fresh = account.is_loaded_as_not_existing();
        if account.is_selfdestructed() || clears_empty && account.is_empty() {
            if fresh {
                continue;
            }
            tx.remove(layout.accounts, address.as_slice());
            bytes += ROW_BYTES * (1 + clear_storage(layout, tx, address));
            continue;
        }
        if account.is_created() && !fresh {
            bytes += ROW_BYTES * clear_storage(layout, tx, address);
        }
        let AccountInfo { balance, nonce, code_hash, ref code, .. } = account.info;
        let code_hash = if code_hash.is_zero() { KECCAK256_EMPTY } else { code_hash };
        let now = Account { nonce, balance, code_hash };
        let row = now.encode();
        let before = tx.get(layout.accounts, address.as_slice())?;
        if before.as_deref() != Some(&row[..]) {
            let code = code.as_ref().filter(|code| now.has_code() && !code.is_empty());
            if let Some(code) = code
                && tx.get(layout.code, code_hash.as_slice())?.is_none()
            {
                put_code(layout, tx, code_hash, code.original_byte_slice());
                bytes += ROW_BYTES + code.len();
            }
            tx.put(layout.accounts, address.as_slice(), row);
            bytes += ROW_BYTES;
        }
        for (slot, value) in account.changed_storage_slots() {
            put_storage(layout, tx, address, *slot, value.present_value);
            bytes += ROW_BYTES;
        }
    }
    Ok(bytes)
}
