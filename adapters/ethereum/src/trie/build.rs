//! Builds a whole trie at once, from leaves in order.

use std::sync::OnceLock;

use rayon::prelude::*;
use triomphe::Arc;

use super::{Branch, Key, Node, Place, Trie, Value, nibble, parting};

/// Leaves from which on the work is shared among threads.
const SHARED_FROM: usize = 4_096;

impl<K: Key, V: Value> Trie<K, V> {
    /// `leaves` ascend strictly by path.
    pub(crate) fn build(leaves: &[(Place<K>, V)]) -> Self {
        debug_assert!(leaves.is_sorted_by(|(a, _), (b, _)| a.path < b.path), "leaves ascend");
        Self { root: (!leaves.is_empty()).then(|| node(leaves, 0)) }
    }
}

/// The node over some leaves, one at least, which agree on the nibbles before `start`.
fn node<K: Key, V: Value>(leaves: &[(Place<K>, V)], start: usize) -> Arc<Node<K, V>> {
    let (first, last) = (&leaves[0], &leaves[leaves.len() - 1]);
    if leaves.len() == 1 {
        return Arc::new(Node::leaf(first.0.key.clone(), first.1.clone()));
    }
    let depth = parting(&first.0.path, &last.0.path, start);
    let nibble = |place: &Place<K>| nibble(&place.path, depth);
    let groups: Vec<&[(Place<K>, V)]> = leaves.chunk_by(|(a, _), (b, _)| nibble(a) == nibble(b)).collect();
    let mask = groups.iter().fold(0, |mask, group| mask | 1 << nibble(&group[0].0));
    let children = if leaves.len() < SHARED_FROM {
        groups.into_iter().map(|group| node(group, depth + 1)).collect()
    } else {
        groups.into_par_iter().map(|group| node(group, depth + 1)).collect()
    };
    let depth = u8::try_from(depth).expect("paths have 64 nibbles");
    Arc::new(Node::Branch(Branch { depth, mask, children, hash: OnceLock::new() }))
}
