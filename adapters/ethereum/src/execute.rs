//! The one EVM of this crate, and what it is told about a block.
//!
//! The engine's generics end here: everywhere else there is [`Evm`] over [`Rows`], and [`Context`], which is plain data.

use std::cell::Cell;
use std::sync::Arc;

use alloy_consensus::{Header, Transaction as _};
use alloy_primitives::{Address, Bytes, KECCAK256_EMPTY, U256};
use base::limits::ENTRY_BYTES_MAX;
use kv::{State, Tx};
use revm::bytecode::opcode::EXTCODEHASH;
use revm::context::journal::JournalInner;
use revm::context::result::{EVMError, ExecutionResult, InvalidTransaction};
use revm::context::{BlockEnv, CfgEnv, ContextSetters, FrameStack, Journal, JournalEntry, LocalContext, TxEnv};
use revm::context_interface::JournalTr;
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::handler::instructions::EthInstructions;
use revm::handler::{EthFrame, EthPrecompiles, Handler, MainnetHandler};
use revm::interpreter::instructions::host;
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::{Host, Instruction, InstructionContext, InstructionExecResult, InstructionResult};
use revm::primitives::hardfork::SpecId;
use revm::{ExecuteEvm, MainnetEvm, SystemCallEvm};

use crate::ReadError;
use crate::ledger::Ledger;
use crate::record::Block;
use crate::rows::{self, Rows};
use crate::tip::Tip;
use crate::transaction::{self, Envelope};

/// What execution knows of its block.
#[derive(Clone)]
pub struct Context {
    pub spec: SpecId,
    pub block: BlockEnv,
    /// Changing `spec` here needs `set_spec_and_mainnet_gas_params`: the gas schedule is a field of its own.
    pub cfg: CfgEnv,
    /// The block before, while it may not be sealed yet.
    pub(crate) tip: Option<Arc<Tip>>,
}

type EvmContext<'a> = revm::Context<BlockEnv, TxEnv, CfgEnv, Rows<'a>, Journal<Rows<'a>>, ()>;

/// The engine over some rows.
pub type Evm<'a, I = ()> = MainnetEvm<EvmContext<'a>, I>;

/// An engine that is not looked at while it runs.
#[must_use]
pub fn evm<'a>(context: Context, rows: Rows<'a>) -> Evm<'a> {
    evm_with(context, rows, ())
}

/// An engine with an inspector.
#[must_use]
pub fn evm_with<'a, I>(context: Context, rows: Rows<'a>, inspector: I) -> Evm<'a, I> {
    let Context { spec, block, cfg, .. } = context;
    let mut instruction = EthInstructions::new_mainnet_with_spec(spec);
    if rows.bare_storage() {
        instruction.instruction_table_mut()[usize::from(EXTCODEHASH)] = Instruction::new(extcodehash);
    }
    let Spare { frames, local, journal, .. } = Spare::take(spec);
    let journaled_state = Journal { database: rows, inner: journal };
    let ctx = revm::Context { block, tx: TxEnv::default(), cfg, journaled_state, chain: (), local, error: Ok(()) };
    Evm { ctx, inspector, instruction, precompiles: EthPrecompiles::new(spec), frame_stack: frames }
}

/// The parts of an engine that are large and belong to no block: kept for the next one on the same thread.
struct Spare {
    /// The journal remembers which precompiles are warm, which depends on it.
    spec: SpecId,
    frames: FrameStack<EthFrame<EthInterpreter>>,
    local: LocalContext,
    journal: JournalInner<JournalEntry>,
}

thread_local! {
    static SPARE: Cell<Option<Spare>> = const { Cell::new(None) };
}

impl Spare {
    fn take(spec: SpecId) -> Self {
        SPARE.take().filter(|spare| spare.spec == spec).unwrap_or_else(|| {
            let mut journal = JournalInner::new();
            journal.set_spec_id(spec);
            Self { spec, frames: FrameStack::new_prealloc(8), local: LocalContext::default(), journal }
        })
    }
}

/// Keeps what an engine that ended well has allocated.
pub(crate) fn recycle<I>(spec: SpecId, engine: Evm<'_, I>) {
    let Evm { ctx: revm::Context { journaled_state, local, .. }, frame_stack, .. } = engine;
    SPARE.set(Some(Spare { spec, frames: frame_stack, local, journal: journaled_state.inner }));
}

/// EXTCODEHASH for accounts with storage and neither code nor nonce: the rows show them with a hash of zero, and here it is
/// what it must be, that of no code.
fn extcodehash<H: Host>(context: InstructionContext<'_, H, EthInterpreter>) -> InstructionExecResult {
    let InstructionContext { interpreter, host } = context;
    let address = interpreter.stack.peek(0).map(|word| Address::from_word(word.into()));
    host::extcodehash(InstructionContext { interpreter: &mut *interpreter, host: &mut *host })?;
    let Ok(address) = address else { return Ok(()) };
    if interpreter.stack.peek(0).is_ok_and(|hash| hash.is_zero())
        && host.balance(address).is_some_and(|balance| !balance.data.is_zero())
    {
        interpreter.stack.set(0, KECCAK256_EMPTY.into()).map_err(|_| InstructionResult::StackUnderflow)?;
    }
    Ok(())
}

/// Rules that the engine leaves to its host.
fn rules(spec: SpecId, envelope: &Envelope) -> Result<(), Refused> {
    // EIP-155 came with the fork that the engine knows as Spurious Dragon; before it `v` was 27 or 28.
    if envelope.is_legacy() && envelope.chain_id().is_some() && !spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) {
        return Err(Refused::Invalid(InvalidTransaction::InvalidChainId));
    }
    let fee = U256::from(envelope.gas_limit()).checked_mul(U256::from(envelope.max_fee_per_gas()));
    if fee.and_then(|fee| fee.checked_add(envelope.value())).is_none() {
        return Err(Refused::Invalid(InvalidTransaction::OverflowPaymentInTransaction));
    }
    Ok(())
}

/// Why a transaction left no trace.
#[derive(Debug)]
pub enum Refused {
    /// It does not belong into this block.
    Invalid(InvalidTransaction),
    /// It would write more than an entry of the ledger holds.
    TooMuch,
    /// The node is at fault.
    Failed(String),
}

/// Bytes that a transaction may write: as state, and as its own row with the logs. Gas bounds them well below that, unless
/// a genesis gives blocks room for hundreds of millions.
pub(crate) const WRITES_MAX: usize = ENTRY_BYTES_MAX / 3;

/// Gas of one transaction in blocks made here under rules that have no cap of their own: a few seconds of computing, during
/// which nothing else happens.
const TRANSACTION_GAS_MAX: u64 = 1 << 28;

impl From<ReadError> for Refused {
    fn from(error: ReadError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<EVMError<ReadError>> for Refused {
    fn from(error: EVMError<ReadError>) -> Self {
        match error {
            EVMError::Transaction(invalid) => Self::Invalid(invalid),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl Ledger {
    /// What execution knows of the block that `header` opens, given the difficulty of all blocks before it.
    #[must_use]
    pub fn context(&self, header: &Header, ancestors_difficulty: U256) -> Context {
        let forks = &self.config.genesis.forks;
        let spec = forks.spec(header.number, header.timestamp, forks.merged(ancestors_difficulty));
        let blobs = forks.blob_params(header.timestamp);
        let fraction = u64::try_from(blobs.update_fraction).unwrap_or(u64::MAX);
        let mut cfg = CfgEnv::new_with_spec(spec).with_chain_id(forks.chain_id);
        cfg.max_blobs_per_tx = Some(blobs.max_blobs_per_tx);
        cfg.blob_base_fee_update_fraction = Some(fraction);
        let block = BlockEnv {
            number: U256::from(header.number),
            beneficiary: header.beneficiary,
            timestamp: U256::from(header.timestamp),
            gas_limit: header.gas_limit,
            basefee: header.base_fee_per_gas.unwrap_or(0),
            difficulty: header.difficulty,
            prevrandao: spec.is_enabled_in(SpecId::MERGE).then_some(header.mix_hash),
            blob_excess_gas_and_price: spec
                .is_enabled_in(SpecId::CANCUN)
                .then(|| BlobExcessGasAndPrice::new(header.excess_blob_gas.unwrap_or(0), fraction)),
            slot_num: 0,
        };
        Context { spec, block, cfg, tip: None }
    }

    /// The same for a block made here, where an operator may have set another cap on a transaction's gas.
    pub(crate) fn own_context(&self, header: &Header, ancestors_difficulty: U256) -> Context {
        let mut context = self.context(header, ancestors_difficulty);
        let none = || (!context.spec.is_enabled_in(SpecId::OSAKA)).then_some(TRANSACTION_GAS_MAX);
        context.cfg.tx_gas_limit_cap = self.config.transaction_gas_cap.or_else(none);
        context
    }

    /// What execution knew of a block that is there.
    #[must_use]
    pub fn context_of(&self, block: &Block) -> Context {
        self.own_context(&block.header, block.ancestors_difficulty())
    }

    /// Everything that can be said of a transaction before it runs: its form, its fees, its intrinsic gas (which is the
    /// result), and against the rows its sender's nonce, code and funds.
    pub fn validate(
        &self,
        context: Context,
        state: &State,
        envelope: &Envelope,
        sender: Address,
    ) -> Result<u64, Refused> {
        type Checks<'a> = MainnetHandler<Evm<'a>, EVMError<ReadError>, EthFrame>;
        let spec = context.spec;
        rules(spec, envelope)?;
        let mut engine = evm(context, self.rows_of(state));
        engine.ctx.set_tx(transaction::unread_env(envelope, sender));
        let gas = Checks::default().validate(&mut engine).map_err(Refused::from)?;
        engine.ctx.journaled_state.finalize();
        recycle(spec, engine);
        Ok(gas.initial_total_gas())
    }

    /// Runs a transaction and writes what it left.
    pub fn transact(
        &self,
        context: &Context,
        tx: &mut Tx<'_>,
        envelope: &Envelope,
        sender: Address,
    ) -> Result<ExecutionResult, Refused> {
        rules(context.spec, envelope)?;
        let ran = {
            let mut engine = evm(context.clone(), self.rows(tx).after(context.tip.as_deref()));
            let ran = engine.transact(transaction::tx_env(envelope, sender))?;
            recycle(context.spec, engine);
            ran
        };
        if rows::commit(&self.layout, tx, ran.state, context.spec)? > WRITES_MAX {
            return Err(Refused::TooMuch);
        }
        Ok(ran.result)
    }

    /// Calls a system contract and writes what it left.
    pub(crate) fn system_call(
        &self,
        context: &Context,
        tx: &mut Tx<'_>,
        contract: Address,
        data: Bytes,
    ) -> Result<ExecutionResult, Refused> {
        let ran = {
            let mut engine = evm(context.clone(), self.rows(tx));
            let ran = engine.system_call(contract, data)?;
            recycle(context.spec, engine);
            ran
        };
        rows::commit(&self.layout, tx, ran.state, context.spec)?;
        Ok(ran.result)
    }
}
