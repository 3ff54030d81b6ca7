//! What a caller may pretend before code runs: other balances, code, storage, precompiles, another block.
//!
//! Overrides of state are ordinary writes into the transaction that the code runs on; it is thrown away afterwards.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use revm::bytecode::Bytecode;
use revm::context_interface::block::BlobExcessGasAndPrice;
use serde::Deserialize;

use super::calls::Scratch;
use super::calls::precompiles::Precompiles;
use super::errors::Error;
use super::types::Hex;
use crate::{Context, rows};

const MOVED_TO_ITSELF: i64 = -38022;

/// Accounts to change, in the order of their addresses.
pub(super) type StateOverrides = BTreeMap<Hex<Address>, AccountOverride>;

#[derive(Clone, Default, Deserialize, Debug)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AccountOverride {
    nonce: Option<Hex<u64>>,
    code: Option<Hex<Bytes>>,
    balance: Option<Hex<U256>>,
    /// Replaces all storage.
    state: Option<BTreeMap<Hex<B256>, Hex<B256>>>,
    /// Replaces single slots.
    state_diff: Option<BTreeMap<Hex<B256>, Hex<B256>>>,
    move_precompile_to_address: Option<Hex<Address>>,
}

/// Another block to run in. Names of geth's two generations are accepted.
#[derive(Clone, Default, Deserialize, Debug)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct BlockOverrides {
    pub(super) number: Option<Hex<U256>>,
    pub(super) difficulty: Option<Hex<U256>>,
    #[serde(alias = "timestamp")]
    pub(super) time: Option<Hex<u64>>,
    pub(super) gas_limit: Option<Hex<u64>>,
    #[serde(alias = "coinbase")]
    pub(super) fee_recipient: Option<Hex<Address>>,
    #[serde(alias = "random")]
    pub(super) prev_randao: Option<Hex<B256>>,
    #[serde(alias = "baseFee")]
    pub(super) base_fee_per_gas: Option<Hex<u64>>,
    pub(super) blob_base_fee: Option<Hex<u128>>,
}

/// Writes the overrides, and moves or removes precompiles.
pub(super) fn apply(overrides: &StateOverrides, scratch: &mut Scratch<'_>) -> Result<(), Error> {
    let moves = moves(overrides, &scratch.precompiles)?;
    for (&Hex(address), change) in overrides {
        scratch.precompiles.remove(address);
        apply_one(address, change, scratch)?;
    }
    for (from, to) in moves {
        scratch.precompiles.put(from, to);
    }
    Ok(())
}

/// Precompiles to move, by the address they have now.
fn moves(overrides: &StateOverrides, precompiles: &Precompiles) -> Result<Vec<(Address, Address)>, Error> {
    let mut moves: Vec<(Address, Address)> = Vec::new();
    for (&Hex(from), change) in overrides {
        let Some(Hex(to)) = change.move_precompile_to_address else { continue };
        if !precompiles.contains(from) {
            return Err(Error::server(format!("account {from} is not a precompile")));
        }
        if from == to {
            return Err(Error::new(MOVED_TO_ITSELF, format!("account {to} cannot be moved to itself")));
        }
        if overrides.contains_key(&Hex(to)) {
            return Err(Error::server(format!("account {to} is already overridden")));
        }
        moves.push((from, to));
    }
    Ok(moves)
}

fn apply_one(address: Address, change: &AccountOverride, scratch: &mut Scratch<'_>) -> Result<(), Error> {
    let mut account = scratch.account(address)?;
    let layout = &scratch.ledger.layout;
    let tx = &mut scratch.tx;
    if let Some(Hex(nonce)) = change.nonce {
        account.nonce = nonce;
    }
    if let Some(Hex(balance)) = change.balance {
        account.balance = balance;
    }
    if let Some(Hex(code)) = &change.code {
        if Bytecode::new_raw_checked(code.clone()).is_err() {
            return Err(Error::params(format!("account {address} has code that begins as a delegation and is none")));
        }
        account.code_hash = keccak256(code);
        rows::put_code(layout, tx, account.code_hash, code);
    }
    if change.nonce.is_some() || change.balance.is_some() || change.code.is_some() {
        rows::put_account(layout, tx, address, &account);
    }
    let slots = match (&change.state, &change.state_diff) {
        (Some(_), Some(_)) => {
            return Err(Error::server(format!("account {address} has both 'state' and 'stateDiff'")));
        }
        (Some(slots), None) => {
            rows::clear_storage(layout, tx, address);
            slots
        }
        (None, Some(slots)) => slots,
        (None, None) => return Ok(()),
    };
    for (Hex(slot), Hex(value)) in slots {
        rows::put_storage(layout, tx, address, (*slot).into(), (*value).into());
    }
    Ok(())
}

impl BlockOverrides {
    /// Changes the block that code sees.
    pub(super) fn apply(&self, context: &mut Context) {
        let block = &mut context.block;
        if let Some(Hex(number)) = self.number {
            block.number = number;
        }
        if let Some(Hex(difficulty)) = self.difficulty {
            block.difficulty = difficulty;
        }
        if let Some(Hex(time)) = self.time {
            block.timestamp = U256::from(time);
        }
        if let Some(Hex(gas_limit)) = self.gas_limit {
            block.gas_limit = gas_limit;
        }
        if let Some(Hex(recipient)) = self.fee_recipient {
            block.beneficiary = recipient;
        }
        if let Some(Hex(random)) = self.prev_randao {
            block.prevrandao = Some(random);
        }
        if let Some(Hex(base_fee)) = self.base_fee_per_gas {
            block.basefee = base_fee;
        }
        if let Some(Hex(fee)) = self.blob_base_fee {
            let excess_blob_gas = block.blob_excess_gas_and_price.map_or(0, |blob| blob.excess_blob_gas);
            block.blob_excess_gas_and_price = Some(BlobExcessGasAndPrice { excess_blob_gas, blob_gasprice: fee });
        }
    }
}
