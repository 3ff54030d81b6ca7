//! Notes every movement of value as the log that a token would write.
//!
//! The logs are written into the journal, so that they go where their frame goes: a frame that reverts takes them along.

use alloy_primitives::{Address, Log};
use alloy_primitives::{B256, Bytes, U256};
use revm::Inspector;
use revm::bytecode::opcode::SELFDESTRUCT;
use revm::context_interface::{ContextTr, JournalTr};
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_types::{InputsTr, Jumps};
use revm::interpreter::{CallInputs, CallOutcome, CreateInputs, CreateOutcome, Interpreter};
use revm_inspectors::transfer::{TRANSFER_EVENT_TOPIC, TRANSFER_LOG_EMITTER, TransferInspector};

pub(super) struct Transfers(TransferInspector);

impl Default for Transfers {
    fn default() -> Self {
        Self(TransferInspector::new(false).with_logs(true))
    }
}

impl<C: ContextTr> Inspector<C> for Transfers {
    /// The inspector inside is told of a selfdestruct when it is too late to write a log: so it is caught before.
    fn step(&mut self, machine: &mut Interpreter<EthInterpreter>, context: &mut C) {
        if machine.bytecode.opcode() != SELFDESTRUCT {
            return;
        }
        let contract = machine.input.target_address();
        let Ok(heir) = machine.stack.peek(0) else { return };
        let Ok(account) = context.journal_mut().load_account(contract) else { return };
        let value = account.data.info.balance;
        if !value.is_zero() {
            context.journal_mut().log(transfer(contract, Address::from_word(heir.into()), value));
        }
    }

    fn call(&mut self, context: &mut C, inputs: &mut CallInputs) -> Option<CallOutcome> {
        self.0.call(context, inputs)
    }

    fn create(&mut self, context: &mut C, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        self.0.create(context, inputs)
    }
}

fn transfer(from: Address, to: Address, value: U256) -> Log {
    let topics: Vec<B256> = vec![TRANSFER_EVENT_TOPIC, from.into_word(), to.into_word()];
    Log::new_unchecked(TRANSFER_LOG_EMITTER, topics, Bytes::from(value.to_be_bytes_vec()))
}
