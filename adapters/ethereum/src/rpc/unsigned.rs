//! A call as the transaction it would be, before anybody signs it.

use alloy_consensus::{EthereumTypedTransaction, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy};
use alloy_eips::eip7702::SignedAuthorization;
use revm::context::TxEnv;

pub(super) type Unsigned = EthereumTypedTransaction<TxEip4844>;

/// The transaction with the members of `call`, of its type. A legacy one is bound to the chain if the call is.
pub(super) fn transaction(call: &TxEnv, authorization_list: Vec<SignedAuthorization>) -> Unsigned {
    let TxEnv { nonce, gas_limit, kind: to, value, gas_price, .. } = *call;
    let chain_id = call.chain_id.unwrap_or_default();
    let (max_fee_per_gas, max_priority_fee_per_gas) = (gas_price, call.gas_priority_fee.unwrap_or_default());
    let (input, access_list) = (call.data.clone(), call.access_list.clone());
    let callee = to.to().copied().unwrap_or_default();
    match call.tx_type {
        0 => TxLegacy { chain_id: call.chain_id, nonce, gas_price, gas_limit, to, value, input }.into(),
        1 => TxEip2930 { chain_id, nonce, gas_price, gas_limit, to, value, access_list, input }.into(),
        3 => TxEip4844 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas,
            max_priority_fee_per_gas,
            to: callee,
            value,
            access_list,
            blob_versioned_hashes: call.blob_hashes.clone(),
            max_fee_per_blob_gas: call.max_fee_per_blob_gas,
            input,
        }
        .into(),
        4 => TxEip7702 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas,
            max_priority_fee_per_gas,
            to: callee,
            value,
            access_list,
            authorization_list,
            input,
        }
        .into(),
        _ => TxEip1559 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas,
            max_priority_fee_per_gas,
            to,
            value,
            access_list,
            input,
        }
        .into(),
    }
}
