//! Hashes what has changed since the last time, level by level from below: nodes of a level do not wait for each other, so
//! many are hashed at once.

use alloy_consensus::EMPTY_ROOT_HASH;
use alloy_primitives::{B256, keccak256};
use rayon::prelude::*;

use super::{Key, Node, Reference, Trie, Value};
use crate::keccak::Messages;

/// Nodes hashed at once: their encodings fit into the processor's nearest caches.
const AT_ONCE: usize = 64;

/// A node without a hash, and the nibble at which it begins.
type Open<'a, K, V> = (&'a Node<K, V>, usize);

impl<K: Key, V: Value> Trie<K, V> {
    /// The root hash. Costs as much as what changed since the last time.
    pub(crate) fn root(&self) -> B256 {
        self.root.as_ref().map_or(EMPTY_ROOT_HASH, |root| {
            root.hash_all(0);
            let reference = root.reference(0);
            if reference.is_hash() { B256::from(reference.bytes) } else { keccak256(root.encode(0)) }
        })
    }

    /// The root hash, with the subtrees hashed by all threads of the pool. Worth it from some hundred changes on.
    pub(crate) fn root_in_parallel(&self) -> B256 {
        if let Some(Node::Branch(root)) = self.root.as_deref() {
            let below = usize::from(root.depth) + 1;
            root.children.par_iter().for_each(|child| child.hash_all(below));
        }
        self.root()
    }
}

impl<K: Key, V: Value> Node<K, V> {
    /// Hashes this node and all below it that are not yet. `start`: where it begins.
    fn hash_all(&self, start: usize) {
        let mut levels = Vec::new();
        self.open(start, 0, &mut levels);
        let mut messages = Messages::default();
        for nodes in levels.iter().rev().flat_map(|level| level.chunks(AT_ONCE)) {
            hash(nodes, &mut messages);
        }
    }

    /// Collects the nodes without a hash, by their level.
    fn open<'a>(&'a self, start: usize, level: usize, levels: &mut Vec<Vec<Open<'a, K, V>>>) {
        if self.hash().get().is_some() {
            return;
        }
        if levels.len() == level {
            levels.push(Vec::new());
        }
        levels[level].push((self, start));
        if let Self::Branch(branch) = self {
            for child in &branch.children {
                child.open(usize::from(branch.depth) + 1, level + 1, levels);
            }
        }
    }
}

/// Hashes nodes whose children are hashed.
fn hash<K: Key, V: Value>(nodes: &[Open<'_, K, V>], messages: &mut Messages) {
    let keys = nodes.iter().filter_map(|(node, _)| if let Node::Leaf(leaf) = node { Some(&leaf.key) } else { None });
    let mut paths = K::paths(keys).into_iter();
    let mut extended = Vec::new();
    messages.clear();
    for (index, (node, start)) in nodes.iter().enumerate() {
        match node {
            Node::Leaf(leaf) => {
                let path = paths.next().expect("a path for each leaf");
                messages.add(|out| leaf.encode(&path, *start, out));
            }
            Node::Branch(branch) => {
                if usize::from(branch.depth) > *start {
                    extended.push(index);
                }
                messages.add(|out| branch.encode(out));
            }
        }
    }
    let mut extended = extended.into_iter().peekable();
    for (index, ((node, start), hash)) in nodes.iter().zip(messages.hashes()).enumerate() {
        let reference = Reference::hashed(messages.get(index), || hash);
        let reference = if extended.next_if_eq(&index).is_some() {
            let mut extension = Vec::new();
            node.extension(*start, &reference, &mut extension);
            Reference::of(&extension)
        } else {
            reference
        };
        node.remember(reference);
    }
}
