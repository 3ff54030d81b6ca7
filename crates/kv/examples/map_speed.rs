//! What a row costs: reads, writes and the clones that make versions, in a table of a million rows.
//!
//! `cargo run --release -p kv --example map_speed`
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "it measures, and says what it measured")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use base::Seqno;
use kv::{Blob, Kind, NoHistory, Store, TableId, Tables};

const ROWS: u64 = 1_000_000;
const ROWS_A_BATCH: u64 = 1_000;
const BATCHES: u64 = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tables = Tables::new();
    let table = tables.add("rows", Kind::State)?;
    let mut store = Store::new(Arc::new(tables), Arc::new(NoHistory));
    for batch in 0..ROWS / ROWS_A_BATCH {
        write(&mut store, table, batch, |n| batch * ROWS_A_BATCH + n);
    }

    let started = Instant::now();
    for n in 0..ROWS {
        black_box(store.head().get(table, &key(scattered(n)))?);
    }
    report("get", started, ROWS);

    let started = Instant::now();
    for batch in ROWS / ROWS_A_BATCH..ROWS / ROWS_A_BATCH + BATCHES {
        write(&mut store, table, batch, |n| scattered(batch * ROWS_A_BATCH + n));
    }
    report("put, finish, apply, commit", started, BATCHES * ROWS_A_BATCH);

    let started = Instant::now();
    for _ in 0..ROWS {
        black_box(store.snapshot());
    }
    report("snapshot", started, ROWS);
    Ok(())
}

/// One batch of one entry.
fn write(store: &mut Store, table: TableId, batch: u64, number: impl Fn(u64) -> u64) {
    let mut tx = store.tx();
    for n in 0..ROWS_A_BATCH {
        tx.put(table, key(number(n)), [7; 64]);
    }
    let writes = tx.finish().writes;
    store.apply(Seqno(batch + 1), &writes);
    store.close();
    store.commit(Seqno(batch + 1));
}

/// As an account's key would be: 20 bytes that say nothing about their order.
fn key(number: u64) -> Blob {
    let mut key = [0; 20];
    key[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    key.into()
}

fn scattered(number: u64) -> u64 {
    number.wrapping_mul(0x2545_f491_4f6c_dd1d) % ROWS
}

fn report(what: &str, started: Instant, times: u64) {
    println!("{what}: {} ns", started.elapsed().as_nanos() / u128::from(times));
}
