//! What a transfer costs in this crate, by phase, on one thread:
//! `cargo run --release -p ethereum --example transfers [transactions in a batch]`.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement, run by hand")]

// As in the node.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[expect(dead_code, reason = "shared with the tests")]
#[path = "../tests/support"]
mod support {
    #[path = "mod.rs"]
    mod base;
    pub mod wallet;
    pub use base::*;
}

use std::time::{Duration, Instant};

use adapter::{Adapter, Closed, Opening, Verdict, Work};
use alloy_primitives::keccak256;
use base::{Seqno, View};
use ethereum::{Config, Genesis, World};
use kv::{Store, WriteSet};
use support::wallet::{self, Wallet};

const ACCOUNTS: u64 = 1_000;
const ROUNDS: usize = 20;

fn main() {
    let size = std::env::args().nth(1).map_or(1_000, |size| size.parse().unwrap());
    let mut wallets: Vec<Wallet> = (0..ACCOUNTS).map(Wallet::new).collect();
    let text = wallet::genesis(wallets.iter().map(|wallet| wallet.address), 1_000_000_000);
    let bench = support::Bench::new(Config::new(Genesis::parse(&text).unwrap()));
    let (ethereum, mut store): (_, Store) = (bench.ethereum, bench.store);
    let targets: Vec<_> = wallets.iter().map(|wallet| wallet.address).collect();
    let [mut admit, mut execute, mut apply, mut close, mut sealing, mut derive] = [Duration::ZERO; 6];
    let mut seqno = Seqno(1);
    for round in 0..ROUNDS {
        let raw: Vec<_> = (0..size)
            .map(|place| {
                let to = targets[(place * 7 + round) % targets.len()];
                let from = place % wallets.len();
                wallets[from].transfer(to, 1)
            })
            .collect();
        let snapshot = store.snapshot();
        // Later transactions of a wallet are admitted as ones that may wait; so they are in life.
        let (time, work) =
            timed(|| raw.iter().map(|raw| ethereum.admit(&snapshot, raw).unwrap()).collect::<Vec<Work>>());
        admit += time;
        let head = store.head().clone();
        let opening = Opening { time: 1_000 * round as u64, view: View(2), first: seqno.next(), entropy: [1; 32] };
        let mut batch = ethereum.begin(&head, &opening).unwrap();
        let mut kept: Vec<WriteSet> = Vec::with_capacity(size);
        for work in &work {
            let (time, writes) = timed(|| {
                let mut tx = store.tx();
                assert!(matches!(batch.execute(&mut tx, work), Verdict::Keep(_)));
                tx.finish().writes
            });
            execute += time;
            seqno = seqno.next();
            apply += timed(|| store.apply(seqno, &writes)).0;
            kept.push(writes);
        }
        let (time, (Closed { derived, seal }, writes)) = timed(|| {
            let mut tx = store.tx();
            (batch.close(&mut tx).unwrap(), tx.finish().writes)
        });
        close += time;
        seqno = seqno.next();
        store.apply(seqno, &writes);
        kept.push(writes);
        let (time, late) = timed(|| {
            let mut tx = store.tx();
            seal.unwrap()(&mut tx, &kept.iter().collect::<Vec<_>>()).unwrap();
            tx.finish().writes
        });
        sealing += time;
        kept.push(late);
        let previous = head.derived(0).cloned();
        derive += timed(|| ethereum.derive(previous.as_ref(), store.head(), &kept).unwrap()).0;
        store.set_derived(0, derived);
        store.close();
        store.amend(seqno, seqno, &kept[kept.len() - 1]);
        store.commit(seqno);
    }
    let each = |time: Duration| time.as_secs_f64() * 1e6 / (size * ROUNDS) as f64;
    println!("{} batches of {size} transfers among {ACCOUNTS} accounts, microseconds for each transfer:", ROUNDS);
    println!(
        "admit {:.2} (sender, checks), execute {:.2}, apply {:.2}, close {:.2}, seal {:.2} (roots), follow {:.2} (trie without hashing)",
        each(admit),
        each(execute),
        each(apply),
        each(close),
        each(sealing),
        each(derive)
    );
    rebuild(1_000_000);
}

/// What a restart costs: the trie of many accounts, from their rows.
fn rebuild(accounts: u64) {
    let text = wallet::genesis([], 1_000_000_000);
    let bench = support::Bench::new(Config::new(Genesis::parse(&text).unwrap()));
    let table = bench.store.head().tables().find("ethereum.accounts").unwrap();
    let mut state = bench.store.head().clone();
    let mut tx = kv::Tx::new(&state);
    for number in 0..accounts {
        // A row of an account: no nonce, a balance of four bytes.
        tx.put(table, &keccak256(number.to_be_bytes())[12..], &[0, 1, 2, 3, 4][..]);
    }
    let writes = tx.finish().writes;
    state.apply(state.seqno().next(), &writes);
    let before = resident();
    let (build, world) = timed(|| World::build(bench.ethereum.ledger().layout(), &state).unwrap());
    let (hash, root) = timed(|| world.root());
    let memory = (resident() - before) / accounts;
    println!("rebuild of {accounts} accounts: {build:.2?}, hashing {hash:.2?}, {memory} bytes for each, root {root}");
}

/// Memory of this process, in bytes.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

fn timed<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let done = run();
    (start.elapsed(), done)
}
