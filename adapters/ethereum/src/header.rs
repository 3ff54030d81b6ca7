//! Headers: what the next one starts from, and the roots that close it.

use alloy_consensus::constants::EMPTY_WITHDRAWALS;
use alloy_consensus::{Eip658Value, Header, Receipt as ConsensusReceipt, ReceiptEnvelope, TxReceipt};
use alloy_eips::eip1559::{BaseFeeParams, INITIAL_BASE_FEE};
use alloy_eips::eip2718::{Encodable2718, Typed2718};
use alloy_primitives::{B256, Bloom, Bytes, U256};
use revm::primitives::hardfork::SpecId;

use crate::ledger::Ledger;
use crate::record::{Block, Outcome, Receipt};
use crate::trie::{Value, list_root};

/// What blocks made here carry as extra data.
const EXTRA_DATA: &[u8] = b"coco";

/// What a block says to the next one, beside its hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parent<'a> {
    /// Its roots, bloom and own parent's hash are not looked at.
    pub(crate) header: &'a Header,
    /// Of this block and all before it.
    pub(crate) total_difficulty: U256,
    /// See [`Block::imported`].
    pub(crate) imported: bool,
}

impl Block {
    pub(crate) fn as_parent(&self) -> Parent<'_> {
        Parent { header: &self.header, total_difficulty: self.total_difficulty, imported: self.imported }
    }
}

impl Ledger {
    /// The rules of the block after `parent`.
    pub(crate) fn next_spec(&self, parent: Parent<'_>, time: u64) -> SpecId {
        let forks = &self.config.genesis.forks;
        forks.spec(parent.header.number + 1, time, forks.merged(parent.total_difficulty))
    }

    /// Base fee of the block after `parent`, if it has one.
    pub(crate) fn next_base_fee(&self, parent: Parent<'_>, spec: SpecId) -> Option<u64> {
        if !spec.is_enabled_in(SpecId::LONDON) {
            return None;
        }
        if !parent.imported {
            return Some(self.config.base_fee);
        }
        Some(market_base_fee(parent.header))
    }

    /// Excess blob gas of the block after `parent`, if it counts it.
    pub(crate) fn next_excess_blob_gas(&self, parent: &Header, time: u64, spec: SpecId) -> Option<u64> {
        let params = self.config.genesis.forks.blob_params(time);
        spec.is_enabled_in(SpecId::CANCUN).then(|| parent.next_block_excess_blob_gas(params).unwrap_or(0))
    }

    /// The header that the block after `parent` starts from: everything but the parent's hash and what execution decides.
    pub(crate) fn next_header(&self, parent: Parent<'_>, time: u64, random: B256) -> Header {
        let spec = self.next_spec(parent, time);
        let since = |fork| spec.is_enabled_in(fork);
        let merged = since(SpecId::MERGE);
        Header {
            beneficiary: self.config.genesis.beneficiary(),
            // Before the merge a block needs a difficulty. Nobody works here, so it is the least there is.
            difficulty: if merged { U256::ZERO } else { U256::ONE },
            number: parent.header.number + 1,
            gas_limit: parent.header.gas_limit,
            timestamp: time,
            extra_data: Bytes::from_static(EXTRA_DATA),
            mix_hash: if merged { random } else { B256::ZERO },
            base_fee_per_gas: self.next_base_fee(parent, spec),
            withdrawals_root: since(SpecId::SHANGHAI).then_some(EMPTY_WITHDRAWALS),
            blob_gas_used: since(SpecId::CANCUN).then_some(0),
            excess_blob_gas: self.next_excess_blob_gas(parent.header, time, spec),
            parent_beacon_block_root: since(SpecId::CANCUN).then_some(B256::ZERO),
            ..Header::default()
        }
    }
}

/// EIP-1559's base fee after `parent`, which may be the last block before London.
pub(crate) fn market_base_fee(parent: &Header) -> u64 {
    parent.next_block_base_fee(BaseFeeParams::ethereum()).unwrap_or(INITIAL_BASE_FEE)
}

#[derive(Clone)]
struct Raw<'a>(&'a [u8]);

impl Value for Raw<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0);
    }
}

impl Value for &ReceiptEnvelope {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_2718(out);
    }
}

/// Root over transactions as they stand in a block.
#[must_use]
pub fn transactions_root<T: AsRef<[u8]>>(raw: &[T]) -> B256 {
    list_root(raw.iter().map(|raw| Raw(raw.as_ref())))
}

/// A receipt as a block commits to it. `kind`: the transaction's type.
#[must_use]
pub fn consensus_receipt(receipt: &Receipt, transaction: &impl Typed2718) -> ReceiptEnvelope {
    let status = match receipt.outcome {
        Outcome::Status(success) => Eip658Value::Eip658(success),
        Outcome::Root(root) => Eip658Value::PostState(root),
    };
    let logs = receipt.logs.clone();
    let receipt = ConsensusReceipt { status, cumulative_gas_used: receipt.cumulative_gas_used, logs }.into_with_bloom();
    match transaction.ty() {
        1 => ReceiptEnvelope::Eip2930(receipt),
        2 => ReceiptEnvelope::Eip1559(receipt),
        3 => ReceiptEnvelope::Eip4844(receipt),
        4 => ReceiptEnvelope::Eip7702(receipt),
        _ => ReceiptEnvelope::Legacy(receipt),
    }
}

/// Root over receipts.
#[must_use]
pub fn receipts_root(receipts: &[ReceiptEnvelope]) -> B256 {
    list_root(receipts)
}

/// Every log of the block, as a bloom.
#[must_use]
pub fn bloom(receipts: &[ReceiptEnvelope]) -> Bloom {
    receipts.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | receipt.bloom())
}
