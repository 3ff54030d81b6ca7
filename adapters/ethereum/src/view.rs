//! What readers see of the ledger: one committed version, with every block before it.
//!
//! Blocks, transactions and receipts can be read at any age. State (accounts, storage, proofs) is that of the version,
//! and only the newest versions are kept: see [`crate::Ethereum::at`].

use std::sync::Arc;

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Bytes, U256};
use base::Seqno;
use kv::{State, Wanted};

use crate::execute::Context;
use crate::ledger::Ledger;
use crate::record::{Block, Transaction};
use crate::rows::Rows;
use crate::tables::Layout;
use crate::world::{Proof, World};
use crate::{Account, ReadError};

/// One version. Owned and cheap to clone: it can go where the work is done.
#[derive(Clone)]
pub struct View {
    ledger: Arc<Ledger>,
    state: Arc<State>,
}

impl View {
    pub(crate) fn new(ledger: Arc<Ledger>, state: Arc<State>) -> Self {
        Self { ledger, state }
    }

    #[must_use]
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    #[must_use]
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    #[must_use]
    pub fn rows(&self) -> Rows<'_> {
        self.ledger.rows_of(&self.state)
    }

    pub fn head_number(&self) -> Result<u64, ReadError> {
        self.rows().head()?.ok_or(ReadError::NotOpen)
    }

    pub fn head(&self) -> Result<Block, ReadError> {
        self.block(self.head_number()?)?.ok_or(ReadError::Corrupt("the newest block is missing"))
    }

    pub fn block(&self, number: u64) -> Result<Option<Block>, ReadError> {
        self.ledger.block(&self.state, number)
    }

    pub fn number_of(&self, hash: B256) -> Result<Option<u64>, ReadError> {
        let Some(row) = self.state.get(self.ledger.layout.numbers, hash.as_slice())? else { return Ok(None) };
        let number = <[u8; 8]>::try_from(&row[..]).map_err(|_| ReadError::Corrupt("a block's number"))?;
        Ok(Some(u64::from_be_bytes(number)))
    }

    pub fn block_by_hash(&self, hash: B256) -> Result<Option<Block>, ReadError> {
        let Some(number) = self.number_of(hash)? else { return Ok(None) };
        self.block(number)
    }

    pub fn transaction(&self, hash: B256) -> Result<Option<Transaction>, ReadError> {
        let row = self.state.get(self.ledger.layout.transactions, hash.as_slice())?;
        row.map(|row| Transaction::decode(&row)).transpose()
    }

    /// All transactions of a block, in order, with their receipts.
    pub fn transactions(&self, block: &Block) -> Result<Vec<Transaction>, ReadError> {
        let missing = ReadError::Corrupt("a transaction of a block is missing");
        let found = block.transactions.iter().map(|hash| self.transaction(*hash));
        found.collect::<Result<Option<Vec<_>>, _>>()?.ok_or(missing)
    }

    /// The transactions that one entry of the ledger brought, in order. `None` if the entry is not on disk yet.
    pub fn transactions_of(&self, entry: Seqno) -> Result<Option<Vec<Transaction>>, ReadError> {
        let Some(writes) = self.state.entry(entry)? else { return Ok(None) };
        let rows = writes.section(self.ledger.layout.transactions);
        let found = rows.iter().flat_map(|section| &section.puts).map(|(_, row)| Transaction::decode(row));
        let mut found = found.collect::<Result<Vec<_>, _>>()?;
        // One entry of an imported block has them all, by hash.
        found.sort_by_key(|transaction| transaction.index);
        Ok(Some(found))
    }

    /// What to ask the index of history for: transactions with a term of each group (see `terms.rs`).
    pub(crate) fn wanted(&self, groups: Vec<Vec<Vec<u8>>>) -> Wanted {
        Wanted { table: self.ledger.layout.transactions, groups }
    }

    pub fn account(&self, address: Address) -> Result<Option<Account>, ReadError> {
        self.rows().account(address)
    }

    /// The code at an address; empty where there is none.
    pub fn code(&self, address: Address) -> Result<Bytes, ReadError> {
        let rows = self.rows();
        let Some(account) = rows.account(address)? else { return Ok(Bytes::new()) };
        Ok(Bytes::copy_from_slice(&rows.code(account.code_hash)?))
    }

    pub fn storage(&self, address: Address, slot: U256) -> Result<U256, ReadError> {
        self.rows().storage(address, slot)
    }

    /// The state trie of this version.
    pub fn world(&self) -> Result<World, ReadError> {
        Ok(self.ledger.tip(&self.state)?.sealed()?.world.clone())
    }

    /// An account and some of its slots, with proofs from the head's state root.
    pub fn proof(&self, address: Address, slots: &[U256]) -> Result<Proof, ReadError> {
        Ok(self.world()?.proof(address, slots))
    }

    /// What execution knew of a block that is there.
    #[must_use]
    pub fn context_of(&self, block: &Block) -> Context {
        self.ledger.context_of(block)
    }

    /// The header that the next block would start from at `time` (in seconds; never before the head's).
    pub fn next_header(&self, time: u64) -> Result<Header, ReadError> {
        let head = self.head()?;
        let time = time.max(head.header.timestamp);
        Ok(Header { parent_hash: head.hash, ..self.ledger.next_header(head.as_parent(), time, B256::ZERO) })
    }

    /// What execution would know of the next block.
    pub fn next_context(&self, time: u64) -> Result<Context, ReadError> {
        let tip = self.ledger.tip(&self.state)?;
        let parent = tip.as_parent();
        let header = self.ledger.next_header(parent, time.max(parent.header.timestamp), B256::ZERO);
        Ok(self.ledger.own_context(&header, parent.total_difficulty))
    }

    /// Base fee of the next block; `None` before London.
    pub fn next_base_fee(&self) -> Result<Option<u64>, ReadError> {
        let tip = self.ledger.tip(&self.state)?;
        let parent = tip.as_parent();
        let spec = self.ledger.next_spec(parent, parent.header.timestamp);
        Ok(self.ledger.next_base_fee(parent, spec))
    }
}

impl Ledger {
    pub(crate) fn block(&self, state: &State, number: u64) -> Result<Option<Block>, ReadError> {
        let Layout { blocks, .. } = self.layout;
        let row = state.get(blocks, &number.to_be_bytes())?;
        row.map(|row| Block::decode(&row)).transpose()
    }
}
