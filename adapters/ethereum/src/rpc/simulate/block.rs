//! One simulated block, made on top of the one before it.

use alloy_consensus::constants::EMPTY_WITHDRAWALS;
use alloy_consensus::{Header, Transaction as _};
use alloy_primitives::{Address, B256, Log, U256};
use base::Seqno;
use kv::{State, Tx};
use revm::context::TxEnv;
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::primitives::hardfork::SpecId;
use revm_inspectors::transfer::TRANSFER_LOG_EMITTER;

use super::call::{self, Called};
use super::plan::Planned;
use super::transfers::Transfers;
use crate::rpc::calls::{Fees, Scratch};
use crate::rpc::deadline::Deadline;
use crate::rpc::errors::Error;
use crate::rpc::overrides;
use crate::rpc::types::{CallArgs, Hex};
use crate::{Block, Ledger, Outcome, Receipt, World, header, rows};

const BLOCK_GAS_LIMIT_REACHED: i64 = -38015;

/// What the next block stands on.
pub(super) struct Ground<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) state: State,
    pub(super) world: World,
    pub(super) parent: Block,
    /// For all calls that are left.
    pub(super) gas_left: u64,
    /// Whether calls must obey the rules of signed transactions.
    pub(super) validation: bool,
    pub(super) trace_transfers: bool,
    pub(super) deadline: Deadline,
}

/// A block that was made.
pub(super) struct Simulated {
    pub(super) block: Block,
    pub(super) calls: Vec<Called>,
}

impl Ground<'_> {
    pub(super) fn block(&mut self, planned: Planned) -> Result<Simulated, Error> {
        // System calls run without a clock, and there are some in each block.
        self.deadline.check()?;
        let mut header = self.header(&planned);
        let mut gas_left = self.gas_left;
        let state = self.state.clone();
        let mut tx = Tx::new(&state);
        rows::put_head(&self.ledger.layout, &mut tx, self.parent.header.number);
        rows::put_recent(&self.ledger.layout, &mut tx, self.parent.header.number, self.parent.hash);
        let mut scratch = self.scratch(tx, &header, &planned);
        overrides::apply(&planned.state, &mut scratch)?;
        let before = self.ledger.before_transactions(&scratch.context, &header, &mut scratch.tx);
        before.map_err(|refused| system_call(&refused))?;

        let mut run = Run {
            validation: self.validation,
            trace_transfers: self.trace_transfers,
            gas_left: &mut gas_left,
            block_gas_used: 0,
            blob_gas_used: 0,
        };
        let calls = planned.calls.iter().map(|args| run.call(args, &mut scratch)).collect::<Result<Vec<_>, _>>()?;
        header.gas_used = run.block_gas_used;
        header.blob_gas_used = header.blob_gas_used.map(|_| run.blob_gas_used);
        let receipts = receipts(&calls);
        let logs = receipts.iter().flat_map(|receipt| &receipt.logs);
        let requests = self.ledger.after_transactions(&scratch.context, &mut scratch.tx, logs, false);
        let requests = requests.map_err(|error| system_call(&error))?;
        if !header.difficulty.is_zero() {
            self.reward(header.number, header.beneficiary, &mut scratch)?;
        }
        let prague = scratch.context.spec.is_enabled_in(SpecId::PRAGUE);

        let writes = scratch.tx.finish().writes;
        self.gas_left = gas_left;
        self.world = self.world.after(&self.ledger.layout, [&writes])?;
        self.state.apply(self.state.seqno().next(), &writes);
        let consensus: Vec<_> = (receipts.iter().zip(&calls))
            .map(|(receipt, called)| header::consensus_receipt(receipt, &called.envelope))
            .collect();
        header.state_root = self.world.root();
        header.transactions_root = header::transactions_root(&calls.iter().map(|call| &call.raw).collect::<Vec<_>>());
        header.receipts_root = header::receipts_root(&consensus);
        header.logs_bloom = header::bloom(&consensus);
        header.requests_hash = prague.then(|| requests.requests_hash());
        let block = self.assemble(header, &calls).measured(calls.iter().map(|call| &call.raw));
        self.parent = block.clone();
        Ok(Simulated { block, calls })
    }

    /// The header as far as it is known before anything runs.
    fn header(&self, planned: &Planned) -> Header {
        let parent = &self.parent;
        let overrides = &planned.overrides;
        let forks = &self.ledger.config.genesis.forks;
        let merged = forks.merged(parent.total_difficulty);
        let spec = forks.spec(planned.number, planned.time, merged);
        let since = |fork| spec.is_enabled_in(fork);
        let difficulty = if merged { U256::ZERO } else { parent.header.difficulty };
        let base_fee =
            || if self.validation { self.ledger.next_base_fee(parent.as_parent(), spec).unwrap_or(0) } else { 0 };
        Header {
            parent_hash: parent.hash,
            beneficiary: overrides.fee_recipient.map_or(parent.header.beneficiary, |recipient| recipient.0),
            difficulty: overrides.difficulty.map_or(difficulty, |difficulty| difficulty.0),
            number: planned.number,
            gas_limit: overrides.gas_limit.map_or(parent.header.gas_limit, |limit| limit.0),
            timestamp: planned.time,
            mix_hash: overrides.prev_randao.map_or(B256::ZERO, |random| random.0),
            base_fee_per_gas: since(SpecId::LONDON)
                .then(|| overrides.base_fee_per_gas.map_or_else(base_fee, |fee| fee.0)),
            withdrawals_root: since(SpecId::SHANGHAI).then_some(EMPTY_WITHDRAWALS),
            blob_gas_used: since(SpecId::CANCUN).then_some(0),
            excess_blob_gas: self.ledger.next_excess_blob_gas(&parent.header, planned.time, spec),
            parent_beacon_block_root: since(SpecId::CANCUN).then_some(B256::ZERO),
            ..Header::default()
        }
    }

    /// A block before the merge is worth something to whoever it names.
    fn reward(&self, number: u64, miner: Address, scratch: &mut Scratch<'_>) -> Result<(), Error> {
        let mut account = scratch.account(miner)?;
        let reward = U256::from(self.ledger.config.genesis.forks.block_reward(number));
        account.balance = account.balance.saturating_add(reward);
        rows::put_account(&self.ledger.layout, &mut scratch.tx, miner, &account);
        Ok(())
    }

    fn scratch<'s>(&'s self, tx: Tx<'s>, header: &Header, planned: &Planned) -> Scratch<'s> {
        let mut context = self.ledger.context(header, self.parent.total_difficulty);
        if let Some(Hex(fee)) = planned.overrides.blob_base_fee {
            let excess_blob_gas = header.excess_blob_gas.unwrap_or(0);
            context.block.blob_excess_gas_and_price =
                Some(BlobExcessGasAndPrice { excess_blob_gas, blob_gasprice: fee });
        }
        let cfg = &mut context.cfg;
        cfg.disable_nonce_check = !self.validation;
        cfg.disable_eip3607 = true;
        cfg.disable_block_gas_limit = true;
        cfg.tx_gas_limit_cap = Some(u64::MAX);
        Scratch::on(self.ledger, tx, context, self.deadline)
    }
}

/// The rules that calls of a request run under, and what they have used so far.
struct Run<'g> {
    validation: bool,
    trace_transfers: bool,
    gas_left: &'g mut u64,
    block_gas_used: u64,
    blob_gas_used: u64,
}

impl Run<'_> {
    fn call(&mut self, args: &CallArgs, scratch: &mut Scratch<'_>) -> Result<Called, Error> {
        let call = self.environment(args, scratch)?;
        let (envelope, raw, hash) = call::transaction(args, &call);
        // Who pays nothing is not asked for a base fee, unless calls are to be as strict as transactions.
        scratch.context.cfg.disable_base_fee = !self.validation && Fees::of(args).none();
        let ran = if self.trace_transfers {
            scratch.inspect(call.clone(), Transfers::default()).map(|(done, _)| done)
        } else {
            scratch.run(call.clone())
        };
        let done = ran.map_err(|refused| call::refusal(refused, &call))?;
        let spec = scratch.context.spec;
        rows::commit(&scratch.ledger.layout, &mut scratch.tx, done.state, spec)?;

        let gas = done.result.gas();
        let (gas_used, gas_before_refund) = (gas.tx_gas_used(), gas.total_gas_spent().max(gas.floor_gas()));
        *self.gas_left = self.gas_left.saturating_sub(gas_used);
        self.block_gas_used += gas_used;
        self.blob_gas_used += envelope.blob_gas_used().unwrap_or(0);
        let (output, error) = call::outcome(&done.result);
        let logs = if done.result.is_success() { done.result.into_logs() } else { Vec::new() };
        Ok(Called { envelope, raw, hash, sender: call.caller, output, logs, gas_used, gas_before_refund, error })
    }

    /// Fills in what the call lacks.
    fn environment(&self, args: &CallArgs, scratch: &Scratch<'_>) -> Result<TxEnv, Error> {
        args.check(scratch.context.cfg.chain_id)?;
        let block = &scratch.context.block;
        let left = block.gas_limit.saturating_sub(self.block_gas_used);
        let gas = args.gas.map_or(left, |gas| gas.0);
        if gas > left {
            let message = format!("block gas limit reached: {} >= {}", self.block_gas_used, block.gas_limit);
            return Err(Error::new(BLOCK_GAS_LIMIT_REACHED, message));
        }
        let mut call = scratch.transaction(args, gas.min(*self.gas_left))?;
        if args.nonce.is_none() {
            call.nonce = scratch.account(call.caller)?.nonce;
        }
        call.tx_type = call::kind(args, scratch.context.spec.is_enabled_in(SpecId::LONDON));
        if call.tx_type >= 2 {
            call.gas_priority_fee.get_or_insert(0);
        }
        Ok(call)
    }
}

impl Ground<'_> {
    fn assemble(&self, header: Header, calls: &[Called]) -> Block {
        Block {
            hash: header.hash_slow(),
            total_difficulty: self.parent.total_difficulty.saturating_add(header.difficulty),
            withdrawals: header.withdrawals_root.map(|_| Vec::new()),
            transactions: calls.iter().map(|call| call.hash).collect(),
            ommers: Vec::new(),
            imported: self.parent.imported,
            first: Seqno(0),
            size: 0,
            header,
        }
    }
}

/// What the block says of its calls. Logs that stand for transfers are not part of it.
fn receipts(calls: &[Called]) -> Vec<Receipt> {
    let (mut cumulative_gas_used, mut first_log) = (0, 0);
    let receipt = |call: &Called| {
        cumulative_gas_used += call.gas_used;
        let real = |log: &&Log| log.address != TRANSFER_LOG_EMITTER;
        let logs: Vec<Log> = call.logs.iter().filter(real).cloned().collect();
        let first = first_log;
        first_log += logs.len() as u64;
        let outcome = Outcome::Status(call.error.is_none());
        Receipt { outcome, gas_used: call.gas_used, cumulative_gas_used, logs, first_log: first }
    };
    calls.iter().map(receipt).collect()
}

fn system_call(error: &impl std::fmt::Debug) -> Error {
    tracing::warn!(?error, "a system call of a simulated block failed");
    Error::internal("a system call of the block failed: an override may have replaced its contract")
}
