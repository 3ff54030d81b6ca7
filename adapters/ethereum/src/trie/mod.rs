//! A Merkle-Patricia trie in memory: persistent, incremental, hashed when asked.
//!
//! ```text
//!  version 7 ──▶ ●───────────┐            put() copies the path from the root to the leaf and nothing else;
//!               ╱│╲          │            both versions stay whole and share the rest
//!  version 8 ─▶● │ ○  ◀──────┘
//!             ╱  ▼
//!            ●   ○              ○ shared   ● copied
//! ```
//!
//! Keys are 32 bytes (hashes, so the trie is balanced by itself). A leaf holds its whole key, and a branch the depth at
//! which its keys part, so an extension node of the specification is not a node here: it is the gap between a branch and
//! its parent, and its nibbles are read off any key below. Every node remembers what it looks like in its parent (a hash,
//! or itself if shorter) once that was computed. A node that nobody else holds is changed in place.

mod build;
mod encode;
mod proof;

use std::sync::{Arc, OnceLock};

use alloy_primitives::B256;

/// What a leaf stores, as the specification encodes it.
pub(crate) trait Value: Clone + Send + Sync {
    /// Appends the value that the trie commits to.
    fn encode(&self, out: &mut Vec<u8>);
}

/// One version of a trie. A clone is another handle on the same nodes.
#[derive(Clone)]
pub(crate) struct Trie<V> {
    root: Option<Arc<Node<V>>>,
}

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Self { root: None }
    }
}

#[derive(Clone)]
enum Node<V> {
    Leaf(Leaf<V>),
    Branch(Branch<V>),
}

#[derive(Clone)]
struct Leaf<V> {
    key: B256,
    value: V,
    reference: OnceLock<Reference>,
}

#[derive(Clone)]
struct Branch<V> {
    /// Which nibble of the keys below chooses the child: all keys below agree on those before it.
    depth: u8,
    /// Bit `n`: there is a child for nibble `n`.
    mask: u16,
    /// The children that are there, by nibble. Two at least.
    children: Vec<Arc<Node<V>>>,
    reference: OnceLock<Reference>,
}

/// How a parent refers to a node that begins at a given depth: its hash, or its encoding if that is shorter than a hash.
#[derive(Clone, Copy)]
struct Reference {
    bytes: [u8; 32],
    /// 32: `bytes` is a hash. Less: that many bytes of encoding.
    length: u8,
}

/// A nibble of a key, from the left.
fn nibble(key: &B256, depth: usize) -> usize {
    let byte = key[depth / 2];
    usize::from(if depth.is_multiple_of(2) { byte >> 4 } else { byte & 0x0f })
}

/// The first depth, from `start` on, at which two keys differ. 64 if they do not.
fn parting(a: &B256, b: &B256, start: usize) -> usize {
    (start..64).find(|depth| nibble(a, *depth) != nibble(b, *depth)).unwrap_or(64)
}

impl<V: Value> Trie<V> {
    pub(crate) fn get(&self, key: &B256) -> Option<&V> {
        let mut node = self.root.as_deref()?;
        loop {
            match node {
                Node::Leaf(leaf) => return (leaf.key == *key).then_some(&leaf.value),
                Node::Branch(branch) => node = branch.child(nibble(key, branch.depth.into()))?,
            }
        }
    }

    pub(crate) fn put(&mut self, key: B256, value: V) {
        match &mut self.root {
            Some(root) => Node::put(root, 0, key, value),
            None => self.root = Some(Arc::new(Node::leaf(key, value))),
        }
    }

    /// Removes a key, if it is there.
    pub(crate) fn remove(&mut self, key: &B256) {
        if self.get(key).is_none() {
            return;
        }
        if let Some(root) = &mut self.root
            && Node::remove(root, key)
        {
            self.root = None;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.root.is_none()
    }
}

impl<V: Value> Node<V> {
    fn leaf(key: B256, value: V) -> Self {
        Self::Leaf(Leaf { key, value, reference: OnceLock::new() })
    }

    /// Some key below this node.
    fn any_key(&self) -> &B256 {
        let mut node = self;
        loop {
            match node {
                Self::Leaf(leaf) => return &leaf.key,
                Self::Branch(branch) => node = &branch.children[0],
            }
        }
    }

    /// Where this node's keys part from `key` before they part among themselves. `start`: where the node begins.
    fn leaves_at(&self, key: &B256, start: usize) -> Option<usize> {
        match self {
            Self::Leaf(leaf) => Some(parting(&leaf.key, key, start)).filter(|depth| *depth < 64),
            Self::Branch(branch) => {
                let depth = usize::from(branch.depth);
                let gap = depth > start;
                gap.then(|| parting(self.any_key(), key, start)).filter(|parting| *parting < depth)
            }
        }
    }

    /// The node now begins elsewhere, so what it looks like in its parent is no longer known.
    fn moved(node: &mut Arc<Self>)
    where
        V: Clone,
    {
        match Arc::make_mut(node) {
            Self::Leaf(leaf) => leaf.reference = OnceLock::new(),
            Self::Branch(branch) => branch.reference = OnceLock::new(),
        }
    }

    fn put(this: &mut Arc<Self>, start: usize, key: B256, value: V) {
        if let Some(depth) = this.leaves_at(&key, start) {
            let mut old = this.clone();
            let (before, after) = (nibble(old.any_key(), depth), nibble(&key, depth));
            let new = Arc::new(Self::leaf(key, value));
            // Break the only other handle first, so that the old node is changed in place if it is ours alone.
            *this = new.clone();
            Self::moved(&mut old);
            let children = if before < after { vec![old, new] } else { vec![new, old] };
            let depth = u8::try_from(depth).expect("keys have 64 nibbles");
            let mask = 1 << before | 1 << after;
            *this = Arc::new(Self::Branch(Branch { depth, mask, children, reference: OnceLock::new() }));
            return;
        }
        match Arc::make_mut(this) {
            Self::Leaf(leaf) => {
                leaf.value = value;
                leaf.reference = OnceLock::new();
            }
            Self::Branch(branch) => {
                branch.reference = OnceLock::new();
                let depth = usize::from(branch.depth);
                let nibble = nibble(&key, depth);
                let place = branch.place(nibble);
                if branch.mask & 1 << nibble == 0 {
                    branch.mask |= 1 << nibble;
                    branch.children.reserve_exact(1);
                    branch.children.insert(place, Arc::new(Self::leaf(key, value)));
                } else {
                    Self::put(&mut branch.children[place], depth + 1, key, value);
                }
            }
        }
    }

    /// Removes a key that is there. `true`: the node itself is gone.
    fn remove(this: &mut Arc<Self>, key: &B256) -> bool {
        let Self::Branch(branch) = Arc::make_mut(this) else { return true };
        branch.reference = OnceLock::new();
        let nibble = nibble(key, branch.depth.into());
        let place = branch.place(nibble);
        if Self::remove(&mut branch.children[place], key) {
            branch.children.remove(place);
            branch.mask &= !(1 << nibble);
        }
        if branch.children.len() == 1
            && let Some(mut last) = branch.children.pop()
        {
            Self::moved(&mut last);
            *this = last;
        }
        false
    }
}

impl<V> Branch<V> {
    fn place(&self, nibble: usize) -> usize {
        (self.mask & ((1 << nibble) - 1)).count_ones() as usize
    }

    fn child(&self, nibble: usize) -> Option<&Node<V>> {
        if self.mask & 1 << nibble == 0 { None } else { Some(&self.children[self.place(nibble)]) }
    }
}

#[cfg(test)]
mod tests;
