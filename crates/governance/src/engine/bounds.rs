//! What one call of a script may cost.

use std::cell::{Cell, RefCell};
use std::time::Duration;

/// What one call of a script may cost. Whatever runs out, the call fails alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Of the script's own memory.
    pub heap_bytes: usize,
    /// Of the thread's stack, from where the call begins. The thread must have it.
    pub stack_bytes: usize,
    /// Steps of the engine's meter; one is 10,000 jumps and calls. Deterministic, unlike time.
    pub steps: u64,
    /// By the clock of whoever runs the call.
    pub time: Duration,
    pub script_bytes: usize,
    /// Rows written or removed.
    pub writes: usize,
    /// Keys and values written, and the text of a verdict.
    pub output_bytes: usize,
    /// Calls of the console; more are dropped.
    pub log_bytes: usize,
}

impl Bounds {
    /// What every network grants: heap, stack and time are the least that CCF grants to governance.
    pub const LEAST: Self = Self {
        heap_bytes: 100 << 20,
        stack_bytes: 1 << 20,
        // About a second of a plain loop.
        steps: 5_000,
        time: Duration::from_millis(1_000),
        script_bytes: 1 << 20,
        writes: 10_000,
        output_bytes: 8 << 20,
        log_bytes: 16 << 10,
    };
}

/// Says whether the call has had its time. Asked now and then; once it said yes it is not asked again.
pub type Late = Box<dyn FnMut() -> bool>;

/// Counts what a running call uses up.
pub(crate) struct Meter {
    steps_left: Cell<u64>,
    late: RefCell<Late>,
    overrun: Cell<bool>,
}

impl Meter {
    pub(crate) fn new(steps: u64, late: Late) -> Self {
        Self { steps_left: Cell::new(steps), late: RefCell::new(late), overrun: Cell::new(false) }
    }

    /// Counts a step; true once the call has taken too long.
    pub(crate) fn step(&self) -> bool {
        match self.steps_left.get().checked_sub(1) {
            Some(left) => self.steps_left.set(left),
            None => self.overrun.set(true),
        }
        self.is_over()
    }

    /// Whether the call has taken too long.
    pub(crate) fn is_over(&self) -> bool {
        if !self.overrun.get() && (self.late.borrow_mut())() {
            self.overrun.set(true);
        }
        self.overrun.get()
    }

    /// Whether it was found to have taken too long, without looking again.
    pub(crate) fn overran(&self) -> bool {
        self.overrun.get()
    }
}
