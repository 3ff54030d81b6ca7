//! Instructions of the hot stages for one transaction: `cargo xtask instructions`.
//!
//! The name of a function is the name of its stage; the name of its case says how many transactions (rows, leaves) it takes.
#![expect(clippy::unwrap_used, reason = "a measurement stops at the first failure")]

use std::hint::black_box;
use std::path::Path;

use benches::backup::{Apply, Check, Derive, Open};
use benches::primary::{Admit, Execute, Recover, Roots, Seal, Sign};
use benches::versions::{Get, Put, Tree, Trie};
use benches::{Append, Kind, Parts, Stage};
use gungraun::prelude::*;
use gungraun::{Callgrind, EntryPoint};

// As in the node.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Transactions in a batch; the cases below are named after it.
const BATCH: usize = 500;
/// Accounts of a small ledger and of a large one.
const FEW: usize = 1_000;
const MANY: usize = 20_000;

fn parts(accounts: usize) -> Parts {
    // Callgrind counts for each thread by itself: what a stage shares among threads is all done by this one.
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global().unwrap();
    Parts::new(accounts, BATCH)
}

/// A stage at the point where counting begins.
fn at<S: Stage>(mut stage: S) -> (S, S::Ready) {
    let ready = stage.ready();
    (stage, ready)
}

/// The counted part. Nothing is made or dropped in it that belongs to the measuring.
fn run<S: Stage>((mut stage, ready): (S, S::Ready)) -> (S, S::Done) {
    let done = black_box(stage.run(black_box(ready)));
    (stage, done)
}

/// A benchmark for a stage, and what it starts from.
macro_rules! stage {
    ($name:ident, $stage:ty, $made:expr) => {
        #[library_benchmark]
        #[bench::of_500(at($made))]
        fn $name(stage: ($stage, <$stage as Stage>::Ready)) -> ($stage, <$stage as Stage>::Done) {
            run(stage)
        }
    };
}

stage!(admit, Admit, Admit::new(parts(FEW)));
stage!(recover, Recover, Recover::new(parts(FEW)));
stage!(execute_transfer, Execute, Execute::new(parts(FEW), Kind::Transfer));
stage!(execute_token, Execute, Execute::new(parts(FEW), Kind::Token));
stage!(roots_among_few, Roots, Roots::new(parts(FEW), Kind::Transfer));
stage!(roots_among_many, Roots, Roots::new(parts(MANY), Kind::Transfer));
stage!(roots_token, Roots, Roots::new(parts(FEW), Kind::Token));
stage!(seal_entry, Seal, Seal::new(parts(FEW), Kind::Transfer));
stage!(sign, Sign, Sign::new(parts(FEW), Kind::Transfer));
stage!(log_append, Append, Append::new(parts(FEW), Kind::Transfer, Path::new(env!("CARGO_TARGET_TMPDIR")), false));
stage!(check, Check, Check::new(parts(FEW), Kind::Transfer));
stage!(open, Open, Open::new(parts(FEW), Kind::Transfer));
stage!(apply, Apply, Apply::new(parts(FEW), Kind::Transfer));
stage!(derive, Derive, Derive::new(parts(FEW), Kind::Transfer));
stage!(store_get, Get, Get::new(parts(MANY), BATCH));
stage!(store_put, Put, Put::new(parts(MANY), BATCH));
stage!(trie, Trie, Trie::new(parts(FEW), Kind::Transfer));
stage!(tree, Tree, Tree::new(BATCH));

library_benchmark_group!(
    name = hot,
    benchmarks = [
        recover,
        admit,
        execute_transfer,
        execute_token,
        roots_among_few,
        roots_among_many,
        roots_token,
        seal_entry,
        sign,
        log_append,
        check,
        open,
        apply,
        derive,
        store_get,
        store_put,
        trie,
        tree
    ]
);

main!(
    config = LibraryBenchmarkConfig::default()
        // Memory goes back to the system after a time, which is not the same in every run.
        .env("_RJEM_MALLOC_CONF", "dirty_decay_ms:-1,muzzy_decay_ms:-1")
        .tool(Callgrind::with_args(["--cache-sim=no"]).entry_point(EntryPoint::Default));
    library_benchmark_groups = hot
);
