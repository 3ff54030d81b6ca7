//! Blocks and headers.

use alloy_consensus::Header;
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{Address, B64, B256, Bloom, Bytes, U256};
use serde::Serialize;

use super::transaction::TransactionJson;
use super::{Data, Hex};
use crate::Block;

/// A header. Members that its fork does not have are left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::rpc) struct HeaderJson<'a> {
    number: Hex<u64>,
    /// `None` while the block is not there; so are the nonce and who made it.
    hash: Option<B256>,
    parent_hash: B256,
    nonce: Option<B64>,
    mix_hash: B256,
    sha3_uncles: B256,
    logs_bloom: Data<&'a Bloom>,
    state_root: B256,
    miner: Option<Address>,
    difficulty: Hex<U256>,
    extra_data: &'a Bytes,
    gas_limit: Hex<u64>,
    gas_used: Hex<u64>,
    timestamp: Hex<u64>,
    transactions_root: B256,
    receipts_root: B256,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_fee_per_gas: Option<Hex<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawals_root: Option<B256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob_gas_used: Option<Hex<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    excess_blob_gas: Option<Hex<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_beacon_block_root: Option<B256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requests_hash: Option<B256>,
}

impl<'a> HeaderJson<'a> {
    pub(in crate::rpc) fn of(header: &'a Header, hash: B256) -> Self {
        Self {
            number: Hex(header.number),
            hash: Some(hash),
            parent_hash: header.parent_hash,
            nonce: Some(header.nonce),
            mix_hash: header.mix_hash,
            sha3_uncles: header.ommers_hash,
            logs_bloom: Data(&header.logs_bloom),
            state_root: header.state_root,
            miner: Some(header.beneficiary),
            difficulty: Hex(header.difficulty),
            extra_data: &header.extra_data,
            gas_limit: Hex(header.gas_limit),
            gas_used: Hex(header.gas_used),
            timestamp: Hex(header.timestamp),
            transactions_root: header.transactions_root,
            receipts_root: header.receipts_root,
            base_fee_per_gas: header.base_fee_per_gas.map(Hex),
            withdrawals_root: header.withdrawals_root,
            blob_gas_used: header.blob_gas_used.map(Hex),
            excess_blob_gas: header.excess_blob_gas.map(Hex),
            parent_beacon_block_root: header.parent_beacon_block_root,
            requests_hash: header.requests_hash,
        }
    }
}

/// A whole block.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::rpc) struct BlockJson<'a> {
    #[serde(flatten)]
    header: HeaderJson<'a>,
    size: Hex<u64>,
    transactions: TransactionsJson<'a>,
    uncles: Vec<B256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawals: Option<Vec<WithdrawalJson>>,
}

/// The transactions of a block, by hash or whole.
#[derive(Serialize)]
#[serde(untagged)]
pub(in crate::rpc) enum TransactionsJson<'a> {
    Hashes(&'a [B256]),
    Whole(Vec<TransactionJson<'a>>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WithdrawalJson {
    index: Hex<u64>,
    validator_index: Hex<u64>,
    address: Address,
    amount: Hex<u64>,
}

impl<'a> BlockJson<'a> {
    pub(in crate::rpc) fn of(block: &'a Block, transactions: TransactionsJson<'a>) -> Self {
        let withdrawal = |withdrawal: &Withdrawal| WithdrawalJson {
            index: Hex(withdrawal.index),
            validator_index: Hex(withdrawal.validator_index),
            address: withdrawal.address,
            amount: Hex(withdrawal.amount),
        };
        Self {
            header: HeaderJson::of(&block.header, block.hash),
            size: Hex(block.size),
            transactions,
            uncles: block.ommers.iter().map(Header::hash_slow).collect(),
            withdrawals: block.withdrawals.as_ref().map(|all| all.iter().map(withdrawal).collect()),
        }
    }

    /// The block as one that could come.
    pub(in crate::rpc) fn pending(mut self) -> Self {
        (self.header.hash, self.header.nonce, self.header.miner) = (None, None, None);
        self
    }
}
