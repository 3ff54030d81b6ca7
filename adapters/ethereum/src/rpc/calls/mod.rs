//! eth_call, and the ground on which all simulated code runs.
//!
//! Code runs on a transaction over one version, in the environment of that version's block, and leaves nothing. What
//! bounds it is gas, 50,000,000 by default; time (`deadline.rs`); and the workers, of which a few run at a time.

pub(super) mod failures;
pub(super) mod precompiles;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use alloy_primitives::{Address, Bytes, TxKind};
use kv::Tx;
use revm::context::TxEnv;
use revm::context::result::{EVMError, ExecutionResult, ResultAndState};
use revm::handler::MainnetContext;
use revm::primitives::hardfork::SpecId;
use revm::{ExecuteEvm, InspectEvm, Inspector};

use super::Rpc;
use super::deadline::{Deadline, looks};
use super::dispatch::Step;
use super::errors::Error;
use super::framing::Json;
use super::overrides::{self, BlockOverrides, StateOverrides};
use super::params::Params;
use super::types::{BlockId, CallArgs};
use crate::{Account, Context, Ledger, ReadError, Rows, View, evm, evm_with};
use precompiles::Precompiles;

/// A call as it is asked for.
pub(super) struct Asked {
    pub(super) args: CallArgs,
    pub(super) view: View,
    pub(super) context: Context,
    pub(super) state: StateOverrides,
    pub(super) block: BlockOverrides,
}

impl Asked {
    /// Reads what eth_call, eth_estimateGas and eth_createAccessList have in common.
    pub(super) fn read(rpc: &Rpc, params: &mut Params<'_>) -> Result<Self, Error> {
        let args: CallArgs = params.required()?;
        let block: BlockId = params.optional()?.unwrap_or_default();
        let state = params.optional()?.unwrap_or_default();
        let overridden = params.optional()?.unwrap_or_default();
        args.check(rpc.ethereum.chain_id())?;
        let (view, context) = ground(rpc, block)?;
        Ok(Self { args, view, context, state, block: overridden })
    }

    /// Runs in the block that comes after the one asked for: a transaction sent now would be in that one, and what
    /// it costs may depend on the block's number (a contract that notes one value for each block, say) or on its time,
    /// which may be long after the last block's: there is none while nothing happens.
    pub(super) fn in_next_block(mut self) -> Result<Self, Error> {
        self.context = self.view.next_context(now())?;
        Ok(self)
    }

    /// The version with the caller's changes.
    pub(super) fn scratch(&self) -> Result<Scratch<'_>, Error> {
        let mut scratch = Scratch::new(&self.view, self.context.clone());
        self.block.apply(&mut scratch.context);
        overrides::apply(&self.state, &mut scratch)?;
        Ok(scratch)
    }
}

/// The version of a block, and the environment of that block; or the head's version, and what comes after it.
pub(super) fn ground(rpc: &Rpc, block: BlockId) -> Result<(View, Context), Error> {
    let view = rpc.at(block)?;
    if block == BlockId::Pending {
        let context = view.next_context(now())?;
        return Ok((view, context));
    }
    let number = view.number(block)?.ok_or_else(Error::header_not_found)?;
    let block = view.block(number)?.ok_or_else(Error::header_not_found)?;
    let context = view.context_of(&block);
    Ok((view, context))
}

/// The time in seconds, as the next block would have it.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Where simulated code runs.
pub(super) struct Scratch<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) tx: Tx<'a>,
    pub(super) context: Context,
    pub(super) precompiles: Precompiles,
    /// For everything that runs here.
    pub(super) deadline: Deadline,
}

/// What the machine says when it cannot even begin, or cannot go on.
pub(super) type Refused = EVMError<ReadError>;

impl<'a> Scratch<'a> {
    pub(super) fn new(view: &'a View, context: Context) -> Self {
        Self::on(view.ledger(), Tx::new(view.state()), context, Deadline::of_a_call())
    }

    pub(super) fn on(ledger: &'a Ledger, tx: Tx<'a>, context: Context, deadline: Deadline) -> Self {
        let precompiles = Precompiles::new(context.spec);
        Self { ledger, tx, context, precompiles, deadline }
    }

    /// The account as it is here; one that is not there is empty.
    pub(super) fn account(&self, address: Address) -> Result<Account, Error> {
        Ok(self.ledger.rows(&self.tx).account(address)?.unwrap_or_default())
    }

    pub(super) fn run(&self, call: TxEnv) -> Result<ResultAndState, Refused> {
        let evm = looks(evm(self.context.clone(), self.ledger.rows(&self.tx)));
        let mut evm = evm.with_precompiles(self.precompiles.clone());
        self.deadline.run(|| evm.transact(call))
    }

    pub(super) fn inspect<I>(&self, call: TxEnv, inspector: I) -> Result<(ResultAndState, I), Refused>
    where
        I: for<'r> Inspector<MainnetContext<Rows<'r>>>,
    {
        let evm = looks(evm_with(self.context.clone(), self.ledger.rows(&self.tx), inspector));
        let mut evm = evm.with_precompiles(self.precompiles.clone());
        let done = self.deadline.run(|| evm.inspect_tx(call))?;
        Ok((done, evm.into_inspector()))
    }

    /// Turns a call into what the machine takes, and lifts the rules that only signed transactions obey.
    pub(super) fn environment(&mut self, args: &CallArgs, gas: u64) -> Result<TxEnv, Error> {
        let fees = Fees::of(args);
        let Context { cfg, block, .. } = &mut self.context;
        cfg.disable_nonce_check = true;
        cfg.disable_eip3607 = true;
        cfg.disable_block_gas_limit = true;
        cfg.tx_gas_limit_cap = Some(u64::MAX);
        // Who pays nothing is not asked for a base fee, and does not see one.
        cfg.disable_base_fee = fees.none();
        if fees.none() {
            block.basefee = 0;
        }
        self.transaction(args, gas)
    }

    /// The call as a transaction with so much gas, before any rule is lifted.
    pub(super) fn transaction(&self, args: &CallArgs, gas: u64) -> Result<TxEnv, Error> {
        let Context { cfg, block, spec, .. } = &self.context;
        let blob_fee = block.blob_excess_gas_and_price.map_or(0, |blob| blob.blob_gasprice);
        environment(args, gas, Fees::of(args), *spec, cfg.chain_id, blob_fee)
    }
}

/// What a call offers to pay for gas.
#[derive(Clone, Copy)]
pub(super) struct Fees {
    pub(super) most: u128,
    pub(super) tip: Option<u128>,
}

impl Fees {
    pub(super) fn of(args: &CallArgs) -> Self {
        let most = args.max_fee_per_gas.map(|fee| fee.0);
        let tip = args.max_priority_fee_per_gas.map(|tip| tip.0);
        match args.gas_price {
            Some(price) => Self { most: price.0, tip: None },
            None if most.is_none() && tip.is_none() => Self { most: 0, tip: None },
            None => Self { most: most.unwrap_or(0), tip: Some(tip.unwrap_or(0)) },
        }
    }

    pub(super) fn none(self) -> bool {
        self.most == 0 && self.tip.unwrap_or(0) == 0
    }
}

fn environment(
    args: &CallArgs,
    gas: u64,
    fees: Fees,
    spec: SpecId,
    chain_id: u64,
    blob_fee: u128,
) -> Result<TxEnv, Error> {
    let mut call = TxEnv {
        caller: args.sender(),
        gas_limit: gas,
        gas_price: fees.most,
        gas_priority_fee: fees.tip.filter(|_| spec.is_enabled_in(SpecId::LONDON)),
        kind: args.to.map_or(TxKind::Create, |to| TxKind::Call(to.0)),
        value: args.value.unwrap_or_default().0,
        data: args.input()?,
        nonce: args.nonce.unwrap_or_default().0,
        chain_id: Some(chain_id),
        access_list: args.access_list(),
        blob_hashes: args.blob_hashes(),
        ..TxEnv::default()
    };
    call.set_signed_authorization(args.authorizations());
    if !call.blob_hashes.is_empty() {
        call.max_fee_per_blob_gas = args.max_fee_per_blob_gas.map_or(blob_fee, |fee| fee.0);
    }
    call.tx_type = 0;
    call.derive_tx_type().map_err(|error| Error::server(format!("the call's type cannot be told: {error:?}")))?;
    Ok(call)
}

pub(super) fn call(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let asked = Asked::read(rpc, &mut params)?;
    let cap = rpc.ethereum.config().call_gas_cap;
    Step::work(move || Json::of(&run(&asked, cap)?))
}

fn run(asked: &Asked, cap: u64) -> Result<Bytes, Error> {
    let mut scratch = asked.scratch()?;
    let gas = asked.args.gas.map_or(cap, |gas| gas.0.min(cap));
    let call = scratch.environment(&asked.args, gas)?;
    let done = scratch.run(call.clone()).map_err(|refused| failures::refusal(refused, &call))?;
    output(done.result)
}

/// What a call returned, or why it failed.
pub(super) fn output(result: ExecutionResult) -> Result<Bytes, Error> {
    match result {
        ExecutionResult::Success { output, .. } => Ok(output.into_data()),
        ExecutionResult::Revert { output, .. } => Err(failures::reverted(&output)),
        ExecutionResult::Halt { reason, .. } => Err(Error::server(failures::halted(&reason))),
    }
}
