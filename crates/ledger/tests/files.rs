//! The ledger directory of a node, on a disk that forgets and tears.
#![expect(clippy::unwrap_used, reason = "a test stops at the first failure")]

#[path = "sample/memory.rs"]
mod memory;
mod sample;

use base::{Digest, Seqno, TxId};
use bytes::Bytes;
use ledger::{Files, FilesError, Head, LedgerKeys, RawEntry, check_batch};
use memory::Memory;
use sample::{Sample, keys};

const CHUNK: u64 = 4 << 10;
/// So large that it stays open.
const LARGE: u64 = 1 << 20;

fn open(directory: &Memory) -> (Files<Memory>, Head, u64) {
    open_with(directory, CHUNK)
}

fn open_with(directory: &Memory, chunk_bytes: u64) -> (Files<Memory>, Head, u64) {
    let (files, recovered) = Files::open_with(directory.clone(), Some(&keys()), chunk_bytes).unwrap();
    (files, recovered.head, recovered.cut_bytes)
}

/// `count` batches of a few entries, with where the ledger stands after each.
fn batches(count: u64) -> Vec<(Vec<u8>, Head)> {
    let mut sample = Sample::new(false);
    (0..count)
        .map(|batch| {
            if batch == 0 {
                sample.genesis();
            }
            (0..=batch % 3).for_each(|entry| sample.transaction(batch * 3 + entry, 150));
            (sample.close(), sample.head.clone())
        })
        .collect()
}

fn filled(batches: &[(Vec<u8>, Head)]) -> (Memory, Files<Memory>) {
    let directory = Memory::default();
    let (files, head, _) = open(&directory);
    assert_eq!(head, Head::new());
    batches.iter().for_each(|(batch, _)| files.append(batch).unwrap());
    (directory, files)
}

#[test]
fn what_was_appended_is_read_back() {
    let batches = batches(20);
    let (directory, files) = filled(&batches);
    assert!(directory.names().len() > 3, "{:?}", directory.names());
    let check = |files: &Files<Memory>| {
        assert_eq!(files.end(), batches[19].1.seqno());
        let mut head = Head::new();
        for (batch, after) in &batches {
            let checked = check_batch(&head, batch, None).unwrap();
            for entry in &checked.entries {
                assert_eq!(files.read(entry.txid.seqno).unwrap(), batch[entry.start..entry.end]);
            }
            head = checked.head;
            assert_eq!(head, *after);
        }
        for (at, (_, before)) in batches.iter().enumerate() {
            let rest: Vec<Bytes> = files.batches(before.seqno().next()).map(Result::unwrap).collect();
            assert!(rest.iter().eq(batches[at + 1..].iter().map(|(batch, _)| batch)));
        }
    };
    check(&files);
    let (again, head, cut) = open(&directory);
    assert_eq!((head, cut), (batches[19].1.clone(), 0));
    check(&again);
    for absent in [0, files.end().0 + 1, u64::MAX] {
        assert!(matches!(files.read(Seqno(absent)), Err(FilesError::Unknown { .. })), "{absent}");
    }
}

#[test]
fn every_signature_says_where_the_ledger_stood() {
    let mut sample = Sample::new(false);
    sample.genesis();
    let mut batch = || {
        sample.transaction(1, 150);
        (sample.close(), sample.head.clone())
    };
    let batches: Vec<_> = (0..20).map(|_| batch()).collect();
    let service = sample.signer.service.public();
    let (_, files) = filled(&batches);
    let other = LedgerKeys::new(&crypto::Secret::random().unwrap()).unwrap();
    let stranger = crypto::KeyPair::generate().unwrap();
    for (_, head) in &batches {
        let seqno = head.seqno();
        assert_eq!(files.head_at(seqno, &keys(), Some(service)).unwrap(), *head);
        assert!(matches!(files.head_at(seqno, &keys(), Some(stranger.public())), Err(FilesError::Corrupt { .. })));
        assert!(matches!(files.head_at(seqno, &other, Some(service)), Err(FilesError::Corrupt { .. })));
        // The one before is none.
        assert!(matches!(files.head_at(Seqno(seqno.0 - 1), &keys(), Some(service)), Err(FilesError::Corrupt { .. })));
    }
    assert!(matches!(files.head_at(Seqno(files.end().0 + 1), &keys(), Some(service)), Err(FilesError::Unknown { .. })));
    let bytes: Vec<u64> = (0..=files.end().0).map(|seqno| files.bytes_behind(Seqno(seqno))).collect();
    assert!(bytes.is_sorted_by(|before, after| before >= after) && bytes.last() == Some(&0), "{bytes:?}");
    let all: u64 = batches.iter().map(|(batch, _)| batch.len() as u64).sum();
    assert!(bytes[0] <= all && bytes[0] > all / 2, "{} of {all}", bytes[0]);
}

#[test]
fn borders_of_chunks_do_not_depend_on_how_batches_come() {
    let batches = batches(20);
    let (one_by_one, _) = filled(&batches);
    let at_once = Memory::default();
    open(&at_once).0.append(&batches.iter().flat_map(|(batch, _)| batch.clone()).collect::<Vec<_>>()).unwrap();
    assert_eq!(one_by_one.names(), at_once.names());
    for name in one_by_one.names() {
        assert_eq!(one_by_one.content(&name), at_once.content(&name));
    }
}

#[test]
fn a_torn_tail_is_cut_back_to_the_last_whole_signature() {
    let batches = batches(6);
    let before = [vec![0; 8], batches[..5].iter().flat_map(|(batch, _)| batch.clone()).collect()].concat();
    let whole = [before.clone(), batches[5].0.clone()].concat();
    for len in before.len()..whole.len() {
        let torn = Memory::default();
        torn.set("ledger_1", whole[..len].to_vec());
        let (files, head, cut) = open_with(&torn, LARGE);
        assert_eq!((head, cut), (batches[4].1.clone(), (len - before.len()) as u64), "cut at {len}");
        assert_eq!(torn.content("ledger_1"), before);
        files.append(&batches[5].0).unwrap();
        assert_eq!(files.end(), batches[5].1.seqno());
    }
}

#[test]
fn a_chunk_that_was_only_begun_is_begun_again() {
    let batches = batches(1);
    for len in 0..=8 {
        let torn = Memory::default();
        torn.set("ledger_1", vec![0; len]);
        let (files, head, _) = open(&torn);
        assert_eq!(head, Head::new());
        files.append(&batches[0].0).unwrap();
        assert_eq!(torn.content("ledger_1"), [vec![0; 8], batches[0].0.clone()].concat());
    }
}

#[test]
fn pages_that_never_reached_the_disk_are_noticed() {
    let batches = batches(6);
    let before = [vec![0; 8], batches[..5].iter().flat_map(|(batch, _)| batch.clone()).collect()].concat();
    let whole = [before.clone(), batches[5].0.clone()].concat();
    // The file has its length, but somewhere in its new part there are zeros: every place, every size.
    for start in before.len()..whole.len() {
        for len in [1, 16, 512] {
            let mut content = whole.clone();
            let end = (start + len).min(whole.len());
            content[start..end].fill(0);
            if content == whole {
                continue;
            }
            let torn = Memory::default();
            torn.set("ledger_1", content);
            let (_, head, cut) = open_with(&torn, LARGE);
            assert_eq!((head, cut), (batches[4].1.clone(), batches[5].0.len() as u64), "zeros at {start}");
        }
    }
}

#[test]
fn a_crash_keeps_what_was_synced() {
    let batches = batches(20);
    for synced in 0..batches.len() {
        let (directory, files) = filled(&batches[..synced]);
        assert_eq!(files.sync().unwrap(), files.end());
        let durable = files.durable();
        batches[synced..].iter().for_each(|(batch, _)| files.append(batch).unwrap());
        let (again, head, _) = open(&directory.crashed());
        assert!(again.end() >= durable);
        assert!(head.seqno() == Seqno(0) || batches.iter().any(|(_, known)| *known == head));
        let next = batches.iter().position(|(_, known)| *known == head).map_or(0, |at| at + 1);
        batches[next..].iter().for_each(|(batch, _)| again.append(batch).unwrap());
        assert_eq!(again.end(), files.end());
    }
}

#[test]
fn a_chunk_whose_closing_was_torn_is_closed_again() {
    let batches = batches(20);
    let (directory, _) = filled(&batches);
    let closed = directory.names().into_iter().find(|name| name.starts_with("ledger_1-")).unwrap();
    let content = directory.content(&closed);
    let table = u64::from_le_bytes(content[..8].try_into().unwrap()) as usize;
    for len in table..=content.len() {
        for header in [content[..8].to_vec(), vec![0; 8]] {
            let torn = Memory::default();
            torn.set("ledger_1", [&header, &content[8..len]].concat());
            let (files, head, _) = open(&torn);
            assert!(batches.iter().any(|(_, known)| *known == head));
            assert_eq!(torn.names(), [closed.as_str()]);
            assert_eq!(torn.content(&closed), content);
            assert_eq!(files.end(), head.seqno());
        }
    }
}

#[test]
fn a_broken_position_table_is_found_out_and_walked_around() {
    let batches = batches(20);
    let (directory, files) = filled(&batches);
    let closed = directory.names().into_iter().find(|name| name.starts_with("ledger_1-")).unwrap();
    let good = directory.content(&closed);
    let table = u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    for at in (0..8).chain(table..good.len()) {
        let bad = directory.copy();
        let mut content = good.clone();
        content[at] ^= 0x10;
        bad.set(&closed, content);
        let (again, ..) = open(&bad);
        for seqno in 1..5 {
            // Either the right entry or an error; never another one.
            if let Ok(read) = again.read(Seqno(seqno)) {
                assert_eq!(read, files.read(Seqno(seqno)).unwrap());
            }
        }
    }
}

#[test]
fn a_full_disk_stops_the_handle_and_loses_nothing() {
    let batches = batches(6);
    let (directory, files) = filled(&batches[..5]);
    files.sync().unwrap();
    directory.fill(batches[5].0.len() / 2);
    assert!(matches!(files.append(&batches[5].0), Err(FilesError::Io { .. })));
    let dead = files.append(&batches[5].0).unwrap_err().to_string();
    assert!(dead.contains("an earlier write"), "{dead}");
    assert!(matches!(files.sync(), Err(FilesError::Dead(_))));
    assert_eq!(files.read(Seqno(1)).unwrap(), open(&directory.copy()).0.read(Seqno(1)).unwrap());
    let (_, head, cut) = open(&directory.crashed());
    assert_eq!((head, cut), (batches[4].1.clone(), 0));
}

#[test]
fn only_the_next_batch_can_be_appended() {
    let batches = batches(3);
    let (_, files) = filled(&batches[..1]);
    assert!(matches!(files.append(&batches[2].0), Err(FilesError::NotNext { .. })));
    assert!(matches!(files.append(&batches[0].0), Err(FilesError::NotNext { .. })));
    let entries = check_batch(&batches[0].1, &batches[1].0, None).unwrap().entries;
    assert!(matches!(files.append(&batches[1].0[..entries[0].end]), Err(FilesError::Corrupt { .. })));
    // None of this wrote anything, so the handle lives.
    files.append(&batches[1].0).unwrap();
    assert_eq!(files.end(), batches[1].1.seqno());
}

#[test]
fn a_gap_in_the_directory_is_refused() {
    let batches = batches(20);
    let (directory, _) = filled(&batches);
    let closed: Vec<_> = directory.names().into_iter().filter(|name| name.ends_with(".committed")).collect();
    let content = directory.content(&closed[0]);
    let gap = Memory::default();
    for name in directory.names().into_iter().filter(|name| *name != closed[0]) {
        gap.set(&name, directory.content(&name));
    }
    assert!(matches!(Files::open_with(gap, None, CHUNK), Err(FilesError::Gap(_))));
    let two = directory.copy();
    two.set("ledger_1", content);
    assert!(matches!(Files::open_with(two, None, CHUNK), Err(FilesError::Gap(_))));
}

#[test]
fn readers_and_the_writer_do_not_disturb_each_other() {
    let batches = batches(200);
    let directory = tempfile::tempdir().unwrap();
    let (files, _) = Files::open_with(ledger::Disk::open(directory.path()).unwrap(), None, CHUNK).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (batch, _) in &batches {
                files.append(batch).unwrap();
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let mut seen = Seqno(0);
                while seen < batches[199].1.seqno() {
                    let end = files.end();
                    for seqno in (seen.0 + 1)..=end.0 {
                        let bytes = files.read(Seqno(seqno)).unwrap();
                        assert_eq!(RawEntry::parse(&bytes).unwrap().txid, TxId::new(2, seqno));
                    }
                    seen = end;
                }
            });
        }
    });
    files.sync().unwrap();
    let report = ledger::verify(directory.path(), Some(&keys()), |_| ()).unwrap();
    assert_eq!((report.last.seqno, report.signatures), (files.end(), 200));
    assert!(batches[0].1.frontier().root() != Digest::ZERO);
}

#[test]
fn a_chunk_is_found_by_an_entry_and_by_its_name() {
    let batches = batches(20);
    let (directory, files) = filled(&batches);
    let end = files.end();
    for seqno in 1..=end.0 {
        let chunk = files.chunk_with(Seqno(seqno)).unwrap();
        assert_eq!(files.chunk_named(&chunk.name), Some(chunk.clone()));
        let bytes = directory.content(&chunk.name);
        assert!(chunk.grown_to.is_none_or(|grown| grown == bytes.len() as u64), "all of it is committed");
        let mut numbers = chunk.name.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse::<u64>().ok());
        let (first, last) = (numbers.next().unwrap(), numbers.next().unwrap_or(end.0));
        assert!((first..=last).contains(&seqno), "{seqno} is not in {}", chunk.name);
    }
    for absent in [0, end.0 + 1, u64::MAX] {
        assert_eq!(files.chunk_with(Seqno(absent)), None);
    }
    for absent in ["", "ledger_2", "ledger_1-2.committed", "../ledger_1", "ledger_1/..", "ledger_01"] {
        assert_eq!(files.chunk_named(absent), None, "{absent}");
    }
    let (empty, ..) = open(&Memory::default());
    assert_eq!((empty.chunk_with(Seqno(1)), empty.chunk_named("ledger_1")), (None, None), "it has no file yet");
}

/// Whoever has nothing takes every chunk; the last one before it is closed, and again when it has grown.
#[test]
fn a_ledger_that_is_taken_over_chunk_by_chunk_is_the_same_byte_for_byte() {
    let mut sample = Sample::new(false);
    sample.genesis();
    let mut batch = |entries: u64| {
        (0..entries).for_each(|entry| sample.transaction(entry, 150));
        sample.close()
    };
    let batches: Vec<Vec<u8>> = (0..60).map(|number| batch(number % 3 + 1)).collect();
    let service = sample.signer.service.public();
    let directory = Memory::default();
    let (giver, ..) = open(&directory);
    let taken = Memory::default();
    let (taker, mut head, _) = open(&taken);
    for (number, batch) in batches.iter().enumerate() {
        giver.append(batch).unwrap();
        if number % 7 != 0 && number + 1 != batches.len() {
            continue;
        }
        while let Some(chunk) = giver.chunk_with(head.seqno().next()) {
            let bytes = directory.content(&chunk.name);
            head = taker.take_over(&head, &chunk.name, &bytes, &keys(), service).unwrap();
            // Twice is as good as once.
            assert_eq!(taker.take_over(&head, &chunk.name, &bytes, &keys(), service).unwrap(), head);
        }
        assert_eq!((head.seqno(), taker.end()), (giver.end(), giver.end()));
    }
    assert_eq!(directory.names(), taken.names());
    for name in directory.names() {
        assert_eq!(directory.content(&name), taken.content(&name), "{name}");
    }
}

#[test]
fn of_a_chunk_that_is_not_as_the_service_signed_it_nothing_is_taken() {
    let mut sample = Sample::new(false);
    sample.genesis();
    sample.transaction(1, 150);
    let (first, begun) = (sample.close(), sample.head.clone());
    sample.transaction(2, 150);
    sample.transaction(3, 150);
    let second = sample.close();
    let service = sample.signer.service.public();
    let chunk = [&[0; 8][..], &first, &second].concat();
    let fresh = || {
        let (files, head, _) = open_with(&Memory::default(), LARGE);
        (files, head)
    };
    let refused = |chunk: &[u8], why: &str| {
        let (files, head) = fresh();
        let taken = files.take_over(&head, "ledger_1", chunk, &keys(), service);
        assert!(matches!(taken, Err(FilesError::Corrupt { .. })), "{why}: {taken:?}");
        assert_eq!(files.end(), Seqno(0), "{why}");
    };
    // The first eight bytes may say anything: where the entries end is seen.
    for bit in 64..chunk.len() * 8 {
        let mut bad = chunk.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        refused(&bad, &format!("bit {bit} of {}", chunk.len() * 8));
    }
    for length in 9..chunk.len() {
        if length != 8 + first.len() {
            refused(&chunk[..length], &format!("{length} of {} bytes", chunk.len()));
        }
    }
    refused(&[&chunk[..], &first].concat(), "it goes back");
    refused(&[&[0; 8][..], &second].concat(), "it begins too late");
    let stranger = crypto::KeyPair::generate().unwrap();
    let (files, head) = fresh();
    assert!(files.take_over(&head, "ledger_1", &chunk, &keys(), stranger.public()).is_err());
    let other = LedgerKeys::new(&crypto::Secret::random().unwrap()).unwrap();
    assert!(files.take_over(&head, "ledger_1", &chunk, &other, service).is_err());
    assert!(files.take_over(&head, "ledger_1", &[], &keys(), service).is_err());
    // A part that ends at a signature is as good as the whole.
    let head = files.take_over(&head, "ledger_1", &chunk[..8 + first.len()], &keys(), service).unwrap();
    assert_eq!(head, begun);
    assert_eq!(files.take_over(&head, "ledger_1", &chunk, &keys(), service).unwrap(), sample.head);
}

/// Borders follow from the entries alone, wherever they come from.
#[test]
fn a_chunk_ends_with_the_batch_that_members_want_it_to_end_with() {
    let mut sample = Sample::new(false);
    sample.genesis();
    let mut heads = Vec::new();
    let mut batches: Vec<Vec<u8>> = Vec::new();
    for number in 0..9 {
        sample.transaction(number, 100);
        match number {
            3 | 7 => {
                sample.write(&[(ledger::tables::LEDGER_FILES, ledger::tables::CHUNK_WANTED, Some(b"{}"))], Digest::ZERO)
            }
            5 => sample.write(&[(ledger::tables::LEDGER_FILES, b"snapshot", Some(b"{}"))], Digest::ZERO),
            _ => {}
        }
        sample.transaction(number + 100, 100);
        batches.push(sample.close());
        heads.push(sample.head.seqno());
    }
    let directory = Memory::default();
    let (files, ..) = open_with(&directory, LARGE);
    batches.iter().for_each(|batch| files.append(batch).unwrap());
    let expected = [
        format!("ledger_1-{}.committed", heads[3]),
        format!("ledger_{}-{}.committed", heads[3].next(), heads[7]),
        format!("ledger_{}", heads[7].next()),
    ];
    assert_eq!(directory.names(), expected);
    // From another node's chunks it is the same.
    let taken = Memory::default();
    let (taker, mut head, _) = open_with(&taken, LARGE);
    while let Some(chunk) = files.chunk_with(head.seqno().next()) {
        let bytes = directory.content(&chunk.name);
        head = taker.take_over(&head, &chunk.name, &bytes, &keys(), sample.signer.service.public()).unwrap();
    }
    assert_eq!(taken.names(), expected);
    // And after a crash between the batch and the end of its chunk.
    let torn = Memory::default();
    let (unfinished, ..) = open_with(&torn, LARGE);
    batches[..3].iter().for_each(|batch| unfinished.append(batch).unwrap());
    ledger::Directory::write(&torn, "ledger_1", torn.content("ledger_1").len() as u64, &batches[3]).unwrap();
    let (again, ..) = open_with(&torn, LARGE);
    assert_eq!((torn.names(), again.end()), (vec![expected[0].clone()], heads[3]));
    batches[4..].iter().for_each(|batch| again.append(batch).unwrap());
    assert_eq!(torn.names(), expected);
}
