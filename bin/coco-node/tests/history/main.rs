//! Logs and transactions out of a real ledger file through its index, over JSON-RPC: what is found is what a look at every
//! block finds, whatever became of the index.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

mod chain;

use std::path::Path;

use alloy_primitives::{B256, Log};
use chain::{Chain, address_of, log, topic_of};
use serde_json::{Value, json};

/// A log and where it is: block, transaction hash, index in the block.
type Placed = (u64, B256, u64, Log);

/// Numbers that look like chance and are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn log(&mut self) -> Log {
        let count = self.below(5);
        let topics: Vec<u64> = (0..count).map(|_| self.below(6)).collect();
        log(self.below(5), &topics)
    }
}

/// Adds blocks with logs by chance, several transactions each, and notes what is in them.
fn grow(chain: &mut Chain, dice: &mut Dice, blocks: u64, keep: impl Fn(u64) -> bool, all: &mut Vec<Placed>) {
    for at in 0..blocks {
        let transactions: Vec<Vec<Log>> =
            (0..dice.below(4)).map(|_| (0..dice.below(4)).map(|_| dice.log()).collect()).collect();
        let hashes = chain.block(transactions.clone());
        let logs = hashes.iter().zip(&transactions).flat_map(|(hash, logs)| logs.iter().map(move |log| (*hash, log)));
        all.extend((0..).zip(logs).map(|(index, (hash, log))| (chain.number, hash, index, log.clone())));
        chain.close(keep(at));
    }
    chain.publish();
}

/// A filter by chance, and which logs it is for.
fn question(dice: &mut Dice, head: u64) -> (Value, impl Fn(&Placed) -> bool) {
    let from = 1 + dice.below(head);
    let to = from + dice.below(head + 1 - from);
    let some = |dice: &mut Dice, end| (0..dice.below(3)).map(|_| dice.below(end)).collect::<Vec<u64>>();
    let addresses = some(dice, 6);
    let topics: Vec<Vec<u64>> = (0..dice.below(4)).map(|_| some(dice, 7)).collect();
    let named: Vec<_> = addresses.iter().map(|number| address_of(*number)).collect();
    let positions: Vec<Vec<B256>> =
        topics.iter().map(|any| any.iter().map(|topic| topic_of(*topic)).collect()).collect();
    let shown: Vec<Value> = positions.iter().map(|any| if any.is_empty() { Value::Null } else { json!(any) }).collect();
    let filter = json!({
        "fromBlock": format!("{from:#x}"), "toBlock": format!("{to:#x}"), "address": named, "topics": shown,
    });
    let matches = move |(number, _, _, log): &Placed| {
        (from..=to).contains(number)
            && (named.is_empty() || named.contains(&log.address))
            && positions.len() <= log.topics().len()
            && positions.iter().zip(log.topics()).all(|(any, topic)| any.is_empty() || any.contains(topic))
    };
    (filter, matches)
}

fn check(chain: &Chain, dice: &mut Dice, all: &[Placed]) {
    for _ in 0..150 {
        let (filter, matches) = question(dice, chain.number);
        let expected = all.iter().filter(|log| matches(log)).map(|(block, hash, index, _)| (*block, *hash, *index));
        let expected: Vec<_> = expected.collect();
        let number = |value: &Value| u64::from_str_radix(&value.as_str().unwrap()[2..], 16).unwrap();
        let found = chain.ask("eth_getLogs", &json!([filter]));
        let found: Vec<_> = (found.as_array().unwrap().iter())
            .map(|log| {
                let hash = log["transactionHash"].as_str().unwrap().parse().unwrap();
                (number(&log["blockNumber"]), hash, number(&log["logIndex"]))
            })
            .collect();
        assert_eq!(found, expected, "{filter}");
    }
}

fn remove_index(dir: &Path) {
    std::fs::remove_dir_all(dir.join("index")).unwrap();
}

#[test]
fn logs_are_those_that_a_look_at_every_block_finds() {
    let dir = tempfile::tempdir().unwrap();
    let (mut dice, mut all) = (Dice(0x9e37_79b9_7f4a_7c15), Vec::new());
    let mut chain = Chain::open(dir.path());
    // The keeper is behind now and then, and at the end: the newest blocks are in no file and in no index.
    grow(&mut chain, &mut dice, 200, |at| at % 7 == 0, &mut all);
    check(&chain, &mut dice, &all);
    grow(&mut chain, &mut dice, 50, |_| true, &mut all);
    check(&chain, &mut dice, &all);

    // A crash: what the index had in memory is lost.
    drop(chain);
    let mut chain = Chain::open(dir.path());
    grow(&mut chain, &mut dice, 20, |_| true, &mut all);
    check(&chain, &mut dice, &all);

    // A stop in good order, and the index is lost.
    chain.stop();
    remove_index(dir.path());
    let mut chain = Chain::open(dir.path());
    chain.publish();
    check(&chain, &mut dice, &all);
    for (number, hash, ..) in &all {
        let found = chain.ask("eth_getTransactionByHash", &json!([hash]));
        assert_eq!(found["blockNumber"], format!("{number:#x}"));
    }
}

#[test]
fn a_question_costs_what_it_finds_and_not_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut chain = Chain::open(dir.path());
    let mut hash = B256::ZERO;
    for number in 1..=3_000u64 {
        let mut logs = vec![log(1, &[1, number % 50])];
        if number % 1_000 == 0 {
            logs.push(log(2, &[1]));
        }
        hash = chain.block(vec![logs])[0];
        if number % 100 == 0 {
            chain.close(true);
        }
    }
    chain.publish();
    chain.work();
    let range = |filter: Value| {
        let mut filter = filter;
        filter["fromBlock"] = json!("0x1");
        json!([filter])
    };
    // Three entries and their blocks, and the first block to know where to begin.
    let found = chain.ask("eth_getLogs", &range(json!({"address": address_of(2)})));
    assert_eq!(found.as_array().unwrap().len(), 3);
    let [rows, entries, finds] = chain.work();
    assert!(entries == 3 && finds == 1 && rows <= 8, "{rows} rows, {entries} entries, {finds} questions");
    // A common address with a topic that is rare.
    let filter = json!({"address": address_of(1), "topics": [topic_of(1), topic_of(7)]});
    assert_eq!(chain.ask("eth_getLogs", &range(filter)).as_array().unwrap().len(), 60);
    let [rows, entries, finds] = chain.work();
    assert!(entries == 60 && finds == 1 && rows <= 65, "{rows} rows, {entries} entries, {finds} questions");
    // Nothing at all.
    assert_eq!(chain.ask("eth_getLogs", &range(json!({"address": address_of(9)}))), json!([]));
    assert_eq!(chain.work()[1], 0);
    chain.ask("eth_getTransactionByHash", &json!([hash]));
    assert!(chain.work()[0] <= 2);
}
