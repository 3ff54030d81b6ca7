//! Builds a whole trie at once, from leaves in order.

use std::sync::{Arc, OnceLock};

use alloy_primitives::B256;
use rayon::prelude::*;

use super::{Branch, Node, Trie, Value, nibble, parting};

/// Leaves from which on the work is shared among threads.
const SHARED_FROM: usize = 4_096;

impl<V: Value> Trie<V> {
    /// `leaves` ascend strictly by key.
    pub(crate) fn build(leaves: &[(B256, V)]) -> Self {
        debug_assert!(leaves.is_sorted_by(|(a, _), (b, _)| a < b), "leaves ascend");
        Self { root: (!leaves.is_empty()).then(|| node(leaves, 0)) }
    }
}

/// The node over some leaves, one at least, which agree on the nibbles before `start`.
fn node<V: Value>(leaves: &[(B256, V)], start: usize) -> Arc<Node<V>> {
    let (first, last) = (&leaves[0], &leaves[leaves.len() - 1]);
    if leaves.len() == 1 {
        return Arc::new(Node::leaf(first.0, first.1.clone()));
    }
    let depth = parting(&first.0, &last.0, start);
    let groups: Vec<&[(B256, V)]> = leaves.chunk_by(|(a, _), (b, _)| nibble(a, depth) == nibble(b, depth)).collect();
    let mask = groups.iter().fold(0, |mask, group| mask | 1 << nibble(&group[0].0, depth));
    let children = if leaves.len() < SHARED_FROM {
        groups.into_iter().map(|group| node(group, depth + 1)).collect()
    } else {
        groups.into_par_iter().map(|group| node(group, depth + 1)).collect()
    };
    let depth = u8::try_from(depth).expect("keys have 64 nibbles");
    Arc::new(Node::Branch(Branch { depth, mask, children, reference: OnceLock::new() }))
}
