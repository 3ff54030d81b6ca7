//! Receipts and logs.

use alloy_consensus::{Transaction as _, Typed2718};
use alloy_primitives::{Address, B256, Bloom, Bytes, Log};
use serde::Serialize;

use super::{Data, Hex};
use crate::{Block, Forks, Outcome, Transaction};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::rpc) struct ReceiptJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    blob_gas_price: Option<Hex<u128>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob_gas_used: Option<Hex<u64>>,
    block_hash: B256,
    block_number: Hex<u64>,
    contract_address: Option<Address>,
    cumulative_gas_used: Hex<u64>,
    effective_gas_price: Hex<u128>,
    from: Address,
    gas_used: Hex<u64>,
    logs: Vec<LogJson<'a>>,
    logs_bloom: Data<Bloom>,
    /// Before Byzantium, the state after the transaction instead of its status.
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<B256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Hex<u64>>,
    to: Option<Address>,
    transaction_hash: B256,
    transaction_index: Hex<u64>,
    r#type: Hex<u64>,
}

impl<'a> ReceiptJson<'a> {
    pub(in crate::rpc) fn of(transaction: &'a Transaction, block: &Block, forks: &Forks) -> Self {
        let Transaction { envelope, receipt, .. } = transaction;
        let header = &block.header;
        let blob_gas_used = envelope.blob_gas_used();
        let blob_price = |excess| forks.blob_params(header.timestamp).calc_blob_fee(excess);
        let (root, status) = match receipt.outcome {
            Outcome::Root(root) => (Some(root), None),
            Outcome::Status(status) => (None, Some(Hex(u64::from(status)))),
        };
        Self {
            blob_gas_price: blob_gas_used.and(header.excess_blob_gas).map(|excess| Hex(blob_price(excess))),
            blob_gas_used: blob_gas_used.map(Hex),
            block_hash: block.hash,
            block_number: Hex(header.number),
            contract_address: transaction.contract(),
            cumulative_gas_used: Hex(receipt.cumulative_gas_used),
            effective_gas_price: Hex(envelope.effective_gas_price(header.base_fee_per_gas)),
            from: transaction.sender,
            gas_used: Hex(receipt.gas_used),
            logs: LogJson::of(transaction, block).collect(),
            logs_bloom: Data(alloy_primitives::logs_bloom(&receipt.logs)),
            root,
            status,
            to: envelope.to(),
            transaction_hash: transaction.hash,
            transaction_index: Hex(u64::from(transaction.index)),
            r#type: Hex(u64::from(envelope.ty())),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::rpc) struct LogJson<'a> {
    pub(in crate::rpc) address: Address,
    pub(in crate::rpc) topics: &'a [B256],
    pub(in crate::rpc) data: &'a Bytes,
    pub(in crate::rpc) block_number: Hex<u64>,
    pub(in crate::rpc) transaction_hash: B256,
    pub(in crate::rpc) transaction_index: Hex<u64>,
    pub(in crate::rpc) block_hash: B256,
    pub(in crate::rpc) block_timestamp: Hex<u64>,
    pub(in crate::rpc) log_index: Hex<u64>,
    /// Nothing that was shown is ever taken back.
    pub(in crate::rpc) removed: bool,
}

impl<'a> LogJson<'a> {
    /// The logs of a transaction, in order.
    pub(in crate::rpc) fn of(transaction: &'a Transaction, block: &Block) -> impl Iterator<Item = Self> {
        let (number, hash, timestamp) = (block.header.number, block.hash, block.header.timestamp);
        let first = transaction.receipt.first_log;
        (first..).zip(&transaction.receipt.logs).map(move |(index, log): (u64, &'a Log)| Self {
            address: log.address,
            topics: log.topics(),
            data: &log.data.data,
            block_number: Hex(number),
            transaction_hash: transaction.hash,
            transaction_index: Hex(u64::from(transaction.index)),
            block_hash: hash,
            block_timestamp: Hex(timestamp),
            log_index: Hex(index),
            removed: false,
        })
    }
}
