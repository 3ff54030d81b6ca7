//! What one call of a script may cost.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use base::limits::KEY_BYTES_MAX;
use minicbor::{Decode, Encode};

/// What one call of a script may cost. Whatever runs out, the call fails alone.
#[derive(Encode, Decode, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Of the script's own memory.
    #[n(0)]
    pub heap_bytes: usize,
    /// Of the thread's stack, from where the call begins. The thread must have it.
    #[n(1)]
    pub stack_bytes: usize,
    /// Steps of the engine's meter; one is 10,000 jumps and calls. Deterministic, unlike time.
    #[n(2)]
    pub steps: u64,
    /// By the clock of whoever runs the call.
    #[n(3)]
    pub time: Duration,
    #[n(4)]
    pub script_bytes: usize,
    /// Rows written or removed.
    #[n(5)]
    pub writes: usize,
    /// Keys and values written, and the text of a verdict.
    #[n(6)]
    pub output_bytes: usize,
    /// Calls of the console; more are dropped.
    #[n(7)]
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

    /// What a script may say at once to the store or the node: a table's name, a key, and all that it may write.
    pub(crate) fn ask_bytes(&self) -> usize {
        const NAME_BYTES: usize = 1 << 10;
        self.output_bytes.saturating_add(NAME_BYTES + KEY_BYTES_MAX)
    }
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
