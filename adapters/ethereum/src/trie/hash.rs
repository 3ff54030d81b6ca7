//! Hashes what has changed since the last time, level by level from below: nodes of a level do not wait for each other, so
//! many are hashed at once.

use alloy_consensus::EMPTY_ROOT_HASH;
use alloy_primitives::{B256, keccak256};
use rayon::prelude::*;

use super::{Key, Node, Reference, Trie, Value};
use crate::keccak::Messages;

/// Nodes hashed at once. Of the state their encodings take 35 KB at most.
const AT_ONCE: usize = 64;

/// Nodes that are collected before they are hashed, at most: of a trie that has no hashes yet one subtree after the other is.
const COLLECTED_MAX: usize = 1 << 16;

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
        let (mut levels, mut room) = (Vec::new(), COLLECTED_MAX);
        if self.collect(start, 0, &mut levels, &mut room) {
            let mut messages = Messages::default();
            for nodes in levels.iter().rev().flat_map(|level| level.chunks(AT_ONCE)) {
                hash_level(nodes, &mut messages);
            }
            return;
        }
        drop(levels);
        if let Self::Branch(branch) = self {
            branch.children.iter().for_each(|child| child.hash_all(usize::from(branch.depth) + 1));
        }
        self.reference(start);
    }

    /// Collects the nodes without a hash, by their level. `false`: there is no room for all of them.
    fn collect<'a>(
        &'a self,
        start: usize,
        level: usize,
        levels: &mut Vec<Vec<Open<'a, K, V>>>,
        room: &mut usize,
    ) -> bool {
        if self.hash().get().is_some() {
            return true;
        }
        let Some(left) = room.checked_sub(1) else { return false };
        *room = left;
        if levels.len() == level {
            levels.push(Vec::new());
        }
        levels[level].push((self, start));
        let Self::Branch(branch) = self else { return true };
        let below = usize::from(branch.depth) + 1;
        branch.children.iter().all(|child| child.collect(below, level + 1, levels, room))
    }

    fn is_extended(&self, start: usize) -> bool {
        matches!(self, Self::Branch(branch) if usize::from(branch.depth) > start)
    }
}

/// Hashes nodes whose children are hashed.
fn hash_level<K: Key, V: Value>(nodes: &[Open<'_, K, V>], messages: &mut Messages) {
    // Another thread may have come here first: versions share nodes.
    let nodes: Vec<_> = nodes.iter().filter(|(node, _)| node.hash().get().is_none()).collect();
    let keys = nodes.iter().filter_map(|(node, _)| if let Node::Leaf(leaf) = node { Some(&leaf.key) } else { None });
    let mut paths = K::paths(keys).into_iter();
    messages.clear();
    for (node, start) in &nodes {
        match node {
            Node::Leaf(leaf) => {
                let path = paths.next().expect("a path for each leaf");
                messages.add(|out| leaf.encode(&path, *start, out));
            }
            Node::Branch(branch) => messages.add(|out| branch.encode(out)),
        }
    }
    for (index, ((node, start), hash)) in nodes.iter().zip(messages.hashes()).enumerate() {
        let mut reference = Reference::hashed(messages.get(index), || hash);
        if node.is_extended(*start) {
            let mut extension = Vec::new();
            node.extension(*start, &reference, &mut extension);
            reference = Reference::of(&extension);
        }
        node.remember(reference);
    }
}
