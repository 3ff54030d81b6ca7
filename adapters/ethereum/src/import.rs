//! Executes a block that was made elsewhere, as an Ethereum client would, and believes none of its header.
//!
//! 1. The header follows its parent.
//! 2. The body is the one that the header names.
//! 3. System calls.
//! 4. Transactions, each with a version of its own and, before Byzantium, a state root.
//! 5. Withdrawals, rewards.
//! 6. Requests.
//! 7. Every total and root is the one that the header names.
//!
//! Work and signatures of validators are not checked: whoever brings the chain vouches for which one it is, and this for
//! what is in it.

use adapter::Reject;
use alloy_consensus::constants::EMPTY_OMMER_ROOT_HASH;
use alloy_consensus::proofs::{calculate_ommers_root, calculate_withdrawals_root};
use alloy_consensus::{Header, ReceiptEnvelope};
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{Address, B64, U256};
use base::Seqno;
use kv::{State, Tx};
use revm::primitives::hardfork::SpecId;

use crate::admit::decode_block;
use crate::batch::{Totals, copy};
use crate::execute::{Context, Refused};
use crate::genesis::GAS_LIMIT_MIN;
use crate::header::{self, market_base_fee};
use crate::ledger::Ledger;
use crate::record::{Block, Outcome};
use crate::reject::{Refusal, SERVER_ERROR, failed};
use crate::tip::Tip;
use crate::world::World;
use crate::{rows, transaction};

/// A block that was executed and found right.
pub(crate) struct Imported {
    pub(crate) block: Block,
    pub(crate) world: World,
}

/// Why a block is refused: which field, and both values.
struct Wrong<'a>(&'a Header);

impl Wrong<'_> {
    fn field(&self, field: &str, have: impl std::fmt::Display, want: impl std::fmt::Display) -> Reject {
        let text = format!("block {}: {field} is {have}, but must be {want}", self.0.number);
        Reject::caller(SERVER_ERROR, text)
    }

    fn check<T: PartialEq + std::fmt::Debug>(&self, field: &str, have: &T, want: &T) -> Result<(), Reject> {
        if have == want { Ok(()) } else { Err(self.field(field, format!("{have:?}"), format!("{want:?}"))) }
    }

    fn says(&self, what: impl std::fmt::Display) -> Reject {
        Reject::caller(SERVER_ERROR, format!("block {}: {what}", self.0.number))
    }
}

/// A version that grows transaction by transaction, beside the one it started from.
struct Growing<'l> {
    ledger: &'l Ledger,
    state: State,
    world: World,
}

impl Growing<'_> {
    /// Lets `step` write, and takes its writes over: here, and into the batch's transaction.
    fn step<T, E>(&mut self, into: &mut Tx<'_>, step: impl FnOnce(&mut Tx<'_>) -> Result<T, E>) -> Result<T, Reject>
    where
        Reject: From<E>,
    {
        let mut tx = Tx::new(&self.state);
        let done = step(&mut tx)?;
        let writes = tx.finish().writes;
        copy(&writes, into);
        self.world = self.world.after(&self.ledger.layout, [&writes])?;
        self.state.apply(self.state.seqno().next(), &writes);
        Ok(done)
    }
}

impl Ledger {
    pub(crate) fn import(
        &self,
        tx: &mut Tx<'_>,
        tip: &Tip,
        first: Seqno,
        senders: Vec<Address>,
        rlp: &[u8],
    ) -> Result<Imported, Reject> {
        let block = decode_block(rlp)?;
        let (header, body) = (block.header, block.body);
        let wrong = Wrong(&header);
        let (parent, before) = (tip.as_parent(), tip.sealed()?);
        let context = self.context(&header, parent.total_difficulty);
        wrong.check("parentHash", &header.parent_hash, &before.hash)?;
        self.check_header(&header, parent.header, context.spec)?;

        let ommers = if body.ommers.is_empty() { EMPTY_OMMER_ROOT_HASH } else { calculate_ommers_root(&body.ommers) };
        wrong.check("ommersHash", &header.ommers_hash, &ommers)?;
        let withdrawals_root = body.withdrawals.as_ref().map(|list| calculate_withdrawals_root(list));
        wrong.check("withdrawalsRoot", &header.withdrawals_root, &withdrawals_root)?;

        let mut growing = Growing { ledger: self, state: tx.base().clone(), world: before.world.clone() };
        growing.step(tx, |tx| self.before_transactions(&context, &header, tx).map_err(refused(&wrong)))?;
        let mut totals = Totals::default();
        if senders.len() != body.transactions.len() {
            return Err(failed("the block came with another number of senders than it has transactions"));
        }
        for (index, (envelope, sender)) in body.transactions.iter().zip(senders).enumerate() {
            let refusal = Refusal {
                envelope,
                sender,
                chain_id: self.config.genesis.forks.chain_id,
                base_fee: header.base_fee_per_gas.unwrap_or(0),
            };
            let about = |reject: Reject| wrong.says(format_args!("transaction {index}: {}", reject.message));
            use alloy_consensus::Transaction as _;
            if envelope.gas_limit() > header.gas_limit.saturating_sub(totals.gas_used) {
                return Err(about(refusal.block_gas_limit(header.gas_limit - totals.gas_used)));
            }
            let mut included = growing.step(tx, |tx| {
                let (raw, _) = transaction::encoded(envelope);
                self.include(&context, &header, tx, envelope.clone(), raw, sender, &totals)
                    .map_err(|error| about(refusal.of(error)))
            })?;
            if !context.spec.is_enabled_in(SpecId::BYZANTIUM) {
                included.receipt.outcome = Outcome::Root(growing.world.root());
            }
            totals.add(&included);
            tx.put(self.layout.transactions, included.hash.as_slice(), included.encode());
        }
        growing.step(tx, |tx| {
            self.credit(&context, &header, &body.ommers, body.withdrawals.as_deref().map_or(&[][..], |list| list), tx)
                .map_err(|what| wrong.says(what))
        })?;
        let logs: Vec<_> = totals.receipts.iter().flat_map(ReceiptEnvelope::logs).cloned().collect();
        let requests = growing.step(tx, |tx| {
            self.after_transactions(&context, tx, logs.iter(), true)
                .map_err(|error| wrong.says(format_args!("its requests could not be gathered: {error}")))
        })?;

        wrong.check("gasUsed", &header.gas_used, &totals.gas_used)?;
        wrong.check("blobGasUsed", &header.blob_gas_used, &header.blob_gas_used.map(|_| totals.blob_gas_used))?;
        let max = self.config.genesis.forks.blob_params(header.timestamp).max_blob_gas_per_block();
        if totals.blob_gas_used > max {
            return Err(wrong.field("blobGasUsed", totals.blob_gas_used, format_args!("at most {max}")));
        }
        wrong.check("transactionsRoot", &header.transactions_root, &header::transactions_root(&totals.raw))?;
        wrong.check("receiptsRoot", &header.receipts_root, &header::receipts_root(&totals.receipts))?;
        wrong.check("logsBloom", &header.logs_bloom, &header::bloom(&totals.receipts))?;
        let requests = context.spec.is_enabled_in(SpecId::PRAGUE).then(|| requests.requests_hash());
        wrong.check("requestsHash", &header.requests_hash, &requests)?;
        wrong.check("stateRoot", &header.state_root, &growing.world.settle())?;

        let block = Block {
            hash: header.hash_slow(),
            total_difficulty: parent.total_difficulty.saturating_add(header.difficulty),
            header,
            transactions: totals.hashes,
            ommers: body.ommers,
            withdrawals: body.withdrawals.map(|list| list.into_inner()),
            imported: true,
            first,
            size: rlp.len() as u64,
        };
        Ok(Imported { block, world: growing.world })
    }

    /// Everything that can be said of a header by looking at its parent.
    fn check_header(&self, header: &Header, before: &Header, spec: SpecId) -> Result<(), Reject> {
        const EXTRA_DATA_MAX: usize = 32;
        let wrong = Wrong(header);
        let since = |fork| spec.is_enabled_in(fork);
        wrong.check("number", &header.number, &(before.number + 1))?;
        if header.timestamp <= before.timestamp {
            return Err(wrong.field("timestamp", header.timestamp, format_args!("after {}", before.timestamp)));
        }
        if header.extra_data.len() > EXTRA_DATA_MAX {
            return Err(wrong.field("extraData", format_args!("{} bytes", header.extra_data.len()), "at most 32"));
        }
        if header.gas_used > header.gas_limit {
            return Err(wrong.field("gasUsed", header.gas_used, format_args!("at most {}", header.gas_limit)));
        }
        // EIP-1559 doubled the limit once, with its first block.
        let opens_market = since(SpecId::LONDON) && before.base_fee_per_gas.is_none();
        let base = if opens_market { before.gas_limit.saturating_mul(2) } else { before.gas_limit };
        if header.gas_limit.abs_diff(base) >= (base / 1_024).max(1) || header.gas_limit < GAS_LIMIT_MIN {
            return Err(wrong.field("gasLimit", header.gas_limit, format_args!("within 1/1024 of {base}")));
        }
        let base_fee = since(SpecId::LONDON).then(|| market_base_fee(before));
        wrong.check("baseFeePerGas", &header.base_fee_per_gas, &base_fee)?;
        if since(SpecId::MERGE) {
            wrong.check("difficulty", &header.difficulty, &U256::ZERO)?;
            wrong.check("nonce", &header.nonce, &B64::ZERO)?;
            wrong.check("ommersHash", &header.ommers_hash, &EMPTY_OMMER_ROOT_HASH)?;
        } else if header.difficulty.is_zero() {
            return Err(wrong.field("difficulty", 0, "above 0 before the merge"));
        }
        let excess = self.next_excess_blob_gas(before, header.timestamp, spec);
        wrong.check("excessBlobGas", &header.excess_blob_gas, &excess)?;
        for (field, have, from) in [
            ("withdrawalsRoot", header.withdrawals_root.is_some(), SpecId::SHANGHAI),
            ("blobGasUsed", header.blob_gas_used.is_some(), SpecId::CANCUN),
            ("parentBeaconBlockRoot", header.parent_beacon_block_root.is_some(), SpecId::CANCUN),
            ("requestsHash", header.requests_hash.is_some(), SpecId::PRAGUE),
        ] {
            if have != since(from) {
                let (have, want) = if have { ("there", "absent") } else { ("absent", "there") };
                return Err(wrong.field(field, have, format_args!("{want} in this fork")));
            }
        }
        Ok(())
    }

    /// Gives what the block itself gives: withdrawals from staking, or rewards for work.
    fn credit(
        &self,
        context: &Context,
        header: &Header,
        ommers: &[Header],
        withdrawals: &[Withdrawal],
        tx: &mut Tx<'_>,
    ) -> Result<(), String> {
        const OMMERS_MAX: usize = 2;
        const OMMER_DEPTH_MAX: u64 = 6;
        let give = |tx: &mut Tx<'_>, address: Address, wei: u128| -> Result<(), String> {
            let mut account = self.rows(tx).account(address).map_err(|error| error.to_string())?.unwrap_or_default();
            account.balance = account.balance.checked_add(U256::from(wei)).ok_or("a balance exceeds 256 bits")?;
            rows::put_account(&self.layout, tx, address, &account);
            Ok(())
        };
        for withdrawal in withdrawals {
            if withdrawal.amount > 0 {
                give(tx, withdrawal.address, u128::from(withdrawal.amount) * 1_000_000_000)?;
            }
        }
        if context.spec.is_enabled_in(SpecId::MERGE) {
            return Ok(());
        }
        if ommers.len() > OMMERS_MAX {
            return Err(format!("it has {} ommers, at most {OMMERS_MAX} are allowed", ommers.len()));
        }
        let reward = self.config.genesis.forks.block_reward(header.number);
        for ommer in ommers {
            let depth = header.number.saturating_sub(ommer.number);
            if !(1..=OMMER_DEPTH_MAX).contains(&depth) {
                return Err(format!("an ommer has number {}, which is not one to six blocks before", ommer.number));
            }
            give(tx, ommer.beneficiary, reward * u128::from(8 - depth) / 8)?;
        }
        give(tx, header.beneficiary, reward + reward / 32 * ommers.len() as u128)
    }
}

fn refused<'a>(wrong: &'a Wrong<'a>) -> impl Fn(Refused) -> Reject + 'a {
    |refused| match refused {
        Refused::Invalid(invalid) => wrong.says(invalid),
        Refused::TooMuch => wrong.says("it writes more than one entry of the ledger holds"),
        Refused::Failed(error) => failed(error),
    }
}
