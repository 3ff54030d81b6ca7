//! Transactions against a map with a stack of copies, and what recorded reads promise.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use base::{Digest, Seqno};
use kv::{Blob, Kind, NoHistory, Section, State, TableId, Tables, Tx, WriteSet};
use proptest::prelude::*;

type Rows = BTreeMap<(usize, Vec<u8>), u8>;
type Range = (Bound<Vec<u8>>, Bound<Vec<u8>>);

#[derive(Clone, Debug)]
enum Act {
    Put(usize, Vec<u8>, u8),
    Remove(usize, Vec<u8>),
    Get(usize, Vec<u8>),
    Range(usize, Range),
    Claims(u8),
    Savepoint,
    /// To one of the savepoints that still hold.
    Rollback(usize),
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    // Few keys, and some a prefix of others.
    prop::collection::vec(0..3u8, 0..3)
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![key().prop_map(Bound::Included), key().prop_map(Bound::Excluded), Just(Bound::Unbounded)]
}

fn act() -> impl Strategy<Value = Act> {
    let table = 0..2usize;
    prop_oneof![
        5 => (table.clone(), key(), any::<u8>()).prop_map(|(table, key, value)| Act::Put(table, key, value)),
        3 => (table.clone(), key()).prop_map(|(table, key)| Act::Remove(table, key)),
        2 => (table.clone(), key()).prop_map(|(table, key)| Act::Get(table, key)),
        2 => (table, bound(), bound()).prop_map(|(table, from, to)| Act::Range(table, (from, to))),
        1 => any::<u8>().prop_map(Act::Claims),
        2 => Just(Act::Savepoint),
        2 => (0..5usize).prop_map(Act::Rollback),
    ]
}

fn tables() -> (Arc<Tables>, [TableId; 2]) {
    let tables = Tables::new();
    let ids = [tables.add("a", Kind::State).unwrap(), tables.add("public:b", Kind::State).unwrap()];
    (Arc::new(tables), ids)
}

fn state_of(rows: &Rows) -> (State, [TableId; 2]) {
    let (tables, ids) = tables();
    let mut state = State::new(tables, Arc::new(NoHistory));
    for (place, ((table, key), value)) in rows.iter().enumerate() {
        let puts = vec![(Blob::from(&key[..]), Blob::from([*value]))];
        let section = Section { table: ids[*table], puts, removes: Vec::new() };
        state.apply(Seqno(place as u64 + 1), &WriteSet { sections: vec![section] });
    }
    (state, ids)
}

fn as_slices((from, to): &Range) -> (Bound<&[u8]>, Bound<&[u8]>) {
    (from.as_ref().map(|key| &key[..]), to.as_ref().map(|key| &key[..]))
}

fn within(range: &Range, key: &[u8]) -> bool {
    std::ops::RangeBounds::<[u8]>::contains(&as_slices(range), key)
}

fn rows_in(rows: &Rows, table: usize, range: &Range) -> Vec<(Vec<u8>, u8)> {
    let found = rows.iter().filter(|((of, key), _)| *of == table && within(range, key));
    found.map(|((_, key), value)| (key.clone(), *value)).collect()
}

fn collect<'a>(rows: impl Iterator<Item = (&'a Blob, &'a Blob)>) -> Vec<(Vec<u8>, u8)> {
    rows.map(|(key, value)| (key.to_vec(), value[0])).collect()
}

fn assert_canonical(writes: &WriteSet, before: &Rows, ids: [TableId; 2]) {
    assert!(writes.sections.is_sorted_by(|a, b| a.table < b.table));
    for Section { table, puts, removes } in &writes.sections {
        assert!(!puts.is_empty() || !removes.is_empty());
        assert!(puts.is_sorted_by(|(a, _), (b, _)| a < b));
        assert!(removes.is_sorted_by(|a, b| a < b));
        let place = ids.iter().position(|id| id == table).unwrap();
        for key in removes {
            assert!(!puts.iter().any(|(put, _)| put == key), "one key has one change");
            assert!(before.contains_key(&(place, key.to_vec())), "what is not there is not removed");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_transaction_reads_and_leaves_what_a_map_with_copies_would(
        before in prop::collection::btree_map((0..2usize, key()), any::<u8>(), 0..12),
        acts in prop::collection::vec(act(), 0..60),
    ) {
        let (state, ids) = state_of(&before);
        let mut tx = Tx::new(&state);
        let (mut rows, mut claims) = (before.clone(), Digest::ZERO);
        let mut savepoints = Vec::new();
        for act in acts {
            match act {
                Act::Put(table, key, value) => {
                    tx.put(ids[table], &key[..], vec![value]);
                    rows.insert((table, key), value);
                }
                Act::Remove(table, key) => {
                    tx.remove(ids[table], &key[..]);
                    rows.remove(&(table, key));
                }
                Act::Get(table, key) => {
                    let found = tx.get(ids[table], &key).unwrap();
                    prop_assert_eq!(found.map(|value| value[0]), rows.get(&(table, key)).copied());
                }
                Act::Range(table, range) => {
                    let found = collect(tx.range(ids[table], as_slices(&range)));
                    prop_assert_eq!(found, rows_in(&rows, table, &range));
                }
                Act::Claims(byte) => {
                    claims = Digest([byte; 32]);
                    tx.set_claims(claims);
                }
                Act::Savepoint => savepoints.push((tx.savepoint(), rows.clone(), claims)),
                Act::Rollback(place) => {
                    // Those taken after it are gone with it; it may be used again itself.
                    savepoints.truncate(place + 1);
                    if let Some((savepoint, then, claimed)) = savepoints.last() {
                        tx.rollback(*savepoint);
                        (rows, claims) = (then.clone(), *claimed);
                    }
                }
            }
        }
        let finished = tx.finish();
        prop_assert_eq!(finished.claims, claims);
        assert_canonical(&finished.writes, &before, ids);
        let mut after = state.clone();
        after.apply(Seqno(1_000), &finished.writes);
        for (table, id) in ids.into_iter().enumerate() {
            let all = (Bound::Unbounded, Bound::Unbounded);
            prop_assert_eq!(collect(after.range(id, as_slices(&all))), rows_in(&rows, table, &all));
        }
    }

    #[test]
    fn reads_that_hold_would_be_read_again_the_same(
        before in prop::collection::btree_map((0..2usize, key()), any::<u8>(), 0..12),
        reads in prop::collection::vec(act(), 0..8),
        later in prop::collection::vec(prop::collection::vec(act(), 0..4), 0..3),
    ) {
        let (state, ids) = state_of(&before);
        let read = |state: &State, recorded: Option<&mut kv::Reads>| {
            let mut tx = Tx::new(state).recording();
            let mut seen = Vec::new();
            for act in &reads {
                match act {
                    // Own writes hide what is underneath: these are no reads.
                    Act::Put(table, key, value) => tx.put(ids[*table], &key[..], vec![*value]),
                    Act::Remove(table, key) => tx.remove(ids[*table], &key[..]),
                    Act::Get(table, key) => {
                        let found = tx.get(ids[*table], key).unwrap();
                        seen.extend(found.map(|value| (key.clone(), value[0])));
                    }
                    Act::Range(table, range) => seen.extend(collect(tx.range(ids[*table], as_slices(range)))),
                    _ => {}
                }
            }
            let finished = tx.finish();
            if let Some(recorded) = recorded {
                *recorded = finished.reads;
            }
            seen
        };
        let mut recorded = kv::Reads::default();
        let seen = read(&state, Some(&mut recorded));
        prop_assert!(recorded.hold(&state).unwrap(), "nothing happened, so everything holds");
        let mut after = state.clone();
        for acts in &later {
            let mut tx = Tx::new(&after);
            for act in acts {
                match act {
                    Act::Put(table, key, value) => tx.put(ids[*table], &key[..], vec![*value]),
                    Act::Remove(table, key) => tx.remove(ids[*table], &key[..]),
                    _ => {}
                }
            }
            let (writes, seqno) = (tx.finish().writes, after.seqno().next());
            after.apply(seqno, &writes);
        }
        if recorded.hold(&after).unwrap() {
            prop_assert_eq!(read(&after, None), seen);
        }
        // A write of the same value is a write: it need not hold, but an untouched store must.
        if later.iter().flatten().all(|act| !matches!(act, Act::Put(..) | Act::Remove(..))) {
            prop_assert!(recorded.hold(&after).unwrap());
        }
    }
}

#[test]
fn a_reversed_range_is_empty_and_no_panic() {
    let (state, ids) = state_of(&BTreeMap::from([((0, vec![1]), 1), ((0, vec![2]), 2)]));
    let mut tx = Tx::new(&state).recording();
    tx.put(ids[0], vec![1, 1], vec![3]);
    for range in [
        (Bound::Included(vec![2]), Bound::Included(vec![1])),
        (Bound::Excluded(vec![1]), Bound::Excluded(vec![1])),
        (Bound::Excluded(vec![1]), Bound::Included(vec![1])),
    ] {
        assert_eq!(tx.range(ids[0], as_slices(&range)).count(), 0, "{range:?}");
        assert_eq!(state.range(ids[0], as_slices(&range)).count(), 0, "{range:?}");
    }
    assert!(tx.finish().reads.hold(&state).unwrap());
}

#[test]
fn a_preview_is_what_the_transaction_would_leave() {
    let rows = Rows::from([((0, vec![1]), 1), ((0, vec![2]), 2), ((1, vec![3]), 3)]);
    let (state, ids) = state_of(&rows);
    let mut tx = Tx::new(&state);
    assert_eq!(tx.preview().seqno(), state.seqno());
    tx.put(ids[0], &[1][..], [7]);
    tx.remove(ids[0], &[2][..]);
    tx.put(ids[1], &[4][..], [4]);
    let preview = tx.preview();
    tx.put(ids[1], &[5][..], [5]);
    let found = |table: TableId| preview.range(table, ..).map(|(key, value)| (key[0], value[0])).collect::<Vec<_>>();
    assert_eq!((found(ids[0]), found(ids[1])), (vec![(1, 7)], vec![(3, 3), (4, 4)]));
    assert_eq!(state.get(ids[0], &[1]).unwrap(), Some(Blob::from([1])));
    assert_eq!(state.version(ids[1], &[3]).unwrap(), Some(Seqno(3)));
    assert_eq!(state.version(ids[1], &[4]).unwrap(), None);
}
