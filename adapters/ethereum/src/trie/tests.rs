//! The trie against the plain definition: alloy's root over all leaves, computed anew each time.

use std::collections::BTreeMap;

use alloy_primitives::{B256, U256, keccak256};
use alloy_trie::{HashBuilder, Nibbles, proof::verify_proof};
use proptest::prelude::*;

use super::{Key, Place, Trie, Value};

#[derive(Clone, Debug, PartialEq)]
struct Raw(Vec<u8>);

impl Value for Raw {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

/// A key that is its own path, so that paths can be chosen.
#[derive(Clone, PartialEq)]
struct Path(B256);

impl Key for Path {
    fn path(&self) -> B256 {
        self.0
    }
}

fn at(path: B256) -> Place<Path> {
    Place::of(Path(path))
}

fn reference(leaves: &BTreeMap<B256, Raw>) -> B256 {
    let mut builder = HashBuilder::default();
    for (key, value) in leaves {
        builder.add_leaf(Nibbles::unpack(key), &value.0);
    }
    builder.root()
}

/// Keys that share long prefixes, so that extensions, short nodes and collapses happen.
fn key() -> impl Strategy<Value = B256> {
    prop_oneof![
        any::<u8>().prop_map(|byte| B256::from(U256::from(byte))),
        any::<u16>().prop_map(|short| B256::from(U256::from(short) << 240)),
        (0u8..4, 0u8..4).prop_map(|(a, b)| B256::from(U256::from(a) << 200 | U256::from(b))),
        (0u8..20).prop_map(keccak),
    ]
}

fn keccak(byte: u8) -> B256 {
    keccak256([byte])
}

fn value() -> impl Strategy<Value = Raw> {
    prop_oneof![prop::collection::vec(any::<u8>(), 1..3), prop::collection::vec(any::<u8>(), 30..80)].prop_map(Raw)
}

proptest! {
    #[test]
    fn the_root_is_that_of_the_leaves_after_every_change(
        changes in prop::collection::vec((key(), prop::option::weighted(0.7, value())), 1..60),
    ) {
        let (mut trie, mut leaves) = (Trie::default(), BTreeMap::new());
        let mut older: Vec<(Trie<Path, Raw>, B256)> = Vec::new();
        for (place, (key, change)) in changes.into_iter().enumerate() {
            match change {
                Some(value) => {
                    trie.put(at(key), value.clone());
                    leaves.insert(key, value);
                }
                None => {
                    trie.remove(&at(key));
                    leaves.remove(&key);
                }
            }
            if place % 3 == 0 {
                let root = reference(&leaves);
                prop_assert_eq!(trie.root(), root);
                older.push((trie.clone(), root));
            }
        }
        prop_assert_eq!(trie.root_in_parallel(), reference(&leaves));
        let sorted: Vec<_> = leaves.iter().map(|(key, value)| (at(*key), value.clone())).collect();
        prop_assert_eq!(Trie::build(&sorted).root(), reference(&leaves));
        // What was a version stays one: nothing that came later touched it.
        for (version, root) in older {
            prop_assert_eq!(version.root(), root);
        }
    }

    #[test]
    fn proofs_convince_a_stranger(
        leaves in prop::collection::btree_map(key(), value(), 0..40), absent in key(),
    ) {
        let sorted: Vec<_> = leaves.iter().map(|(key, value)| (at(*key), value.clone())).collect();
        let trie = Trie::build(&sorted);
        let root = trie.root();
        for key in leaves.keys().chain([&absent]) {
            let expected = leaves.get(key).map(|value| value.0.clone());
            verify_proof(root, Nibbles::unpack(key), expected, &trie.proof(&at(*key))).unwrap();
        }
    }
}

#[test]
fn a_node_below_a_hash_costs_what_was_promised() {
    // Memory of a leaf: itself, and its share of branches (0.36 of one, each with 3.8 children on average).
    let leaf = size_of::<super::Node<alloy_primitives::Address, crate::world::AccountLeaf>>() + 8;
    assert!(leaf <= 80, "a leaf takes {leaf} bytes");
}

/// Ethereum's own trie tests, those with hashed keys. Others have keys of several lengths, which no ledger has.
#[test]
fn ethereum_trie_tests_have_the_roots_they_say() {
    let named = std::env::var_os("COCO_VECTORS").map(std::path::PathBuf::from);
    let vectors =
        named.unwrap_or_else(|| std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"));
    let folder = vectors.join("ethereum/trie-rlp/TrieTests");
    if !folder.is_dir() {
        eprintln!("SKIPPED: no test vectors in {}: set COCO_VECTORS to run this test", folder.display());
        return;
    }
    let bytes = |text: &str| match text.strip_prefix("0x") {
        Some(hex) => const_hex::decode(hex).unwrap(),
        None => text.as_bytes().to_vec(),
    };
    let mut tests = 0;
    for file in ["hex_encoded_securetrie_test.json", "trieanyorder_secureTrie.json", "trietest_secureTrie.json"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let cases: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
        for (name, case) in cases {
            let steps: Vec<(String, Option<String>)> = match &case["in"] {
                serde_json::Value::Array(_) => serde_json::from_value(case["in"].clone()).unwrap(),
                _ => serde_json::from_value::<BTreeMap<_, _>>(case["in"].clone()).unwrap().into_iter().collect(),
            };
            let mut trie = Trie::default();
            for (key, value) in steps {
                let key = at(keccak256(bytes(&key)));
                match value {
                    Some(value) => trie.put(key, Raw(bytes(&value))),
                    None => trie.remove(&key),
                }
            }
            assert_eq!(trie.root().to_string(), case["root"].as_str().unwrap(), "{file} {name}");
            tests += 1;
        }
    }
    assert!(tests > 10, "only {tests} tests were found");
}
