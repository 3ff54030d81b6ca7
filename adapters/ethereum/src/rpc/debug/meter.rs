//! How much a trace may record. A step is a few gas for the caller and, with all that the machine holds at that moment,
//! many kilobytes for the node: so what a tracer notes is counted as it goes, and past the bound the run is stopped.

use alloy_rpc_types_trace::geth::GethDefaultTracingOptions;
use revm::Inspector;
use revm::bytecode::opcode::{SLOAD, SSTORE};
use revm::context_interface::ContextTr;
use revm::context_interface::context::ContextError;
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_types::{Jumps, MemoryTr, ReturnData};
use revm::interpreter::{CallInputs, CallOutcome, CreateInputs, CreateOutcome, Interpreter};

/// Bytes that the traces of one request may take.
const BYTES_MAX: usize = 128 << 20;
/// What is noted of every step and of every call, about.
const STEP_BYTES: usize = 300;
const CALL_BYTES: usize = 1_000;

/// What is noted of each step.
#[derive(Clone, Copy, Default)]
pub(super) struct Steps {
    /// So many of them.
    most: u64,
    stack: bool,
    memory: bool,
    storage: bool,
    return_data: bool,
}

impl Steps {
    pub(super) fn of(options: &GethDefaultTracingOptions) -> Self {
        Self {
            most: options.limit.unwrap_or(u64::MAX),
            stack: options.is_stack_enabled(),
            memory: options.is_memory_enabled(),
            storage: options.is_storage_enabled(),
            return_data: options.is_return_data_enabled(),
        }
    }

    /// For a tracer that says nothing of what it notes.
    pub(super) fn all() -> Self {
        Self { most: u64::MAX, stack: true, ..Self::default() }
    }
}

/// Runs beside a tracer.
pub(super) struct Meter {
    left: usize,
    exceeded: bool,
    steps: Steps,
    slots: usize,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self { left: BYTES_MAX, exceeded: false, steps: Steps::default(), slots: 0 }
    }

    /// Goes on with another transaction, on what is left.
    pub(super) fn next(self, steps: Steps) -> Self {
        Self { steps, slots: 0, ..self }
    }

    fn take(&mut self, bytes: usize) {
        self.exceeded |= bytes > self.left;
        self.left = self.left.saturating_sub(bytes);
    }
}

impl<C: ContextTr> Inspector<C> for Meter {
    fn step(&mut self, machine: &mut Interpreter<EthInterpreter>, context: &mut C) {
        if self.steps.most > 0 {
            self.steps.most -= 1;
            let Steps { stack, memory, storage, return_data, .. } = self.steps;
            let when = |noted: bool, bytes: usize| if noted { bytes } else { 0 };
            // All slots of the contract are noted again each time one is touched.
            let touches = storage && matches!(machine.bytecode.opcode(), SLOAD | SSTORE);
            self.slots += usize::from(touches);
            self.take(
                STEP_BYTES
                    + when(stack, machine.stack.len() * 32)
                    + when(memory, machine.memory.size())
                    + when(touches, self.slots * 64)
                    + when(return_data, machine.return_data.buffer().len()),
            );
        }
        if self.exceeded && context.error().is_ok() {
            *context.error() = Err(ContextError::Custom("the trace is too large: ask for less of it".into()));
            machine.halt_fatal();
        }
    }

    fn call(&mut self, _: &mut C, inputs: &mut CallInputs) -> Option<CallOutcome> {
        self.take(CALL_BYTES + inputs.input.len());
        None
    }

    fn call_end(&mut self, _: &mut C, _: &CallInputs, outcome: &mut CallOutcome) {
        self.take(outcome.output().len());
    }

    fn create(&mut self, _: &mut C, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        self.take(CALL_BYTES + inputs.init_code().len());
        None
    }

    fn create_end(&mut self, _: &mut C, _: &CreateInputs, outcome: &mut CreateOutcome) {
        self.take(outcome.output().len());
    }
}
