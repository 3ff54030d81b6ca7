//! The time that one request may compute for.
//!
//! Gas bounds what code does, but not for how long: a few operations and precompiles take far longer for their gas than
//! others, and a request may run code many times. So requests that take long look at the clock between their parts, and
//! code that they run looks when it jumps, as in geth: without jumps it comes to its end by itself. What blocks are made
//! of runs without a clock, since it must end alike wherever and whenever it runs.

use std::cell::Cell;
use std::time::{Duration, Instant};

use revm::bytecode::opcode::{JUMP, JUMPI};
use revm::context::result::EVMError;
use revm::interpreter::instructions::control;
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::{Host, Instruction, InstructionContext, InstructionExecResult, InstructionResult};

use super::errors::{Error, code};
use crate::{Evm, ReadError};

/// geth's bound for one call.
const CALL_MAX: Duration = Duration::from_secs(5);
/// For reading many blocks.
const READ_MAX: Duration = Duration::from_secs(10);
/// For tracing what is in a block.
const TRACE_MAX: Duration = Duration::from_secs(30);
/// Jumps between two looks at the clock: some microseconds.
const JUMPS: u32 = 256;

#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    end: Instant,
    allowed: Duration,
}

impl Deadline {
    pub(super) fn within(allowed: Duration) -> Self {
        Self { end: Instant::now() + allowed, allowed }
    }

    pub(super) fn of_a_call() -> Self {
        Self::within(CALL_MAX)
    }

    pub(super) fn of_a_read() -> Self {
        Self::within(READ_MAX)
    }

    pub(super) fn of_a_trace() -> Self {
        Self::within(TRACE_MAX)
    }

    pub(super) fn check(self) -> Result<(), Error> {
        if Instant::now() < self.end { Ok(()) } else { Err(Error::new(code::SERVER, self.text())) }
    }

    fn text(self) -> String {
        format!("execution aborted (timeout = {}s)", self.allowed.as_secs())
    }

    /// Runs an engine that [`looks`] at the clock. What it gives counts for nothing once the time is up, for code may
    /// outlive a call that was stopped inside it.
    pub(super) fn run<T>(self, run: impl FnOnce() -> Result<T, EVMError<ReadError>>) -> Result<T, EVMError<ReadError>> {
        CLOCK.set(Clock { end: Some(self.end), jumps: 0, rang: Instant::now() >= self.end });
        let done = run();
        if CLOCK.take().rang { Err(EVMError::Custom(self.text())) } else { done }
    }
}

/// Makes an engine look at the clock when it jumps.
pub(super) fn looks<I>(mut evm: Evm<'_, I>) -> Evm<'_, I> {
    let table = evm.instruction.instruction_table_mut();
    table[usize::from(JUMP)] = Instruction::new(jump);
    table[usize::from(JUMPI)] = Instruction::new(jump_if);
    evm
}

/// The clock of the engine that runs on this thread.
#[derive(Clone, Copy, Default)]
struct Clock {
    end: Option<Instant>,
    jumps: u32,
    rang: bool,
}

thread_local! {
    static CLOCK: Cell<Clock> = const { Cell::new(Clock { end: None, jumps: 0, rang: false }) };
}

/// Counts a jump. An error when the time is up, whichever: the run is thrown away.
fn tick() -> Result<(), InstructionResult> {
    let mut clock = CLOCK.get();
    clock.jumps += 1;
    if clock.jumps == JUMPS {
        clock.jumps = 0;
        clock.rang |= clock.end.is_some_and(|end| Instant::now() >= end);
    }
    CLOCK.set(clock);
    if clock.rang { Err(InstructionResult::OutOfGas) } else { Ok(()) }
}

fn jump<H: Host>(context: InstructionContext<'_, H, EthInterpreter>) -> InstructionExecResult {
    tick()?;
    control::jump(context)
}

fn jump_if<H: Host>(context: InstructionContext<'_, H, EthInterpreter>) -> InstructionExecResult {
    tick()?;
    control::jumpi(context)
}
