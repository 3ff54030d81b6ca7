//! The nodes on the way to a key: proof that it is there, or that it is not.

use alloy_primitives::Bytes;

use super::{Key, Node, Place, Trie, Value, nibble};

impl<K: Key, V: Value> Trie<K, V> {
    /// Encodings from the root towards `key`. A node that stands whole in its parent is not listed again.
    /// Of an empty trie there is nothing to show.
    pub(crate) fn proof(&self, place: &Place<K>) -> Vec<Bytes> {
        let mut nodes = Vec::new();
        let mut next = self.root.as_deref();
        let mut start = 0;
        while let Some(node) = next {
            if start == 0 || node.reference(start).is_hash() {
                nodes.push(Bytes::from(node.encode(start)));
            }
            let Node::Branch(branch) = node else { break };
            let depth = usize::from(branch.depth);
            if depth > start {
                if node.leaves_at(place, start).is_some() {
                    // The extension shows that the key is not here.
                    break;
                }
                let mut encoding = Vec::new();
                branch.encode(&mut encoding);
                if encoding.len() >= 32 {
                    nodes.push(Bytes::from(encoding));
                }
            }
            next = branch.child(nibble(&place.path, depth));
            start = depth + 1;
        }
        nodes
    }
}
