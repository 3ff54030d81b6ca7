//! Every method: its name, its parameters (one that ends in `?` may be left out) and what runs it.
//! A method that is not here does not exist.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use super::dispatch::Step;
use super::errors::Error;
use super::params::Params;
use super::subscriptions::Subscriptions;
use super::{
    Rpc, access_list, accounts, blocks, calls, chain, config, debug, estimate, fees, filters, logs, signing, simulate,
    state, subscriptions, transactions, txpool,
};

#[derive(Clone, Copy)]
pub(super) enum Handler {
    Anywhere(fn(&Arc<Rpc>, Params<'_>) -> Result<Step, Error>),
    /// Only on a connection that can be notified.
    Session(fn(&Arc<Rpc>, &mut Subscriptions, Params<'_>) -> Result<Step, Error>),
}

pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) params: &'static [&'static str],
    pub(super) handler: Handler,
}

const fn method(
    name: &'static str,
    params: &'static [&'static str],
    run: fn(&Arc<Rpc>, Params<'_>) -> Result<Step, Error>,
) -> Method {
    Method { name, params, handler: Handler::Anywhere(run) }
}

const fn session(
    name: &'static str,
    params: &'static [&'static str],
    run: fn(&Arc<Rpc>, &mut Subscriptions, Params<'_>) -> Result<Step, Error>,
) -> Method {
    Method { name, params, handler: Handler::Session(run) }
}

pub(super) fn find(name: &str) -> Option<&'static Method> {
    static BY_NAME: LazyLock<HashMap<&str, &Method>> =
        LazyLock::new(|| METHODS.iter().map(|method| (method.name, method)).collect());
    BY_NAME.get(name).copied()
}

const CALL: &[&str] = &["call", "block?", "state overrides?", "block overrides?"];
const TRACE: &[&str] = &["transaction hash", "options?"];

pub(super) static METHODS: &[Method] = &[
    // The chain.
    method("eth_chainId", &[], chain::chain_id),
    method("eth_blockNumber", &[], chain::block_number),
    method("eth_syncing", &[], chain::syncing),
    method("eth_config", &[], config::config),
    method("eth_capabilities", &[], chain::capabilities),
    method("net_version", &[], chain::net_version),
    method("net_listening", &[], chain::net_listening),
    method("net_peerCount", &[], chain::net_peer_count),
    method("web3_clientVersion", &[], chain::client_version),
    method("web3_sha3", &["data"], chain::sha3),
    method("rpc_modules", &[], chain::modules),
    method("coco_importBlock", &["block as RLP"], chain::import_block),
    // Fees.
    method("eth_gasPrice", &[], fees::gas_price),
    method("eth_maxPriorityFeePerGas", &[], fees::max_priority_fee),
    method("eth_baseFee", &[], fees::base_fee),
    method("eth_blobBaseFee", &[], fees::blob_base_fee),
    method("eth_feeHistory", &["block count", "newest block", "percentiles?"], fees::history),
    // Accounts.
    method("eth_getBalance", &["address", "block?"], state::balance),
    method("eth_getTransactionCount", &["address", "block?"], state::transaction_count),
    method("eth_getCode", &["address", "block?"], state::code),
    method("eth_getStorageAt", &["address", "slot", "block?"], state::storage_at),
    method("eth_getStorageValues", &["slots by address", "block?"], state::storage_values),
    method("eth_getProof", &["address", "slots", "block?"], state::proof),
    // Blocks.
    method("eth_getBlockByHash", &["hash", "whole transactions?"], blocks::by_hash),
    method("eth_getBlockByNumber", &["block", "whole transactions?"], blocks::by_number),
    method("eth_getHeaderByHash", &["hash"], blocks::header_by_hash),
    method("eth_getHeaderByNumber", &["block"], blocks::header_by_number),
    method("eth_getBlockReceipts", &["block"], blocks::receipts),
    method("eth_getBlockTransactionCountByHash", &["hash"], blocks::transaction_count),
    method("eth_getBlockTransactionCountByNumber", &["block"], blocks::transaction_count),
    method("eth_getUncleCountByBlockHash", &["hash"], blocks::uncle_count),
    method("eth_getUncleCountByBlockNumber", &["block"], blocks::uncle_count),
    method("eth_getUncleByBlockHashAndIndex", &["hash", "index"], blocks::uncle),
    method("eth_getUncleByBlockNumberAndIndex", &["block", "index"], blocks::uncle),
    // Transactions.
    method("eth_sendRawTransaction", &["signed transaction"], transactions::send_raw),
    method("eth_sendRawTransactionSync", &["signed transaction", "milliseconds?"], transactions::send_raw_sync),
    method("eth_getTransactionReceipt", &["hash"], transactions::receipt),
    method("eth_getTransactionByHash", &["hash"], transactions::by_hash),
    method("eth_getTransactionByBlockHashAndIndex", &["hash", "index"], transactions::by_index),
    method("eth_getTransactionByBlockNumberAndIndex", &["block", "index"], transactions::by_index),
    method("eth_getRawTransactionByHash", &["hash"], transactions::raw_by_hash),
    method("eth_getRawTransactionByBlockHashAndIndex", &["hash", "index"], transactions::raw_by_index),
    method("eth_getRawTransactionByBlockNumberAndIndex", &["block", "index"], transactions::raw_by_index),
    method("eth_pendingTransactions", &[], txpool::pending_transactions),
    // Simulated execution.
    method("eth_call", CALL, calls::call),
    method("eth_estimateGas", CALL, estimate::estimate),
    method("eth_createAccessList", CALL, access_list::create),
    method("eth_simulateV1", &["blocks", "block?"], simulate::simulate),
    // Logs, filters, subscriptions.
    method("eth_getLogs", &["filter"], logs::get),
    method("eth_newFilter", &["filter"], filters::new_logs),
    method("eth_newBlockFilter", &[], filters::new_blocks),
    method("eth_newPendingTransactionFilter", &["whole transactions?"], filters::new_transactions),
    method("eth_getFilterChanges", &["id"], filters::changes),
    method("eth_getFilterLogs", &["id"], filters::logs),
    method("eth_uninstallFilter", &["id"], filters::uninstall),
    session("eth_subscribe", &["kind", "options?"], subscriptions::subscribe),
    session("eth_unsubscribe", &["id"], subscriptions::unsubscribe),
    // Accounts that the node signs for.
    method("eth_accounts", &[], accounts::list),
    method("eth_sendTransaction", &["transaction"], accounts::send),
    method("eth_signTransaction", &["transaction"], accounts::sign_transaction),
    method("eth_fillTransaction", &["transaction"], accounts::fill_transaction),
    method("eth_sign", &["address", "data"], signing::sign),
    method("eth_signTypedData", &["address", "typed data"], signing::sign_typed_data),
    method("eth_signTypedData_v3", &["address", "typed data"], signing::sign_typed_data),
    method("eth_signTypedData_v4", &["address", "typed data"], signing::sign_typed_data),
    method("personal_sign", &["data", "address", "password?"], signing::personal_sign),
    // The pool.
    method("txpool_status", &[], txpool::status),
    method("txpool_content", &[], txpool::content),
    method("txpool_contentFrom", &["address"], txpool::content_from),
    method("txpool_inspect", &[], txpool::content),
    // Raw forms and traces.
    method("debug_getRawHeader", &["block"], debug::raw::header),
    method("debug_getRawBlock", &["block"], debug::raw::block),
    method("debug_getRawReceipts", &["block"], debug::raw::receipts),
    method("debug_getRawTransaction", &["hash"], transactions::raw_by_hash),
    method("debug_getBadBlocks", &[], debug::raw::bad_blocks),
    method("debug_traceTransaction", TRACE, debug::trace_transaction),
    method("debug_traceBlockByHash", &["hash", "options?"], debug::trace_block_by_hash),
    method("debug_traceBlockByNumber", &["block", "options?"], debug::trace_block_by_number),
    method("debug_traceCall", &["call", "block?", "options?"], debug::trace_call),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_there_once_and_optional_parameters_come_last() {
        for method in METHODS {
            assert!(std::ptr::eq(find(method.name).unwrap(), method), "{} is there twice", method.name);
            let optional: Vec<bool> = method.params.iter().map(|name| name.ends_with('?')).collect();
            assert!(optional.is_sorted(), "{}", method.name);
        }
    }
}
