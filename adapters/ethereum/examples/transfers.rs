//! What a transfer costs in this crate, by phase, on one thread:
//! `cargo run --release -p ethereum --example transfers [transactions in a batch]`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement, run by hand")]

#[path = "../tests/support"]
mod support {
    #[path = "mod.rs"]
    mod base;
    pub mod wallet;
    pub use base::*;
}

use std::time::{Duration, Instant};

use adapter::{Adapter, Opening, Verdict, Work};
use base::{Seqno, View};
use ethereum::{Config, Genesis};
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
    let (mut admit, mut execute, mut apply, mut seal, mut derive) = (Duration::ZERO, Duration::ZERO, Duration::ZERO, Duration::ZERO, Duration::ZERO);
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
        let (time, work) = timed(|| raw.iter().map(|raw| ethereum.admit(&snapshot, raw).unwrap()).collect::<Vec<Work>>());
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
        let (time, (writes, world)) = timed(|| {
            let mut tx = store.tx();
            let world = batch.seal(&mut tx, &kept).unwrap();
            (tx.finish().writes, world)
        });
        seal += time;
        let previous = head.derived(0).cloned();
        seqno = seqno.next();
        store.apply(seqno, &writes);
        kept.push(writes);
        derive += timed(|| ethereum.derive(previous.as_ref(), store.head(), &kept).unwrap()).0;
        store.set_derived(0, world);
        store.close();
        store.commit(seqno);
    }
    let each = |time: Duration| time.as_secs_f64() * 1e6 / (size * ROUNDS) as f64;
    println!("{} batches of {size} transfers among {ACCOUNTS} accounts, microseconds for each transfer:", ROUNDS);
    println!("admit {:.2} (sender, checks), execute {:.2}, apply {:.2}, seal {:.2} (roots), follow {:.2} (trie without hashing)", each(admit), each(execute), each(apply), each(seal), each(derive));
}

fn timed<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let done = run();
    (start.elapsed(), done)
}
