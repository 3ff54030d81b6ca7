//! Entries and chunks of a ledger: from a disk, a peer, or somebody who wants an audit.

use std::sync::LazyLock;

use base::Digest;
use ledger::genesis::ServiceStatus;
use ledger::{Files, Head, LedgerKeys, RawEntry, check_batch, find_row, show, split};

use crate::input::{Input, pieces};
use crate::sample::{Sample, keys, tables};
use memory::Memory;

#[path = "../../crates/ledger/tests/sample/memory.rs"]
#[expect(dead_code, reason = "written for tests, and more than is needed here")]
mod memory;

thread_local! {
    static KEYS: LedgerKeys = keys();
}

/// A ledger's first batches, and where it stands after each.
static BATCHES: LazyLock<Vec<(Head, Vec<u8>)>> = LazyLock::new(|| {
    let mut sample = Sample::new(true);
    (0..3_u64)
        .map(|batch| {
            let before = sample.head.clone();
            match batch {
                0 => sample.genesis(),
                1 => sample.set_status(ServiceStatus::Open),
                _ => sample.node_comes_and_goes(),
            }
            (0..4).for_each(|entry| sample.transaction(batch * 4 + entry, 40));
            (before, sample.close())
        })
        .collect()
});

/// The first byte chooses: entries as they come, a batch on top of one of three heads, or tables that are sealed first.
pub fn entry(data: &[u8]) {
    let mut input = Input(data);
    match input.byte() % 5 {
        choice @ 0..3 => batch(&BATCHES[usize::from(choice)].0, input.0),
        3 => entries(input.0),
        _ => sealed(&mut input),
    }
}

fn batch(head: &Head, bytes: &[u8]) {
    entries(bytes);
    let Ok(checked) = check_batch(head, bytes, None) else { return };
    assert_eq!(checked.bytes(), bytes.len());
    assert_eq!(checked.head.seqno().0, head.seqno().0 + checked.entries.len() as u64);
    let ends = checked.entries.iter().map(|entry| entry.end);
    assert!(ends.is_sorted(), "entries follow each other");
}

fn entries(bytes: &[u8]) {
    let mut length = 0;
    for entry in split(bytes).take_while(Result::is_ok).flatten() {
        length += entry.bytes.len();
        one(&entry);
    }
    assert!(length <= bytes.len());
}

fn one(entry: &RawEntry<'_>) {
    let _ = entry.leaf();
    drop(show(entry, None).map(|shown| shown.to_string()));
    for section in entry.public().take_while(Result::is_ok).flatten() {
        assert!(section.puts().chain(section.removes().map(|key| (key, &[][..]))).count() <= entry.bytes.len());
    }
    KEYS.with(|keys| {
        drop(show(entry, Some(keys)).map(|shown| serde_json::to_string(&shown)));
        let opened = ledger::open(entry, &tables(), keys);
        let found = find_row(entry, "private.state", &[0; 8], keys);
        assert!(opened.is_err() || found.is_ok(), "an entry that opens can be looked through");
    });
}

/// Rows that a transaction writes: sealed, they open to the same.
fn sealed(input: &mut Input<'_>) {
    let mut sample = Sample::new(false);
    let mut rows = Vec::new();
    while !input.0.is_empty() && rows.len() < 64 {
        let table = ["private.state", "a.private.history", "public:app.state"][usize::from(input.byte() % 3)];
        let (removed, key) = (input.byte() & 1 == 1 && table != "a.private.history", input.piece());
        if rows.iter().all(|(other, taken, _)| (*other, *taken) != (table, key)) {
            rows.push((table, key, (!removed).then(|| input.piece())));
        }
    }
    if rows.is_empty() {
        return;
    }
    let writes = crate::sample::writes(&sample.tables, &rows);
    sample.write(&rows, Digest::ZERO);
    let batch = sample.close();
    let first = split(&batch).next().and_then(Result::ok).expect("it was just sealed");
    let opened = ledger::open(&first, &sample.tables, &sample.keys);
    assert!(opened.as_ref() == Ok(&writes), "what was sealed opens to the same");
    assert!(check_batch(&Head::new(), &batch, None).is_ok());
}

pub fn entry_seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> =
        (0_u8..).zip(BATCHES.iter()).map(|(choice, (_, batch))| [&[choice], &batch[..]].concat()).collect();
    seeds.push([&[3], &BATCHES[2].1[..]].concat());
    let rows = [pieces(0, &[], b""), pieces(2, &[b"value"], b"")].concat();
    seeds.push(pieces(4, &[b"\0\0", b"key", b"value"], &rows));
    seeds
}

/// A chunk that a node finds when it starts: it is taken, put right at its end, or refused.
pub fn chunk(data: &[u8]) {
    let mut input = Input(data);
    let choice = input.byte();
    let directory = Memory::default();
    let last = input.byte();
    let name = if choice & 1 == 0 { "ledger_1".to_owned() } else { format!("ledger_1-{last}.committed") };
    directory.set(&name, input.0.to_vec());
    let open = || KEYS.with(|keys| Files::open_with(directory.clone(), (choice & 2 != 0).then_some(keys), 16 << 10));
    let Ok((files, _)) = open() else { return };
    for number in 1..=files.end().0 {
        let read = files.read(base::Seqno(number));
        let seqno = read.ok().and_then(|bytes| RawEntry::parse(&bytes).ok().map(|entry| entry.txid.seqno.0));
        assert!(seqno.is_none_or(|seqno| seqno == number), "entry {number} has seqno {seqno:?}");
    }
    // What was put right stays right.
    let again = open().map(|(again, _)| again.end());
    assert_eq!(again.ok(), Some(files.end()));
}

pub fn chunk_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for chunk_bytes in [1 << 20, 1] {
        let directory = Memory::default();
        let (files, _) =
            KEYS.with(|keys| Files::open_with(directory.clone(), Some(keys), chunk_bytes)).expect("it is empty");
        BATCHES.iter().for_each(|(_, batch)| files.append(batch).expect("memory takes it"));
        files.sync().expect("memory takes it");
        for name in directory.names().into_iter().filter(|name| name.starts_with("ledger_1")) {
            let last =
                name.strip_prefix("ledger_1-").and_then(|rest| rest.strip_suffix(".committed")?.parse::<u8>().ok());
            let choice = 2 + u8::from(last.is_some());
            seeds.push([&[choice, last.unwrap_or(0)], &directory.content(&name)[..]].concat());
        }
    }
    seeds
}
