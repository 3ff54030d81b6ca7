//! Microseconds of each stage for one transaction: `cargo bench -p benches`. CPU time of all threads together, but for the log,
//! which waits for a disk: there it is the time that passes.

mod clock;

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use benches::backup::{Apply, Check, Derive, Open};
use benches::primary::{Admit, Execute, Recover, Roots, Seal, Sign};
use benches::versions::{Get, Prove, Put, Tree, Trie};
use benches::{Append, Find, Kind, Parts, Stage};
use clock::Clock;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};

// As in the node.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Batches of a busy network.
const LARGE: usize = 1_000;
/// Batches of a calm one.
const SMALL: usize = 100;
/// Accounts of a small ledger and of a large one.
const FEW: usize = 1_000;
const MANY: usize = 100_000;

/// Where files are made: on the disk that the build is on.
const PLACE: &str = env!("CARGO_TARGET_TMPDIR");

/// Measures one stage; what is printed beside its time is for one transaction (row, leaf, proof).
fn measure<S: Stage>(group: &mut BenchmarkGroup<'_, Clock>, name: &str, elements: usize, make: impl Fn() -> S) {
    measure_by(Clock::Cpu, group, name, elements, make);
}

fn measure_by<S: Stage>(
    clock: Clock,
    group: &mut BenchmarkGroup<'_, Clock>,
    name: &str,
    elements: usize,
    make: impl Fn() -> S,
) {
    group.throughput(Throughput::Elements(elements as u64));
    let mut stage = None;
    group.bench_function(name, |bencher| {
        // Made when it is its turn, so that stages which are not asked for cost nothing.
        let stage = stage.get_or_insert_with(&make);
        bencher.iter_custom(|rounds| (0..rounds).map(|_| once(clock, stage)).sum());
    });
}

fn once<S: Stage>(clock: Clock, stage: &mut S) -> Duration {
    let ready = stage.ready();
    let begun = clock.now();
    let done = black_box(stage.run(black_box(ready)));
    let time = clock.now() - begun;
    drop(done);
    time
}

const KINDS: [(Kind, &str); 2] = [(Kind::Transfer, "transfer"), (Kind::Token, "ERC-20")];

fn primary(criterion: &mut Criterion<Clock>) {
    let mut group = criterion.benchmark_group("primary");
    let parts = || Parts::new(FEW, LARGE);
    measure(&mut group, "recover", LARGE, || Recover::new(parts()));
    measure(&mut group, "admit", LARGE, || Admit::new(parts()));
    for (kind, named) in KINDS {
        measure(&mut group, &format!("execute, {named}"), LARGE, || Execute::new(parts(), kind));
        measure(&mut group, &format!("roots, {named}"), LARGE, || Roots::new(parts(), kind));
        measure(&mut group, &format!("seal, {named}"), LARGE, || Seal::new(parts(), kind));
    }
    for (accounts, batch) in [(FEW, SMALL), (MANY, SMALL), (MANY, LARGE)] {
        let name = format!("roots, {batch} transfers among {accounts} accounts");
        measure(&mut group, &name, batch, || Roots::new(Parts::new(accounts, batch), Kind::Transfer));
    }
    measure(&mut group, "tree and signature", LARGE, || Sign::new(parts(), Kind::Transfer));
    for (name, synced) in [("log, written", false), ("log, written and synced", true)] {
        let append = || Append::new(parts(), Kind::Transfer, Path::new(PLACE), synced);
        measure_by(Clock::Passing, &mut group, name, LARGE, append);
    }
    group.finish();
}

fn backup(criterion: &mut Criterion<Clock>) {
    let mut group = criterion.benchmark_group("backup");
    let parts = || Parts::new(FEW, LARGE);
    for (kind, named) in KINDS {
        measure(&mut group, &format!("check, {named}"), LARGE, || Check::new(parts(), kind));
        measure(&mut group, &format!("open, {named}"), LARGE, || Open::new(parts(), kind));
        measure(&mut group, &format!("apply, {named}"), LARGE, || Apply::new(parts(), kind));
        measure(&mut group, &format!("derive, {named}"), LARGE, || Derive::new(parts(), kind));
    }
    group.finish();
}

fn reads(criterion: &mut Criterion<Clock>) {
    let mut group = criterion.benchmark_group("reads");
    measure(&mut group, "proof of an account", LARGE, || Prove::new(Parts::new(MANY, LARGE), LARGE));
    let find = || Find::new(Parts::new(FEW, LARGE), Kind::Transfer, Path::new(PLACE));
    measure(&mut group, "old row", LARGE, find);
    group.finish();
}

fn structures(criterion: &mut Criterion<Clock>) {
    let mut group = criterion.benchmark_group("structures");
    let parts = || Parts::new(MANY, LARGE);
    measure(&mut group, "store, get", LARGE, || Get::new(parts(), LARGE));
    measure(&mut group, "store, put", LARGE, || Put::new(parts(), LARGE));
    measure(&mut group, "trie, followed and hashed", LARGE, || Trie::new(parts(), Kind::Transfer));
    measure(&mut group, "Merkle tree", LARGE, || Tree::new(LARGE));
    group.finish();
}

fn settings() -> Criterion<Clock> {
    Criterion::default()
        .with_measurement(Clock::Cpu)
        .without_plots()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(10)
}

criterion_group!(name = stages; config = settings(); targets = primary, backup, reads, structures);
criterion_main!(stages);
