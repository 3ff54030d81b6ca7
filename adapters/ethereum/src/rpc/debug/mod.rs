//! debug_trace*: what the machine did, step by step or call by call.
//!
//! A block is run again on the state of its parent, which must still be kept. The tracers are those of revm-inspectors,
//! under geth's names; how much they may record is bounded (`meter.rs`).

mod meter;
pub(super) mod raw;
mod rows;

use std::sync::Arc;

use alloy_primitives::B256;
use alloy_rpc_types_trace::geth::{GethDebugTracingOptions, GethTrace};
use kv::Tx;
use revm::context::TxEnv;
use revm::state::EvmState;
use revm_inspectors::tracing::{DebugInspector, TransactionContext};
use serde::{Deserialize, Serialize};

use super::Rpc;
use super::calls::{Scratch, failures, ground};
use super::deadline::Deadline;
use super::dispatch::Step;
use super::errors::Error;
use super::framing::Json;
use super::overrides::{self, BlockOverrides, StateOverrides};
use super::params::Params;
use super::transactions::find;
use super::types::{BlockId, CallArgs, Hex};
use crate::{Block, View};
use meter::{Meter, Steps};

/// Steps that a trace records, unless the caller wants fewer.
const STEPS_MAX: u64 = 1_000_000;

pub(super) fn trace_transaction(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(hash) = params.required::<Hex<B256>>()?;
    let options = options(&mut params)?;
    let not_found = || Error::server("transaction not found");
    let (transaction, block) = find(&rpc.latest(), hash)?.ok_or_else(not_found)?;
    let traced = Traced::new(rpc, block)?;
    Step::long(move || {
        let traces = traced.run(&options, Some(transaction.index))?;
        Json::of(&traces.into_iter().next().ok_or_else(not_found)?.result)
    })
}

pub(super) fn trace_block_by_hash(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(hash) = params.required::<Hex<B256>>()?;
    trace_block(rpc, BlockId::Hash(hash), options(&mut params)?)
}

pub(super) fn trace_block_by_number(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let block = params.required()?;
    trace_block(rpc, block, options(&mut params)?)
}

fn trace_block(rpc: &Rpc, id: BlockId, options: GethDebugTracingOptions) -> Result<Step, Error> {
    let block = rpc.latest().find(id)?.ok_or_else(|| match id {
        BlockId::Hash(hash) => Error::server(format!("block {hash} not found")),
        _ => Error::server("block not found"),
    })?;
    let traced = Traced::new(rpc, block)?;
    Step::long(move || Json::of(&traced.run(&options, None)?))
}

fn options(params: &mut Params<'_>) -> Result<GethDebugTracingOptions, Error> {
    let mut options = params.optional()?.unwrap_or_default();
    bound(&mut options);
    Ok(options)
}

fn bound(options: &mut GethDebugTracingOptions) {
    let asked = options.config.limit.filter(|limit| *limit > 0);
    options.config.limit = Some(asked.map_or(STEPS_MAX, |limit| limit.min(STEPS_MAX)));
}

fn inspector(options: &GethDebugTracingOptions) -> Result<(DebugInspector, Steps), Error> {
    let inspector = DebugInspector::new(options.clone()).map_err(|error| Error::params(error.to_string()))?;
    let steps = match &inspector {
        DebugInspector::Default(_, options) => Steps::of(options),
        DebugInspector::Erc7562Tracer(..) => Steps::all(),
        _ => Steps::default(),
    };
    Ok((inspector, steps))
}

/// A block, and the version before it.
struct Traced {
    parent: View,
    block: Block,
    /// The version that has the block's transactions.
    latest: View,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TraceJson {
    tx_hash: B256,
    result: GethTrace,
}

impl Traced {
    fn new(rpc: &Rpc, block: Block) -> Result<Self, Error> {
        let Some(before) = block.header.number.checked_sub(1) else {
            return Err(Error::server("genesis is not traceable"));
        };
        let parent = rpc.ethereum.at(&rpc.node.snapshot(), before)?;
        Ok(Self { parent, block, latest: rpc.latest() })
    }

    /// Traces one transaction, or all.
    fn run(&self, options: &GethDebugTracingOptions, only: Option<u32>) -> Result<Vec<TraceJson>, Error> {
        let ledger = self.parent.ledger();
        let mut context = self.parent.context_of(&self.block);
        // What is in a block obeyed the rules of its day.
        context.cfg.tx_gas_limit_cap = Some(u64::MAX);
        let mut scratch = Scratch::on(ledger, Tx::new(self.parent.state()), context, Deadline::of_a_trace());
        let before = ledger.before_transactions(&scratch.context, &self.block.header, &mut scratch.tx);
        before.map_err(|refused| {
            tracing::error!(?refused, "a committed block cannot be run again");
            Error::internal("the block cannot be run again on this node")
        })?;
        let mut traces = Vec::new();
        let mut meter = Meter::new();
        for transaction in &self.latest.transactions(&self.block)? {
            let call = crate::transaction::tx_env(&transaction.envelope, transaction.sender);
            let wanted = only.is_none_or(|index| index == transaction.index);
            let state = if wanted {
                let context = TransactionContext {
                    block_hash: Some(self.block.hash),
                    tx_hash: Some(transaction.hash),
                    tx_index: usize::try_from(transaction.index).ok(),
                };
                let (result, state);
                (result, state, meter) = trace(&scratch, call, options, context, meter)?;
                traces.push(TraceJson { tx_hash: transaction.hash, result });
                state
            } else {
                let ran = scratch.run(call.clone());
                ran.map_err(|refused| failures::refusal(refused, &call))?.state
            };
            if only == Some(transaction.index) {
                break;
            }
            crate::rows::commit(&ledger.layout, &mut scratch.tx, state, scratch.context.spec)?;
        }
        Ok(traces)
    }
}

fn trace(
    scratch: &Scratch<'_>,
    call: TxEnv,
    options: &GethDebugTracingOptions,
    context: TransactionContext,
    meter: Meter,
) -> Result<(GethTrace, EvmState, Meter), Error> {
    let (inspector, steps) = inspector(options)?;
    let ran = scratch.inspect(call.clone(), (inspector, meter.next(steps)));
    let (done, (mut inspector, meter)) = ran.map_err(|refused| failures::refusal(refused, &call))?;
    let mut rows = rows::Reader(scratch.ledger.rows(&scratch.tx));
    let result = inspector.get_result(Some(context), &call, &scratch.context.block, &done, &mut rows);
    let result = result.map_err(|error| Error::server(format!("the trace cannot be made: {error}")))?;
    Ok((result, done.state, meter))
}

/// geth's options of a traced call: those of a trace, and overrides.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Overrides {
    state_overrides: StateOverrides,
    block_overrides: BlockOverrides,
}

pub(super) fn trace_call(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let args: CallArgs = params.required()?;
    let block: BlockId = params.optional()?.unwrap_or_default();
    let raw = params.raw();
    let invalid = |error: serde_json::Error| Error::params(format!("invalid argument 2: {error}"));
    let read = raw.map(|raw| serde_json::from_str::<Overrides>(raw.get()).map_err(invalid)).transpose()?;
    let Overrides { state_overrides, block_overrides } = read.unwrap_or_default();
    let mut options = raw.map(|raw| serde_json::from_str(raw.get()).map_err(invalid)).transpose()?.unwrap_or_default();
    bound(&mut options);
    args.check(rpc.ethereum.chain_id())?;
    let (view, context) = ground(rpc, block)?;
    let cap = rpc.ethereum.config().call_gas_cap;
    Step::long(move || {
        let mut scratch = Scratch::new(&view, context);
        block_overrides.apply(&mut scratch.context);
        overrides::apply(&state_overrides, &mut scratch)?;
        let call = scratch.environment(&args, args.gas.map_or(cap, |gas| gas.0.min(cap)))?;
        let (result, ..) = trace(&scratch, call, &options, TransactionContext::default(), Meter::new())?;
        Json::of(&result)
    })
}
