//! What an account costs: resident memory, in the tables, in the state trie and in kept versions; and CPU for a transfer,
//! by how many accounts there are. `cargo run --release -p ethereum --example accounts [parts|grown|speed] [accounts]`
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement, run by hand")]

// As in the node.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[expect(dead_code, reason = "shared with the tests")]
#[path = "../tests/support"]
mod support {
    #[path = "mod.rs"]
    mod base;
    pub mod filled;
    pub mod wallet;
    pub use base::*;
}

use std::hint::black_box;

use adapter::{Adapter, Closed, Opening, Verdict, Work};
use base::View;
use ethereum::{Config, Genesis};
use kv::WriteSet;
use support::filled::{Filled, resident};
use support::wallet::{self, Wallet};

const VERSIONS: u64 = 128;
const TOUCHED: u64 = 1_000;
/// Accounts that send; all others only receive.
const WALLETS: u64 = 20_000;
const TRANSFERS: usize = 1_000;
const ROUNDS: usize = 12;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    let accounts = arguments.next().map(|accounts| accounts.parse().unwrap());
    match what.as_str() {
        "parts" => parts(accounts.unwrap_or(1_000_000)),
        "grown" => grown(accounts.unwrap_or(1_000_000)),
        _ => accounts.map_or(vec![1_000, 100_000, 1_000_000], |accounts| vec![accounts]).into_iter().for_each(speed),
    }
}

/// Rows, trie and versions one after the other, as after a start.
fn parts(accounts: u64) {
    let start = resident();
    let mut filled = Filled::empty();
    filled.fill(accounts);
    let rows = resident() - start;
    filled.hash();
    let state = resident() - start;
    print!("{accounts} accounts, bytes for each: rows {}, trie {}", rows / accounts, (state - rows) / accounts);
    versions(filled, accounts, start);
}

/// All of it as it comes in life: accounts are created batch by batch, each with its trie.
fn grown(accounts: u64) {
    let start = resident();
    let mut filled = Filled::empty();
    filled.grow(accounts, TOUCHED);
    print!("{accounts} accounts, bytes for each: as they came {}", (resident() - start) / accounts);
    versions(filled, accounts, start);
}

fn versions(mut filled: Filled, accounts: u64, start: u64) {
    for changed in [TOUCHED, 2 * TOUCHED] {
        for _ in 0..2 * VERSIONS {
            filled.batch(changed);
        }
        let all = resident().saturating_sub(start);
        print!("; with {VERSIONS} versions of {changed} changed accounts {}", all / accounts);
    }
    println!();
    black_box(filled);
}

fn speed(accounts: u64) {
    let mut wallets: Vec<Wallet> = (0..WALLETS.min(accounts)).map(Wallet::new).collect();
    let text = wallet::genesis(wallets.iter().map(|wallet| wallet.address), 1_000_000_000);
    let mut filled = Filled::new(Config::new(Genesis::parse(&text).unwrap()));
    filled.fill(accounts - wallets.len() as u64);
    filled.hash();
    let mut phases = [0; 5];
    for round in 0..ROUNDS {
        let raw: Vec<_> = (0..TRANSFERS)
            .map(|_| {
                let from = filled.random() % wallets.len() as u64;
                let to = filled.random_address(&wallets);
                wallets[usize::try_from(from).unwrap()].transfer(to, 1)
            })
            .collect();
        let Filled { bench, seqno, .. } = &mut filled;
        let (ethereum, store) = (&bench.ethereum, &mut bench.store);
        let snapshot = store.snapshot();
        let work: Vec<Work> = raw.iter().map(|raw| ethereum.admit(&snapshot, raw).unwrap()).collect();
        drop(snapshot);
        let head = store.head().clone();
        let opening = Opening { time: 1_000 * round as u64, view: View(2), first: seqno.next(), entropy: [1; 32] };
        let mut batch = ethereum.begin(&head, &opening).unwrap();
        let mut kept: Vec<WriteSet> = Vec::with_capacity(TRANSFERS);
        let from = *seqno;
        phases[0] += cpu(|| {
            for work in &work {
                let mut tx = store.tx();
                assert!(matches!(batch.execute(&mut tx, work), Verdict::Keep(_)));
                let writes = tx.finish().writes;
                *seqno = seqno.next();
                store.apply(*seqno, &writes);
                kept.push(writes);
            }
        });
        let previous = head.derived(0).cloned();
        drop(head);
        let mut tx = store.tx();
        let mut closed = None;
        phases[1] += cpu(|| closed = Some(batch.close(&mut tx).unwrap()));
        let Closed { derived, seal } = closed.unwrap();
        kept.push(tx.finish().writes);
        *seqno = seqno.next();
        store.apply(*seqno, &kept[kept.len() - 1]);
        store.set_derived(0, derived);
        let mut tx = store.tx();
        phases[1] += cpu(|| seal.unwrap()(&mut tx, &kept.iter().collect::<Vec<_>>()).unwrap());
        kept.push(tx.finish().writes);
        phases[2] += cpu(|| {
            store.close();
            store.amend(*seqno, *seqno, &kept[kept.len() - 1]);
            store.commit(*seqno);
            store.forget_history(from);
        });
        let mut followed = None;
        phases[3] += cpu(|| followed = ethereum.derive(previous.as_ref(), store.head(), &kept).unwrap());
        phases[4] += cpu(|| drop(followed));
    }
    let [run, seal, publish, follow, forget] = phases.map(|time| time as f64 / 1e3 / (TRANSFERS * ROUNDS) as f64);
    println!(
        "{accounts:>9} accounts, microseconds of CPU for each transfer: execute and apply {run:.2}, seal {seal:.2}, commit {publish:.2}; together {:.2}; a follower derives {follow:.2} and lets go {forget:.2}",
        run + seal + publish,
    );
}

/// CPU of all threads of this process while something runs, in nanoseconds.
fn cpu(run: impl FnOnce()) -> u64 {
    let now = || {
        let threads = std::fs::read_dir("/proc/self/task").unwrap();
        let of = |path: std::path::PathBuf| std::fs::read_to_string(path.join("schedstat")).unwrap();
        threads.map(|thread| of(thread.unwrap().path()).split(' ').next().unwrap().parse::<u64>().unwrap()).sum::<u64>()
    };
    let start = now();
    run();
    now() - start
}
