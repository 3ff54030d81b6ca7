//! How long questions about old logs and transactions take: a ledger of one transaction a block, each with a log as an
//! ERC-20 transfer leaves it, asked over JSON-RPC.
//!
//! `cargo run --release -p coco-node --example old_logs [BLOCKS]`; a million by default.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for whoever measures")]

#[path = "../tests/history/chain.rs"]
mod chain;

use std::path::Path;
use std::time::Instant;

use chain::{Chain, address_of, log, topic_of};
use serde_json::{Value, json};

/// Accounts that send to each other.
const ACCOUNTS: u64 = 100_000;
const TOKEN: u64 = 1 << 40;
const RARE: u64 = 2 << 40;
const TRANSFER: u64 = 3 << 40;
/// Blocks in a batch: signatures take longer than all else here.
const BATCH: u64 = 100;

fn main() {
    let blocks: u64 = std::env::args().nth(1).map_or(1_000_000, |blocks| blocks.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut chain = Chain::open(dir.path());
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let mut hashes = Vec::new();
    for number in 1..=blocks {
        let account = |salt: u64| number.wrapping_mul(salt) % ACCOUNTS;
        let mut logs = vec![log(TOKEN, &[TRANSFER, account(7_919), account(104_729)])];
        if number % (blocks / 10) == 0 {
            logs.push(log(RARE, &[]));
        }
        hashes.extend(chain.block(vec![logs]).into_iter().filter(|_| number % (blocks / 10) == 1));
        if number % BATCH == 0 || number == blocks {
            chain.close(true);
        }
    }
    chain.publish();
    let (took, cpu) = (begun.elapsed(), cpu_seconds() - cpu);
    println!("{blocks} blocks made and indexed in {took:.1?}, {:.1} µs of CPU each", cpu * 1e6 / blocks as f64);
    for part in ["ledger", "index"] {
        println!("{part}: {:.1} bytes a transaction", bytes_in(&dir.path().join(part)) as f64 / blocks as f64);
    }
    chain.work();
    let all = |filter: Value| {
        let mut filter = filter;
        filter["fromBlock"] = json!("0x0");
        json!([filter])
    };
    let rare = all(json!({"address": address_of(RARE)}));
    let account = all(json!({"address": address_of(TOKEN), "topics": [topic_of(TRANSFER), topic_of(4_711)]}));
    let nothing = all(json!({"address": address_of(TOKEN), "topics": [topic_of(TRANSFER), topic_of(ACCOUNTS + 1)]}));
    for round in ["first time", "again"] {
        time(&chain, &format!("logs of a rare address, {round}"), "eth_getLogs", &rare);
        time(&chain, &format!("a common address with a rare topic, {round}"), "eth_getLogs", &account);
        time(&chain, &format!("a topic that nothing has, {round}"), "eth_getLogs", &nothing);
        for hash in hashes.iter().take(3) {
            time(&chain, &format!("a transaction by hash, {round}"), "eth_getTransactionByHash", &json!([hash]));
        }
    }
    chain.stop();
}

fn time(chain: &Chain, what: &str, method: &str, params: &Value) {
    let begun = Instant::now();
    let answer = chain.ask(method, params);
    let took = begun.elapsed();
    let [rows, entries, finds] = chain.work();
    let found = answer.as_array().map_or(1, Vec::len);
    println!(
        "{what}: {took:.2?}, {found} found, {rows} rows and {entries} entries read, {finds} questions to the index"
    );
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

fn bytes_in(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = std::fs::read_dir(path).unwrap().map(Result::unwrap);
    let bytes = |entry: std::fs::DirEntry| match entry.file_type().unwrap().is_dir() {
        true => bytes_in(&entry.path()),
        false => entry.metadata().unwrap().blocks() * 512,
    };
    entries.map(bytes).sum()
}
