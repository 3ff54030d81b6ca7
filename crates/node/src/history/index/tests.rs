//! The index against what was put into it, with groups of any size, and after all that can happen to it.

use std::collections::{BTreeMap, BTreeSet};

use kv::{Blob, Section};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// An index on disk, and what must be found in it.
struct Bench {
    dir: TempDir,
    tables: Arc<Tables>,
    rows: TableId,
    index: Option<Index>,
    /// What every entry carries.
    entries: BTreeMap<u64, BTreeSet<u8>>,
    /// Where batches end.
    ends: Vec<u64>,
    last: u64,
}

impl Bench {
    fn new() -> Self {
        let tables = Tables::new();
        let rows = tables.add("a.rows", Kind::History).unwrap();
        tables.add("a.state", Kind::State).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let tables = Arc::new(tables);
        let mut bench = Self { dir, tables, rows, index: None, entries: BTreeMap::new(), ends: Vec::new(), last: 0 };
        bench.reopen();
        bench
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("index")
    }

    fn reopen(&mut self) {
        // First the old one must go: it locks its folder.
        self.index = None;
        self.index = Some(Index::open(&self.path(), MacKey::new(b"key"), self.tables.clone()).unwrap());
    }

    fn index(&self) -> &Index {
        self.index.as_ref().unwrap()
    }

    /// A batch: entries with these terms, and a signature.
    fn batch(&mut self, entries: Vec<BTreeSet<u8>>) {
        let from = self.last;
        for terms in entries {
            self.last += 1;
            self.entries.insert(self.last, terms);
        }
        self.last += 1;
        self.ends.push(self.last);
        self.add(from);
    }

    /// Indexes the batches that end after `from`; the terms of an entry are the bytes of its row's value.
    fn add(&self, from: u64) {
        let writes = |seqno: &u64, terms: &BTreeSet<u8>| {
            let terms: Vec<u8> = terms.iter().copied().collect();
            let puts = vec![(Blob::from(&key(*seqno)[..]), Blob::from(&terms[..]))];
            WriteSet { sections: vec![Section { table: self.rows, puts, removes: Vec::new() }] }
        };
        let terms = |writes: &WriteSet, each: &mut dyn FnMut(TableId, &[u8])| {
            let section = &writes.sections[0];
            section.puts[0].1.iter().for_each(|term| each(section.table, &[*term; 5]));
        };
        let mut before = 0;
        for end in &self.ends {
            let entries = self.entries.range(before + 1..=*end);
            let entries: Vec<_> = entries.map(|(seqno, terms)| (Seqno(*seqno), writes(seqno, terms))).collect();
            if *end > from {
                self.index().add(&self.tables, &entries, Seqno(*end), terms).unwrap();
            }
            before = *end;
        }
    }

    fn write_group(&self) {
        let index = self.index();
        index.finish(&mut index.adding().writing, |_| true).unwrap();
        self.write_full();
        index.store.write().fill();
        self.write_full();
    }

    /// A group is full, and nobody writes it yet.
    fn fill(&self) {
        self.index().store.write().fill();
    }

    fn write_full(&self) {
        let store = &self.index().store;
        if store.read().full.is_some() {
            let group = store.write_group().unwrap();
            drop(store.write().written(group));
        }
    }

    fn wanted(&self, groups: &[Vec<u8>]) -> Wanted {
        let groups = groups.iter().map(|any| any.iter().map(|term| vec![*term; 5]).collect()).collect();
        Wanted { table: self.rows, groups }
    }

    /// All that is found, in as many calls as it takes, and the rows of the index that were looked for.
    fn find(&self, groups: &[Vec<u8>], from: u64, to: u64) -> (Vec<u64>, usize) {
        let (wanted, mut next, mut all, mut looked) = (self.wanted(groups), from, Vec::new(), 0);
        while next <= to {
            let (found, probes) = Search::new(&self.index().store, &wanted, Seqno(next), Seqno(to)).run().unwrap();
            looked += probes;
            if found.upto.0 < next {
                assert!(found.entries.is_empty() && next > self.index().indexed().0);
                break;
            }
            assert!(found.entries.iter().all(|seqno| (next..=found.upto.0).contains(&seqno.0)));
            all.extend(found.entries.iter().map(|seqno| seqno.0));
            next = found.upto.0 + 1;
        }
        (all, looked)
    }

    /// Nothing is missed, and what is too much is rare enough to be looked at.
    fn check(&self, groups: &[Vec<u8>], from: u64, to: u64) {
        let meets = |terms: &BTreeSet<u8>| groups.iter().all(|any| any.iter().any(|term| terms.contains(term)));
        let range = self.entries.range(from..=to);
        let expected: Vec<u64> = range.filter(|(_, terms)| meets(terms)).map(|(seqno, _)| *seqno).collect();
        let (found, _) = self.find(groups, from, to);
        assert!(found.is_sorted_by(|a, b| a < b));
        // A list that is much longer than the others is not read, so some may be named in vain; but one group is exact.
        let missed: Vec<_> = expected.iter().filter(|seqno| !found.contains(seqno)).collect();
        assert!(missed.is_empty(), "missed {missed:?}");
        if groups.len() == 1 {
            assert_eq!(found, expected);
        }
    }

    fn check_rows(&self) {
        for seqno in self.entries.keys() {
            let found = self.index().row(self.rows, &key(*seqno)).unwrap();
            assert_eq!(found, Some(Seqno(*seqno)));
        }
        assert_eq!(self.index().row(self.rows, b"none").unwrap(), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_was_put_in_is_found(
        batches in prop::collection::vec(
            (prop::collection::vec(prop::collection::btree_set(0u8..12, 0..5), 0..40), 0u8..9), 1..20),
        questions in prop::collection::vec(
            (prop::collection::vec(prop::collection::vec(0u8..14, 1..3), 1..4), 1u64..500, 0u64..500), 1..20),
    ) {
        let mut bench = Bench::new();
        for (entries, then) in batches {
            bench.batch(entries);
            match then {
                0 | 1 => bench.write_group(),
                2 => {
                    // A crash: what is fresh is lost, and comes again from the ledger.
                    bench.reopen();
                    let indexed = bench.index().indexed().0;
                    prop_assert!(indexed <= bench.last);
                    bench.add(indexed);
                }
                // Entries that are there already are left alone.
                3 => bench.add(0),
                4 => bench.fill(),
                _ => {}
            }
        }
        for (groups, from, length) in questions {
            bench.check(&groups, from, from + length);
        }
        bench.check_rows();
    }
}

/// The key of an entry's row.
fn key(seqno: u64) -> Vec<u8> {
    [&seqno.to_be_bytes()[..], b"key of a row"].concat()
}

fn terms(terms: &[u8]) -> BTreeSet<u8> {
    terms.iter().copied().collect()
}

#[test]
fn a_rare_term_costs_a_look_a_group_however_common_the_others_are() {
    let mut bench = Bench::new();
    for group in 0..10 {
        bench.batch(
            (0..2_000).map(|at| if group == 7 && at == 5 { terms(&[1, 2, 9]) } else { terms(&[1, 2]) }).collect(),
        );
        bench.write_group();
    }
    let (found, looked) = bench.find(&[vec![1], vec![2], vec![9]], 1, bench.last);
    assert_eq!(found, [7 * 2_001 + 6]);
    // Three in the first group and in the one that has it, and where it is gone again; else only the rare one.
    assert!(looked <= 10 + 3 * 2, "{looked}");
    // A common one is read in several calls, each bounded.
    let (found, _) = bench.find(&[vec![1]], 1, bench.last);
    assert_eq!(found.len(), 20_000);
    let one = bench.index().find(&bench.wanted(&[vec![1]]), Seqno(1), Seqno(bench.last)).unwrap();
    assert_eq!((one.entries.len(), one.upto), (1_024, *one.entries.last().unwrap()));
}

#[test]
fn many_alternatives_are_looked_for_in_several_calls() {
    let mut bench = Bench::new();
    for _ in 0..40 {
        bench.batch(vec![terms(&[1])]);
        bench.write_group();
    }
    let wanted =
        Wanted { table: bench.rows, groups: vec![(0..1_000u32).map(|term| term.to_be_bytes().to_vec()).collect()] };
    let (found, probes) = Search::new(&bench.index().store, &wanted, Seqno(1), Seqno(bench.last)).run().unwrap();
    assert!(probes <= 5_000 && found.upto > Seqno(0) && found.upto < Seqno(bench.last), "{probes} {found:?}");
}

#[test]
fn an_index_of_another_version_is_built_anew_and_a_lost_one_too() {
    let mut bench = Bench::new();
    bench.batch(vec![terms(&[1]), terms(&[2])]);
    bench.write_group();
    bench.reopen();
    assert_eq!(bench.index().indexed(), Seqno(3));
    bench.index().store.groups.insert(VERSION_KEY, b"1").unwrap();
    bench.reopen();
    assert_eq!(bench.index().indexed(), Seqno(0));
    bench.add(0);
    bench.check(&[vec![1]], 1, 9);
    bench.check_rows();
    bench.write_group();

    bench.index = None;
    std::fs::remove_dir_all(bench.path()).unwrap();
    // The first version had one keyspace and no marker.
    {
        let database = Database::builder(bench.path()).open().unwrap();
        let rows = database.keyspace("rows", KeyspaceCreateOptions::default).unwrap();
        rows.insert(b"indexed", 3u64.to_le_bytes()).unwrap();
    }
    bench.reopen();
    assert_eq!(bench.index().indexed(), Seqno(0));
    bench.add(0);
    bench.check_rows();
}

#[test]
fn a_group_that_was_written_and_not_noted_is_written_again() {
    let mut bench = Bench::new();
    bench.batch(vec![terms(&[1]), terms(&[1, 2])]);
    bench.write_group();
    // As after a crash of the machine between the two.
    bench.index().store.groups.remove(Seqno(1).0.to_be_bytes()).unwrap();
    bench.reopen();
    assert_eq!(bench.index().indexed(), Seqno(0));
    bench.add(0);
    bench.batch(vec![terms(&[2])]);
    bench.write_group();
    bench.reopen();
    bench.check(&[vec![1], vec![2]], 1, 9);
    bench.check(&[vec![2]], 1, 9);
    bench.check_rows();
}

#[test]
fn a_full_group_is_written_and_a_small_one_is_not_when_the_node_stops() {
    let mut bench = Bench::new();
    bench.batch(vec![terms(&[1])]);
    bench.index().close().unwrap();
    bench.reopen();
    assert_eq!(bench.index().indexed(), Seqno(0));
    bench.add(0);
    let many = FRESH_BYTES_MAX / 40 + 1;
    bench.batch(vec![BTreeSet::new(); many]);
    bench.reopen();
    assert_eq!(bench.index().indexed(), Seqno(bench.last));
}

#[test]
fn what_is_added_while_a_group_is_written_is_found_with_it() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.batch(vec![terms(&[1]); 50]);
        bench.fill();
        bench.batch(vec![terms(&[1, 2]); 50]);
        bench.check(&[vec![1]], 1, bench.last);
        bench.check(&[vec![1], vec![2]], 20, bench.last - 20);
        bench.check_rows();
        bench.write_full();
        bench.check(&[vec![1]], 1, bench.last);
        bench.check_rows();
    }
    // What is only in memory goes with the process.
    let last = bench.last;
    bench.reopen();
    assert!(bench.index().indexed() < Seqno(last));
    bench.add(bench.index().indexed().0);
    bench.check(&[vec![2]], 1, last);
}

#[test]
fn what_would_leave_a_gap_is_refused() {
    let mut bench = Bench::new();
    bench.batch(vec![terms(&[1])]);
    let after = [(Seqno(4), WriteSet::default())];
    let refused = bench.index().add(&bench.tables, &after, Seqno(5), |_, _| {});
    assert!(matches!(refused, Err(IndexError::Gap { indexed: Seqno(2), next: Seqno(4) })));
}

#[test]
fn nothing_on_disk_says_what_it_is_about() {
    let mut bench = Bench::new();
    bench.batch(vec![terms(&[0x5a]); 100]);
    bench.write_group();
    bench.index = None;
    let mut left = vec![bench.path()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        assert!(!has(&[0x5a; 5]) && !has(&key(5)) && !has(&[1; 20]), "{}", path.display());
    }
}
