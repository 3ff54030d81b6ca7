//! Blocks, headers and receipts of a block.

use std::sync::Arc;

use alloy_consensus::Header;
use alloy_primitives::{B256, U256};
use base::Seqno;

use super::Rpc;
use super::calls::now;
use super::dispatch::Step;
use super::errors::Error;
use super::framing::{Answer, Json};
use super::params::Params;
use super::types::{BlockId, BlockJson, HeaderJson, Hex, Place, ReceiptJson, TransactionJson, TransactionsJson};
use crate::{Block, View};

/// `null`: what was asked for is not there.
pub(super) fn nothing() -> Answer {
    Json::of(&())
}

impl View {
    pub(super) fn find(&self, block: BlockId) -> Result<Option<Block>, Error> {
        match self.number(block)? {
            Some(number) => Ok(self.block(number)?),
            None => Ok(None),
        }
    }
}

/// A block by the first parameter, read as `T`, if it is there.
fn asked(rpc: &Rpc, block: BlockId) -> Result<(View, Option<Block>), Error> {
    let view = rpc.latest();
    let block = view.find(block)?;
    Ok((view, block))
}

pub(super) fn by_hash(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(hash) = params.required::<Hex<B256>>()?;
    whole(rpc, BlockId::Hash(hash), params.optional()?.unwrap_or(false))
}

pub(super) fn by_number(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let block = params.required()?;
    let transactions = params.optional()?.unwrap_or(false);
    if block == BlockId::Pending { pending(rpc) } else { whole(rpc, block, transactions) }
}

/// The block that would come now. What waits to be in it is shown to nobody before it is.
fn pending(rpc: &Rpc) -> Result<Step, Error> {
    let header = rpc.latest().next_header(now())?;
    let withdrawals = header.withdrawals_root.map(|_| Vec::new());
    let block = Block { withdrawals, ..alone(header, B256::ZERO) }.measured([]);
    Step::done(&BlockJson::of(&block, TransactionsJson::Hashes(&[])).pending())
}

fn whole(rpc: &Rpc, block: BlockId, whole: bool) -> Result<Step, Error> {
    let (view, Some(block)) = asked(rpc, block)? else { return Ok(Step::Done(nothing())) };
    if !whole {
        return Step::done(&BlockJson::of(&block, TransactionsJson::Hashes(&block.transactions)));
    }
    Step::work(move || {
        let transactions = view.transactions(&block)?;
        let json = transactions
            .iter()
            .map(|transaction| TransactionJson::of(transaction, Place::of(&block, transaction.index)));
        Json::of(&BlockJson::of(&block, TransactionsJson::Whole(json.collect())))
    })
}

/// A header as a block without a body.
fn alone(header: Header, hash: B256) -> Block {
    Block {
        header,
        hash,
        transactions: Vec::new(),
        ommers: Vec::new(),
        withdrawals: None,
        total_difficulty: U256::ZERO,
        imported: true,
        first: Seqno(0),
        size: 0,
    }
}

pub(super) fn header_by_hash(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(hash) = params.required::<Hex<B256>>()?;
    header(rpc, BlockId::Hash(hash))
}

pub(super) fn header_by_number(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    header(rpc, params.required()?)
}

fn header(rpc: &Rpc, block: BlockId) -> Result<Step, Error> {
    match asked(rpc, block)?.1 {
        Some(block) => Step::done(&HeaderJson::of(&block.header, block.hash)),
        None => Ok(Step::Done(nothing())),
    }
}

pub(super) fn receipts(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let (view, Some(block)) = asked(rpc, params.required()?)? else { return Ok(Step::Done(nothing())) };
    let ethereum = rpc.ethereum.clone();
    Step::work(move || {
        let transactions = view.transactions(&block)?;
        let receipts = transactions.iter().map(|transaction| ReceiptJson::of(transaction, &block, ethereum.forks()));
        Json::of(&receipts.collect::<Vec<_>>())
    })
}

pub(super) fn transaction_count(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let block = asked(rpc, params.required()?)?.1;
    Step::done(&block.map(|block| Hex(block.transactions.len() as u64)))
}

/// Only imported blocks of the proof-of-work era have uncles.
pub(super) fn uncle_count(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let block = asked(rpc, params.required()?)?.1;
    Step::done(&block.map(|block| Hex(block.ommers.len() as u64)))
}

/// An uncle is given as a block without a body.
pub(super) fn uncle(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let (_, block) = asked(rpc, params.required()?)?;
    let Hex(index) = params.required::<Hex<u64>>()?;
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    let Some(header) = block.and_then(|block| block.ommers.into_iter().nth(index)) else {
        return Ok(Step::Done(nothing()));
    };
    let hash = header.hash_slow();
    let uncle = alone(header, hash).measured([]);
    Step::done(&BlockJson::of(&uncle, TransactionsJson::Hashes(&[])))
}
