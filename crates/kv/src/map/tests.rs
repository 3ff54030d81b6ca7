//! The map against the standard library's, and its nodes against what they promise.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Model = BTreeMap<Vec<u8>, u64>;

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<u8>),
    Remove(Vec<u8>),
    /// Many keys that ascend, or go away again, from one on.
    Rise(u16, u8),
    Fall(u16, u8),
    Keep,
}

/// Short and long keys, many of which agree in their first bytes, and one that is the beginning of others.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        any::<u8>().prop_map(|byte| [&[7; 30][..], &[byte]].concat()),
        any::<u16>().prop_map(|short| short.to_be_bytes().to_vec()),
        Just(Vec::new()),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => key().prop_map(Step::Put),
        3 => key().prop_map(Step::Remove),
        1 => any::<(u16, u8)>().prop_map(|(from, count)| Step::Rise(from, count)),
        1 => any::<(u16, u8)>().prop_map(|(from, count)| Step::Fall(from, count)),
        1 => Just(Step::Keep),
    ]
}

fn run(from: u16, count: u8) -> impl Iterator<Item = Vec<u8>> {
    (0..u16::from(count)).map(move |step| from.wrapping_add(step).to_be_bytes().to_vec())
}

fn all(map: &Map) -> Vec<(Vec<u8>, u64)> {
    let rows = map.range(Bound::Unbounded, Bound::Unbounded);
    rows.map(|(key, row)| (key.to_vec(), row.version.0)).collect()
}

/// Sizes are within their bounds, keys ascend and part the children, and all leaves are equally deep. Returns how deep.
fn check(node: &Node, low: Option<&Blob>, high: Option<&Blob>) -> usize {
    let ascend = |keys: &[Blob]| {
        assert!(keys.is_sorted_by(|a, b| a < b));
        assert!(keys.first().is_none_or(|key| low.is_none_or(|low| low <= key)));
        assert!(keys.last().is_none_or(|key| high.is_none_or(|high| key < high)));
    };
    match node {
        Node::Leaf(leaf) => {
            let keys = keys_of(leaf);
            ascend(keys);
            assert!(keys.len() == leaf.slice.len() && (1..=ROWS_MAX).contains(&keys.len()));
            1
        }
        Node::Branch(branch) => {
            let keys = keys_of(branch);
            ascend(keys);
            assert!(keys.len() + 1 == branch.slice.len() && (2..=CHILDREN_MAX).contains(&branch.slice.len()));
            let lows = std::iter::once(low).chain(keys.iter().map(Some));
            let highs = keys.iter().map(Some).chain([high]);
            let depths = branch.slice.iter().zip(lows.zip(highs)).map(|(child, (low, high))| check(child, low, high));
            let depths: Vec<usize> = depths.collect();
            assert!(depths.iter().all(|depth| *depth == depths[0]));
            depths[0] + 1
        }
    }
}

fn whole(map: &Map, model: &Model) {
    assert_eq!(map.len(), model.len());
    assert_eq!(all(map), model.iter().map(|(key, version)| (key.clone(), *version)).collect::<Vec<_>>());
    if let Some(root) = &map.root {
        check(root, None, None);
    }
}

proptest! {
    #[test]
    fn every_version_is_as_a_copy_of_it_would_be(
        steps in prop::collection::vec(step(), 1..80),
        bounds in prop::collection::vec((key(), key(), 0..9u8), 1..20),
    ) {
        let (mut map, mut model) = (Map::default(), Model::new());
        let mut kept: Vec<(Map, Model)> = Vec::new();
        let mut version = 0;
        for step in steps {
            let (puts, removes): (Vec<_>, Vec<_>) = match step {
                Step::Put(key) => (vec![key], vec![]),
                Step::Remove(key) => (vec![], vec![key]),
                Step::Rise(from, count) => (run(from, count).collect(), vec![]),
                Step::Fall(from, count) => (vec![], run(from, count).collect()),
                Step::Keep => {
                    kept.push((map.clone(), model.clone()));
                    continue;
                }
            };
            let keys: Vec<Blob> = puts.iter().map(|key| key[..].into()).collect();
            map.read_ahead(keys.iter().collect());
            whole(&map, &model);
            for key in puts {
                version += 1;
                map.insert(key[..].into(), Row { version: Seqno(version), value: key[..].into() });
                model.insert(key, version);
            }
            for key in removes {
                map.remove(&key);
                model.remove(&key);
            }
            whole(&map, &model);
        }
        kept.push((map, model));
        for (map, model) in &kept {
            whole(map, model);
            for (from, to, kinds) in &bounds {
                let bound = |kind, key| match kind {
                    0 => Bound::Unbounded,
                    1 => Bound::Included(key),
                    _ => Bound::Excluded(key),
                };
                let (start, end) = (bound(kinds % 3, &from[..]), bound(kinds / 3, &to[..]));
                let inside = |key: &[u8]| (match start {
                    Bound::Unbounded => true,
                    Bound::Included(start) => start <= key,
                    Bound::Excluded(start) => start < key,
                }) && match end {
                    Bound::Unbounded => true,
                    Bound::Included(end) => key <= end,
                    Bound::Excluded(end) => key < end,
                };
                let expected: Vec<u64> = model.iter().filter(|(key, _)| inside(key)).map(|(_, version)| *version).collect();
                let found: Vec<u64> = map.range(start, end).map(|(_, row)| row.version.0).collect();
                prop_assert_eq!(&found, &expected);
                let mut back: Vec<u64> = map.range(start, end).rev().map(|(_, row)| row.version.0).collect();
                back.reverse();
                prop_assert_eq!(&back, &expected);
                // From both ends at once.
                let mut range = map.range(start, end);
                let mut left = expected.len();
                while let Some((key, row)) = if left.is_multiple_of(3) { range.next_back() } else { range.next() } {
                    prop_assert_eq!(map.get(key).unwrap().version, row.version);
                    left -= 1;
                }
                prop_assert_eq!(left, 0);
                prop_assert_eq!(map.get(from).map(|row| row.version.0), model.get(from).copied());
            }
        }
    }
}

#[test]
fn keys_that_only_ascend_fill_their_leaves() {
    let mut map = Map::default();
    for number in 0..10_000u64 {
        map.insert(number.to_be_bytes().into(), Row { version: Seqno(number), value: [0; 8].into() });
    }
    let mut leaves = 0;
    fn count(node: &Node, leaves: &mut usize) {
        match node {
            Node::Leaf(_) => *leaves += 1,
            Node::Branch(branch) => branch.slice.iter().for_each(|child| count(child, leaves)),
        }
    }
    count(map.root.as_ref().unwrap(), &mut leaves);
    assert!(leaves <= 10_000 / ROWS_MAX + 1, "{leaves}");
    for number in 0..10_000u64 {
        map.remove(&number.to_be_bytes());
    }
    assert!(map.len() == 0 && map.root.is_none());
}
