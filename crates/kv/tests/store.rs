//! The store against a simple model: a whole copy of every version.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

mod history;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use base::Seqno;
use base::limits::VERSIONS_KEPT;
use history::Shelf;
use kv::{Blob, Kind, Section, State, Store, TableId, Tables, WriteSet};
use proptest::prelude::*;

/// What an entry does to the state table; its history row is the entry's own number.
#[derive(Clone, Debug)]
enum Write {
    Put(u8, u8),
    Remove(u8),
}

#[derive(Clone, Debug)]
enum Step {
    /// One entry, and whether it writes a history row.
    Entry(Vec<Write>, bool),
    Close,
    /// Commits this many of the closed batches.
    Commit(usize),
    /// Goes back to where the head was this many batches ago.
    Rollback(usize),
    /// What is committed is on disk now, but for the newest entries.
    Forget(u64),
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![3 => (0..12u8, any::<u8>()).prop_map(|(key, value)| Write::Put(key, value)),
                1 => (0..12u8).prop_map(Write::Remove)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (prop::collection::vec(write(), 0..6), any::<bool>()).prop_map(|(writes, row)| Step::Entry(writes, row)),
        4 => Just(Step::Close),
        3 => (0..4usize).prop_map(Step::Commit),
        1 => (0..4usize).prop_map(Step::Rollback),
        2 => (0..4u64).prop_map(Step::Forget),
    ]
}

/// All there is to know about one version.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Version {
    seqno: u64,
    rows: BTreeMap<u8, u8>,
    /// History: key → value.
    past: BTreeMap<u64, u8>,
}

struct World {
    tables: (TableId, TableId),
    shelf: Arc<Shelf>,
    store: Store,
    head: Version,
    closed: Vec<Version>,
    committed: Vec<Version>,
    /// Every entry that is not rolled back, in order, for the shelf.
    entries: Vec<(Seqno, WriteSet)>,
    forgotten: u64,
    rounds: u8,
}

fn tables() -> (Tables, (TableId, TableId)) {
    let tables = Tables::new();
    let ids = (tables.add("rows", Kind::State).unwrap(), tables.add("past", Kind::History).unwrap());
    (tables, ids)
}

impl World {
    fn new(archive: bool) -> Self {
        let (registry, tables) = tables();
        let shelf = Shelf::new();
        let store = Store::new(Arc::new(registry), shelf.clone());
        let store = if archive { store.archive() } else { store };
        let committed = vec![Version::default()];
        let head = Version::default();
        Self { tables, shelf, store, head, closed: Vec::new(), committed, entries: Vec::new(), forgotten: 0, rounds: 0 }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Entry(writes, row) => self.entry(writes, *row),
            Step::Close => {
                if self.closed.last().unwrap_or(&self.committed[self.committed.len() - 1]).seqno < self.head.seqno {
                    self.store.close();
                    self.closed.push(self.head.clone());
                }
            }
            Step::Commit(batches) => {
                let batches = (*batches).min(self.closed.len());
                let Some(last) = batches.checked_sub(1).map(|last| self.closed[last].seqno) else { return };
                self.committed.extend(self.closed.drain(..batches));
                let snapshot = self.store.commit(Seqno(last));
                assert_eq!(snapshot.seqno(), Seqno(last));
            }
            Step::Rollback(batches) => {
                self.closed.truncate(self.closed.len().saturating_sub(*batches));
                self.head = self.closed.last().or(self.committed.last()).unwrap().clone();
                self.store.rollback(Seqno(self.head.seqno));
                self.entries.retain(|(seqno, _)| seqno.0 <= self.head.seqno);
            }
            Step::Forget(short) => {
                let upto = self.committed.last().unwrap().seqno.saturating_sub(*short);
                for (seqno, writes) in self.entries.iter().filter(|(seqno, _)| seqno.0 <= upto) {
                    self.shelf.keep(self.tables.1, *seqno, writes);
                }
                self.store.forget_history(Seqno(upto));
                self.forgotten = self.forgotten.max(upto);
            }
        }
    }

    fn entry(&mut self, writes: &[Write], row: bool) {
        self.rounds = self.rounds.wrapping_add(1);
        let (rows, past) = self.tables;
        let mut tx = self.store.tx();
        self.head.seqno += 1;
        for write in writes {
            match *write {
                Write::Put(key, value) => {
                    tx.put(rows, vec![key], vec![value]);
                    self.head.rows.insert(key, value);
                }
                Write::Remove(key) => {
                    tx.remove(rows, vec![key]);
                    self.head.rows.remove(&key);
                }
            }
        }
        if row {
            // A key that was rolled back may come again with another value.
            tx.put(past, self.head.seqno.to_be_bytes().to_vec(), vec![self.rounds]);
            self.head.past.insert(self.head.seqno, self.rounds);
        }
        let writes = tx.finish().writes;
        self.store.apply(Seqno(self.head.seqno), &writes);
        self.entries.push((Seqno(self.head.seqno), writes));
    }

    fn check(&self) {
        self.same(self.store.head(), &self.head);
        let newest = self.committed.last().unwrap();
        self.same(self.store.committed(), newest);
        let snapshot = self.store.snapshot();
        let oldest = self.committed.len().saturating_sub(VERSIONS_KEPT);
        for seqno in 0..=newest.seqno + 1 {
            let after = self.committed.partition_point(|version| version.seqno <= seqno);
            let expected = after.checked_sub(1).filter(|place| *place >= oldest).map(|place| &self.committed[place]);
            match (snapshot.at(Seqno(seqno)), expected) {
                (Some(found), Some(expected)) => self.same(found, expected),
                (None, None) => {}
                (found, expected) => {
                    panic!("at {seqno}: {:?}, expected {expected:?}", found.map(|found| found.seqno()))
                }
            }
        }
        // What was forgotten is out of the head, for good: batch by batch, once the last row of a batch is.
        let ends = self.committed.iter().chain(&self.closed).map(|version| version.seqno);
        let ends: Vec<u64> = ends.chain([u64::MAX]).collect();
        let batches = ends.windows(2).map(|ends| self.head.past.range(ends[0] + 1..=ends[1]).map(|(seqno, _)| *seqno));
        let batches = batches.map(Iterator::collect::<Vec<u64>>);
        let kept = batches.filter(|rows| rows.last().is_some_and(|last| *last > self.forgotten));
        assert_eq!(self.store.head().len(self.tables.1), kept.map(|rows| rows.len()).sum::<usize>());
    }

    fn same(&self, state: &State, version: &Version) {
        let (rows, past) = self.tables;
        assert_eq!(state.seqno(), Seqno(version.seqno));
        let all: BTreeMap<u8, u8> = state
            .range::<(Bound<&[u8]>, Bound<&[u8]>)>(rows, (Bound::Unbounded, Bound::Unbounded))
            .map(|(key, value)| (key[0], value[0]))
            .collect();
        assert_eq!(all, version.rows);
        for seqno in 0..=self.head.seqno + 1 {
            let value = state.get(past, &seqno.to_be_bytes()).unwrap();
            assert_eq!(
                value.map(|value| value[0]),
                version.past.get(&seqno).copied(),
                "row {seqno} at {}",
                version.seqno
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_version_is_as_a_copy_of_it_would_be(steps in prop::collection::vec(step(), 0..60), archive: bool) {
        let mut world = World::new(archive);
        for step in &steps {
            world.step(step);
            world.check();
        }
    }
}

fn key(number: u64) -> Blob {
    number.to_be_bytes().to_vec().into()
}

/// One entry a batch, each with a new row of history and one of few rows of state.
fn run(store: &mut Store, shelf: &Shelf, (rows, past): (TableId, TableId), batches: u64, mut look: impl FnMut(&Store)) {
    for seqno in (1..=batches).map(Seqno) {
        let mut tx = store.tx();
        tx.put(rows, key(seqno.0 % 100), key(seqno.0));
        tx.put(past, key(seqno.0), vec![1; 100]);
        let writes = tx.finish().writes;
        store.apply(seqno, &writes);
        store.close();
        store.commit(seqno);
        shelf.keep(past, seqno, &writes);
        store.forget_history(seqno);
        look(store);
    }
}

#[test]
fn memory_grows_with_state_and_not_with_history() {
    let (registry, tables) = tables();
    let shelf = Shelf::new();
    let mut store = Store::new(Arc::new(registry), shelf.clone());
    let mut most = 0;
    run(&mut store, &shelf, tables, 20_000, |store| {
        assert_eq!(store.head().len(tables.1), 0);
        // What old versions still hold goes with them: each holds at most the row it was committed with.
        let snapshot = store.snapshot();
        most = most.max(
            (0..200)
                .filter_map(|ago| snapshot.at(Seqno(store.head().seqno().0.checked_sub(ago)?)))
                .map(|state| state.len(tables.1))
                .sum(),
        );
    });
    assert!(most <= VERSIONS_KEPT, "{most} history rows were in memory at once");
    assert_eq!(store.head().len(tables.0), 100);
    assert_eq!(store.head().get(tables.1, &key(1)).unwrap().unwrap()[..], [1; 100]);
}

#[test]
fn an_archive_keeps_every_version() {
    let (registry, tables) = tables();
    let shelf = Shelf::new();
    let mut store = Store::new(Arc::new(registry), shelf.clone()).archive();
    run(&mut store, &shelf, tables, 1_000, |_| {});
    let snapshot = store.snapshot();
    assert_eq!(snapshot.oldest(), Seqno(0));
    for seqno in 1..=1_000 {
        let then = snapshot.at(Seqno(seqno)).unwrap();
        assert_eq!(then.get(tables.0, &key(seqno % 100)).unwrap(), Some(key(seqno)));
        assert_eq!(then.get(tables.1, &key(seqno + 1)).unwrap(), None, "what came later is not part of it");
    }
}

#[test]
fn a_row_written_again_is_not_forgotten_with_the_first() {
    let (registry, (_, past)) = tables();
    let shelf = Shelf::new();
    let mut store = Store::new(Arc::new(registry), shelf.clone());
    for (seqno, value) in [(1, b"old"), (2, b"new")] {
        let mut tx = store.tx();
        tx.put(past, &b"k"[..], &value[..]);
        let writes = tx.finish().writes;
        store.apply(Seqno(seqno), &writes);
        store.close();
    }
    store.commit(Seqno(1));
    store.forget_history(Seqno(1));
    assert_eq!(store.head().get(past, b"k").unwrap().unwrap()[..], *b"new");
}

#[test]
fn two_versions_that_end_at_one_seqno_show_the_later_one() {
    let (registry, _) = tables();
    let mut store = Store::new(Arc::new(registry), Shelf::new());
    store.skip_to(Seqno(3));
    store.close();
    store.commit(Seqno(3));
    store.set_derived(0, Some(Arc::new("derived")));
    store.close();
    let snapshot = store.commit(Seqno(3));
    assert!(snapshot.at(Seqno(3)).unwrap().derived(0).is_some());
}

#[test]
fn a_batch_can_be_amended_until_it_is_committed() {
    let (registry, (rows, past)) = tables();
    let shelf = Shelf::new();
    let mut store = Store::new(Arc::new(registry), shelf.clone());
    let writes = |store: &Store, table, key: &[u8]| {
        let mut tx = store.tx();
        tx.put(table, key, &b"v"[..]);
        tx.finish().writes
    };
    let first = writes(&store, rows, b"a");
    store.apply(Seqno(1), &first);
    store.skip_to(Seqno(2));
    store.close();
    let next = writes(&store, past, b"next");
    store.apply(Seqno(3), &next);
    let late = writes(&store, past, b"late").then(writes(&store, rows, b"late"));
    store.amend(Seqno(2), Seqno(1), &late);
    assert_eq!((store.head().seqno(), store.head().len(rows), store.head().len(past)), (Seqno(3), 2, 2));
    let snapshot = store.commit(Seqno(2));
    assert!(snapshot.get(rows, b"late").unwrap().is_some() && snapshot.get(past, b"late").unwrap().is_some());
    // It leaves memory with its own entry, not with those that came before the amendment.
    shelf.keep(past, Seqno(1), &late);
    store.forget_history(Seqno(2));
    assert_eq!(store.head().len(past), 1);
    // What is committed or was rolled back is not amended any more.
    let never = writes(&store, rows, b"never");
    store.amend(Seqno(2), Seqno(1), &never);
    store.rollback(Seqno(2));
    store.amend(Seqno(3), Seqno(3), &never);
    assert_eq!(store.head().get(rows, b"never").unwrap(), None);
}

#[test]
fn of_two_write_sets_the_later_one_counts() {
    let (registry, (rows, past)) = tables();
    let store = Store::new(Arc::new(registry), Shelf::new());
    let set = |change: &dyn Fn(&mut kv::Tx<'_>)| {
        let mut tx = store.tx();
        change(&mut tx);
        tx.finish().writes
    };
    let earlier = set(&|tx| {
        tx.put(rows, &b"a"[..], &b"1"[..]);
        tx.put(rows, &b"c"[..], &b"1"[..]);
    });
    let later = set(&|tx| {
        tx.put(past, &b"p"[..], &b"1"[..]);
        tx.put(rows, &b"b"[..], &b"2"[..]);
        tx.put(rows, &b"c"[..], &b"2"[..]);
    });
    let both = set(&|tx| {
        for (key, value) in [(b"a", b"1"), (b"b", b"2"), (b"c", b"2")] {
            tx.put(rows, &key[..], &value[..]);
        }
        tx.put(past, &b"p"[..], &b"1"[..]);
    });
    assert!(earlier.then(later) == both);
}

/// More of them than are brought into the caches at once, and with rows that come and go.
#[test]
fn entries_applied_together_are_as_if_one_by_one() {
    let (tables, (state, history)) = tables();
    let tables = Arc::new(tables);
    let entries: Vec<(Seqno, WriteSet)> = (1..=300u64)
        .map(|seqno| {
            let state = Section {
                table: state,
                puts: (0..3).map(|row| ([(seqno * 7 + row * 40) as u8].into(), [seqno as u8].into())).collect(),
                removes: vec![[(seqno * 7 + 200) as u8].into()],
            };
            let history =
                Section { table: history, puts: vec![(seqno.to_be_bytes().into(), [1].into())], removes: vec![] };
            (Seqno(seqno), WriteSet { sections: vec![state, history] })
        })
        .collect();
    let mut together = State::new(tables.clone(), Shelf::new());
    together.apply_all(&entries);
    let mut alone = State::new(tables, Shelf::new());
    entries.iter().for_each(|(seqno, writes)| alone.apply(*seqno, writes));
    assert_eq!(together.seqno(), Seqno(300));
    assert!(together.len(state) > 100);
    let rows = |of: &State| -> Vec<(Blob, Blob, Option<Seqno>)> {
        let rows =
            of.range(state, ..).map(|(key, value)| (key.clone(), value.clone(), of.version(state, key).unwrap()));
        rows.collect()
    };
    assert_eq!(rows(&together), rows(&alone));
    assert_eq!(together.len(history), alone.len(history));
}
