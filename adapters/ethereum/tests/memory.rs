//! Memory of an account: what is promised for a million of them, at a fifth of the size and in the same proportions.
//! `examples/accounts.rs` measures the million.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

// As in the node: what counts is what is resident, and allocators differ in it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[expect(dead_code, reason = "this test uses a part of it")]
mod support {
    #[path = "mod.rs"]
    mod base;
    pub mod filled;
    pub mod wallet;
    pub use base::*;
}

use base::limits::VERSIONS_KEPT;
use support::filled::{Filled, resident};

/// Bytes of an account, with the state, the trie and all kept versions.
const PROMISED: u64 = 400;

const ACCOUNTS: u64 = 200_000;

/// Accounts that a batch changes: 1,000 of a million.
const CHANGED: u64 = ACCOUNTS / 1_000;

#[test]
fn an_account_takes_no_more_memory_than_promised() {
    let start = resident();
    let mut filled = Filled::empty();
    filled.grow(ACCOUNTS, CHANGED);
    (0..2 * VERSIONS_KEPT).for_each(|_| filled.batch(CHANGED));
    let each = (resident() - start) / ACCOUNTS;
    assert!(each <= PROMISED, "an account takes {each} bytes");
    assert_eq!(filled.filled, ACCOUNTS);
}
