//! The rows of a ledger for tracers, which read through a shared reference.

use alloy_primitives::{Address, B256, U256};
use revm::bytecode::Bytecode;
use revm::state::AccountInfo;
use revm::{Database, DatabaseRef};

use crate::{ReadError, Rows};

pub(super) struct Reader<'a>(pub(super) Rows<'a>);

impl DatabaseRef for Reader<'_> {
    type Error = ReadError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, ReadError> {
        let mut rows = self.0;
        rows.basic(address)
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, ReadError> {
        let mut rows = self.0;
        rows.code_by_hash(hash)
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, ReadError> {
        let mut rows = self.0;
        Database::storage(&mut rows, address, slot)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, ReadError> {
        let mut rows = self.0;
        rows.block_hash(number)
    }
}
