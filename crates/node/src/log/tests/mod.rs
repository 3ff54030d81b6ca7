//! The log against a model, on a disk that forgets.

pub mod disk;
mod world;

use std::ops::Range;

use proptest::prelude::*;

use base::{Seqno, View};
use consensus::{Append, Content, Entry, Index, Write, WriteNumber};
use ledger::Directory;

use super::record::{Record, Seed};
use super::replay::Replay;
use super::{LogError, Places};
use disk::ForgetfulDisk;
use world::{Change, World, open};

#[derive(Clone, Debug)]
enum Step {
    Write(Change),
    Sync,
    Commit(usize),
    /// The ledger is durable so much further than what is committed here: it came from a peer.
    Ahead(u8),
    Compact,
    Crash(u64),
    /// The process ends, and the system goes on.
    Kill,
    /// The n-th writing call from here on fails; the node stops there and starts again.
    Fail(u32, u64),
}

fn change() -> impl Strategy<Value = Change> {
    let restart = prop_oneof![20 => Just(None), 1 => (0..20u8).prop_map(Some)];
    (prop_oneof![3 => Just(0), 1 => 0..12usize], prop::collection::vec(0..40u8, 0..5), any::<bool>(), restart)
        .prop_map(|(back, lengths, vote, restart)| Change { back, lengths, vote, restart })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => change().prop_map(Step::Write),
        8 => Just(Step::Sync),
        4 => (0..8usize).prop_map(Step::Commit),
        1 => (0..200u8).prop_map(Step::Ahead),
        2 => Just(Step::Compact),
        1 => any::<u64>().prop_map(Step::Crash),
        1 => Just(Step::Kill),
        1 => (0..6u32, any::<u64>()).prop_map(|(calls, seed)| Step::Fail(calls, seed)),
    ]
}

/// Runs steps, and a crash at the end.
fn run(world: &mut World, steps: &[Step]) {
    run_on(world, steps);
    world.crash(0);
}

/// Runs steps; where one fails, the log must be dead from there on, and the node starts again.
fn run_on(world: &mut World, steps: &[Step]) {
    let mut seed_after_failure = 0;
    for step in steps {
        let outcome = match step {
            Step::Write(change) => world.write(change),
            Step::Sync => world.sync(),
            Step::Commit(entries) => world.commit(*entries),
            Step::Ahead(far) => {
                world.ahead(*far);
                Ok(())
            }
            Step::Compact => world.compact(),
            Step::Crash(seed) => {
                world.crash(*seed);
                Ok(())
            }
            Step::Kill => {
                world.kill();
                Ok(())
            }
            Step::Fail(calls, seed) => {
                seed_after_failure = *seed;
                world.disk.fail_in(Some(*calls));
                Ok(())
            }
        };
        if let Err(error) = outcome {
            assert!(matches!(error, LogError::Io { .. }), "{error}");
            world.disk.fail_in(None);
            assert!(matches!(world.log.sync(), Err(LogError::Dead)), "after a failed write nothing is acknowledged");
            assert!(matches!(
                world.log.compact(base::Seqno(u64::MAX), consensus::Index(u64::MAX)),
                Err(LogError::Dead)
            ));
            // What failed may be told to the process alone.
            if seed_after_failure % 2 == 1 { world.kill() } else { world.crash(seed_after_failure) }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_was_synced_is_lost(steps in prop::collection::vec(step(), 0..80)) {
        run(&mut World::new(), &steps);
    }
}

fn append(lengths: &[u8]) -> Step {
    Step::Write(Change { back: 0, lengths: lengths.to_vec(), vote: false, restart: None })
}

fn overwrite(back: usize, lengths: &[u8]) -> Step {
    Step::Write(Change { back, lengths: lengths.to_vec(), vote: true, restart: None })
}

/// Several segments, with an overwritten tail, a compaction and a new start in them.
fn script() -> Vec<Step> {
    let mut steps = Vec::new();
    for round in 0..6 {
        steps.extend([append(&[30, 0, 20]), Step::Sync, append(&[100]), overwrite(2, &[35, 35]), Step::Sync]);
        steps.extend([Step::Commit(2), Step::Compact, append(&[90, 1, 90, 90]), Step::Sync]);
        if round == 3 {
            steps.push(Step::Write(Change { back: 0, lengths: vec![5], vote: true, restart: Some(3) }));
            steps.push(Step::Sync);
        }
    }
    steps
}

#[test]
fn any_single_write_may_fail() {
    for calls in 0.. {
        let mut world = World::new();
        let steps: Vec<Step> = [Step::Fail(calls, u64::from(calls))].into_iter().chain(script()).collect();
        run(&mut world, &steps);
        world.disk.fail_in(Some(0));
        if world.sync().is_ok() || calls > 500 {
            panic!("the disk must fail when told to");
        }
        // Past the script's last call nothing failed any more.
        if calls > 150 {
            break;
        }
    }
}

#[test]
fn a_tail_that_was_overwritten_may_leave_with_its_segment() {
    let mut world = World::new();
    // The first segment fills with entries of which the later ones are never committed …
    let mut steps = vec![append(&[100]), append(&[100]), append(&[100]), append(&[100]), Step::Sync, Step::Commit(1)];
    // … the next one goes back behind its own beginning, and is committed as far as the first one ever reached.
    steps.extend([overwrite(3, &[200, 100, 5, 5]), Step::Sync, Step::Commit(3), Step::Compact]);
    steps.extend([append(&[50]), Step::Sync, Step::Crash(1)]);
    run(&mut world, &steps);
    assert_eq!(world.disk.names().first().map(String::as_str), Some("segment_2"), "the first segment is gone");
}

/// A log of a few segments, all synced, with one more write in the last.
fn written() -> ForgetfulDisk {
    let mut world = World::new();
    for length in [60, 70, 80, 90, 100, 110] {
        world.write(&Change { back: 0, lengths: vec![length, 0, length], vote: true, restart: None }).unwrap();
        world.sync().unwrap();
    }
    for length in [20, 30] {
        world.write(&Change { back: 0, lengths: vec![length], vote: true, restart: None }).unwrap();
        world.sync().unwrap();
    }
    assert!(world.disk.names().len() > 2);
    world.disk
}

/// Where the first record of a segment ends, and the last one.
fn records(name: &str, content: Vec<u8>) -> Range<usize> {
    let number = super::number_of(name).unwrap();
    let first = Record::read(Seed::opening(number), &content.clone().into()).unwrap().length;
    let read = Replay::default().segment(number, content, true, &world::seqno_of);
    let read = read.unwrap_or_else(|_| panic!("{name} is whole"));
    first..usize::try_from(read.whole).unwrap()
}

fn entries(disk: ForgetfulDisk) -> Result<usize, LogError> {
    open(disk).map(|found| found.entries.len())
}

#[test]
fn the_last_write_may_end_at_any_byte() {
    let disk = written();
    let all = entries(disk.clone()).unwrap();
    let name = disk.names().pop().unwrap();
    let content = disk.content(&name);
    let mut fewest = all;
    // It has its first record since it has its name.
    assert!(matches!(entries(disk.with(&name, content[..10].to_vec())), Err(LogError::Damaged { .. })));
    let first = records(&name, content[..].into()).start;
    for cut in first..=content.len() {
        let torn = disk.with(&name, content[..cut].to_vec());
        let found = open(torn.clone()).unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        fewest = fewest.min(found.entries.len());
        // What is written next is read back.
        drop(found);
        assert_eq!(entries(torn.clone()).unwrap(), entries(torn).unwrap());
    }
    assert!(fewest >= all - 2, "only what is in the cut segment can be gone");
}

#[test]
fn a_flipped_bit_in_what_was_synced_is_damage() {
    let disk = written();
    let all = entries(disk.clone()).unwrap();
    let names = disk.names();
    for name in &names {
        let content = disk.content(name);
        // What is behind them is of an earlier use, or nothing.
        for bit in 0..records(name, content.clone()).end * 8 {
            let mut flipped = content.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = entries(disk.with(name, flipped));
            // The last write of all cannot be told from a torn one: nothing after it says that it was synced.
            let last = Some(name) == names.last() && matches!(found, Ok(left) if left + 1 >= all);
            assert!(found.is_err() || last, "{name} bit {bit}: {found:?}");
        }
    }
}

#[test]
fn a_segment_that_is_missing_or_is_another_is_found() {
    let disk = written();
    let names = disk.names();
    for middle in &names[1..names.len() - 1] {
        assert!(matches!(entries(disk.without(middle)), Err(LogError::Gap { .. })));
        assert!(entries(disk.with(middle, disk.content(&names[0]))).is_err());
        assert!(entries(disk.with(middle, Vec::new())).is_err());
    }
}

#[test]
fn what_a_crash_left_behind_a_torn_record_is_not_what_follows() {
    let mut world = World::new();
    let one = |length| Change { back: 0, lengths: vec![length], vote: false, restart: None };
    world.write(&one(20)).unwrap();
    world.sync().unwrap();
    let name = world.disk.names().pop().unwrap();
    let torn = records(&name, world.disk.content(&name)).end;
    world.write(&one(30)).unwrap();
    world.write(&one(40)).unwrap();
    // Of two writes before a crash the disk has the second one and half of the first.
    let mut content = world.disk.content(&name);
    content[torn + 20] ^= 1;
    let disk = world.disk.with(&name, content);
    let mut found = open(disk.clone()).unwrap();
    assert_eq!(found.entries.len(), 1);
    let data = [2u64.to_le_bytes().as_slice(), &[7; 22]].concat();
    let entry = Entry { index: Index(2), view: View(3), content: Content::batch(data.into()) };
    let append = Some(Append { truncate_from: None, entries: vec![entry] });
    let write = Write { number: WriteNumber(1), membership: None, restart: None, append, hard_state: None };
    found.log.write(&write, &Places { seqnos: vec![Seqno(50)], ..Places::default() }).unwrap();
    found.log.sync().unwrap();
    assert_eq!(entries(disk).unwrap(), 2, "what nobody acknowledged came back");
}

#[test]
fn files_are_used_again() {
    let mut world = World::new();
    let mut of_earlier_use = 0;
    for _ in 0..40 {
        run_on(&mut world, &[append(&[120, 120, 120]), Step::Sync, Step::Commit(3), Step::Compact]);
        assert!(world.disk.list().unwrap().len() <= 3, "{:?}", world.disk.list());
        let newest = world.disk.names().pop().unwrap();
        of_earlier_use += usize::from(world.disk.content(&newest).len() as u64 > world::SEGMENT_BYTES);
    }
    assert!(of_earlier_use >= 38, "{of_earlier_use} of 40 new segments");
}
