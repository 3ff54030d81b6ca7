//! eth_simulateV1: blocks that could come next, made in full and thrown away.
//!
//! ```text
//!  request ─▶ plan: every block gets its number and time, gaps are filled ─▶ block by block:
//!             overrides ─▶ system calls ─▶ calls ─▶ requests ─▶ roots, header, hash ─▶ the next block stands on it
//! ```
//!
//! Headers are real: hashes and roots are those that the block would have. A failed call is part of the answer; a call
//! that could not be in a block at all ends the whole request.

mod block;
mod call;
mod plan;
mod transfers;

use std::sync::Arc;

use alloy_primitives::Bytes;
use kv::State;
use serde::{Deserialize, Serialize};

use super::Rpc;
use super::deadline::Deadline;
use super::dispatch::Step;
use super::errors::{Error, code};
use super::framing::Json;
use super::overrides::{BlockOverrides, StateOverrides};
use super::params::Params;
use super::types::{BlockId, BlockJson, CallArgs, Hex, LogJson, Place, TransactionJson, TransactionsJson};
use crate::View;
use block::{Ground, Simulated};

/// Blocks of one request, gaps included.
const BLOCKS_MAX: usize = 256;
const CALLS_PER_BLOCK_MAX: usize = 5_000;
const CALLS_MAX: usize = 10_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    block_state_calls: Vec<BlockAsked>,
    #[serde(default)]
    trace_transfers: bool,
    #[serde(default)]
    validation: bool,
    #[serde(default)]
    return_full_transactions: bool,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BlockAsked {
    block_overrides: Option<BlockOverrides>,
    state_overrides: Option<StateOverrides>,
    calls: Option<Vec<CallArgs>>,
}

pub(super) fn simulate(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let request: Request = params.required()?;
    let block: BlockId = params.optional()?.unwrap_or_default();
    check(&request)?;
    let view = rpc.at(block)?;
    let gas = rpc.ethereum.config().call_gas_cap;
    Step::long(move || {
        let whole = request.return_full_transactions;
        let blocks = run(&view, request, gas)?;
        let results = blocks.iter().map(|block| result(block, whole)).collect::<Vec<_>>();
        Json::of(&results)
    })
}

fn check(request: &Request) -> Result<(), Error> {
    let limit = |message: &str| Err(Error::new(code::CLIENT_LIMIT, message));
    let calls = |block: &BlockAsked| block.calls.as_ref().map_or(0, Vec::len);
    if request.block_state_calls.is_empty() {
        return Err(Error::params("empty input"));
    }
    if request.block_state_calls.len() > BLOCKS_MAX {
        return limit("too many blocks");
    }
    if request.block_state_calls.iter().any(|block| calls(block) > CALLS_PER_BLOCK_MAX) {
        return limit("too many calls in one block");
    }
    if request.block_state_calls.iter().map(calls).sum::<usize>() > CALLS_MAX {
        return limit("too many calls");
    }
    Ok(())
}

fn run(view: &View, request: Request, gas: u64) -> Result<Vec<Simulated>, Error> {
    let head = view.head()?;
    let plan = plan::plan(&head.header, request.block_state_calls)?;
    let mut ground = Ground {
        ledger: view.ledger(),
        state: State::clone(view.state()),
        world: view.world()?,
        parent: head,
        gas_left: gas,
        validation: request.validation,
        trace_transfers: request.trace_transfers,
        deadline: Deadline::of_a_call(),
    };
    plan.into_iter().map(|planned| ground.block(planned)).collect()
}

/// A call and what became of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallJson<'a> {
    return_data: &'a Bytes,
    logs: Vec<LogJson<'a>>,
    gas_used: Hex<u64>,
    max_used_gas: Hex<u64>,
    status: Hex<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Error>,
}

#[derive(Serialize)]
struct SimulatedJson<'a> {
    #[serde(flatten)]
    block: BlockJson<'a>,
    calls: Vec<CallJson<'a>>,
}

fn result(simulated: &Simulated, whole: bool) -> SimulatedJson<'_> {
    let block = &simulated.block;
    let mut log_index = 0;
    let calls = (0u64..).zip(&simulated.calls).map(|(index, call)| CallJson {
        return_data: &call.output,
        logs: (call.logs.iter())
            .map(|log| {
                log_index += 1;
                LogJson {
                    address: log.address,
                    topics: log.topics(),
                    data: &log.data.data,
                    block_number: Hex(block.header.number),
                    transaction_hash: call.hash,
                    transaction_index: Hex(index),
                    block_hash: block.hash,
                    block_timestamp: Hex(block.header.timestamp),
                    log_index: Hex(log_index - 1),
                    removed: false,
                }
            })
            .collect(),
        gas_used: Hex(call.gas_used),
        max_used_gas: Hex(call.gas_before_refund),
        status: Hex(u64::from(call.error.is_none())),
        error: call.error.as_ref(),
    });
    let calls = calls.collect();
    let transactions = if whole {
        let json = (0u32..).zip(&simulated.calls).map(|(index, call)| {
            TransactionJson::new(&call.envelope, call.hash, call.sender, Some(Place::of(block, index)))
        });
        TransactionsJson::Whole(json.collect())
    } else {
        TransactionsJson::Hashes(&block.transactions)
    };
    SimulatedJson { block: BlockJson::of(block, transactions), calls }
}
