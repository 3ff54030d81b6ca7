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
//! A leaf's place is the hash of its key, so the trie is balanced by itself; the leaf holds the key, which is shorter. (Of a
//! list, whose trie is made to be hashed and let go, it is the number.) A
//! branch holds the depth at which the paths below it part, so an extension node of the specification is not a node here:
//! it is the gap between a branch and its parent, and its nibbles are those of any path below. Every node remembers its
//! hash once that was computed. A node that nobody else holds is changed in place.
//!
//! Of a million accounts each takes about 125 bytes: a leaf of 80, and its share of branches and of handles. A version in
//! which 1,000 of them changed takes about 550 for each of those.

mod build;
mod encode;
mod hash;
mod list;
mod proof;

use std::hint::black_box;
use std::ops::BitXor;
use std::sync::OnceLock;

use alloy_primitives::{Address, B256, keccak256};
use triomphe::Arc;

pub(crate) use self::list::list_root;
use crate::keccak::Messages;

/// What a leaf stores, as the specification encodes it.
pub(crate) trait Value: Clone + Send + Sync {
    /// Appends the value that the trie commits to.
    fn encode(&self, out: &mut Vec<u8>);
}

/// What a leaf is put under.
pub(crate) trait Key: Clone + PartialEq + Send + Sync {
    /// Where it belongs in the trie, nibble by nibble.
    fn path(&self) -> B256;

    /// How many nibbles of the path count.
    fn nibbles(&self) -> usize {
        64
    }

    /// Where some keys belong, in their order. Of keys that are hashed cheaper than one by one.
    fn paths<'k>(keys: impl Iterator<Item = &'k Self>) -> Vec<B256>
    where
        Self: 'k,
    {
        keys.map(Self::path).collect()
    }
}

/// An account's.
impl Key for Address {
    fn path(&self) -> B256 {
        keccak256(self)
    }

    fn paths<'k>(keys: impl Iterator<Item = &'k Self>) -> Vec<B256> {
        hashes(keys)
    }
}

/// A storage slot's.
impl Key for B256 {
    fn path(&self) -> B256 {
        keccak256(self)
    }

    fn paths<'k>(keys: impl Iterator<Item = &'k Self>) -> Vec<B256> {
        hashes(keys)
    }
}

fn hashes<'k, K: AsRef<[u8]> + 'k>(keys: impl Iterator<Item = &'k K>) -> Vec<B256> {
    let mut messages = Messages::default();
    keys.for_each(|key| messages.add(|out| out.extend_from_slice(key.as_ref())));
    messages.hashes()
}

/// A key with its path, which is computed once for all that is done with it.
#[derive(Clone)]
pub(crate) struct Place<K> {
    key: K,
    path: B256,
}

impl<K: Key> Place<K> {
    pub(crate) fn of(key: K) -> Self {
        Self { path: key.path(), key }
    }

    /// Those of some keys, in their order.
    pub(crate) fn of_all(keys: impl Iterator<Item = K> + Clone) -> Vec<Self> {
        let paths = K::paths(keys.clone().collect::<Vec<_>>().iter());
        keys.zip(paths).map(|(key, path)| Self { key, path }).collect()
    }

    pub(crate) fn path(&self) -> &B256 {
        &self.path
    }
}

/// One version of a trie. A clone is another handle on the same nodes.
#[derive(Clone)]
pub(crate) struct Trie<K, V> {
    root: Option<Arc<Node<K, V>>>,
}

impl<K, V> Default for Trie<K, V> {
    fn default() -> Self {
        Self { root: None }
    }
}

#[derive(Clone)]
enum Node<K, V> {
    Leaf(Leaf<K, V>),
    Branch(Branch<K, V>),
}

#[derive(Clone)]
struct Leaf<K, V> {
    key: K,
    value: V,
    hash: OnceLock<B256>,
}

#[derive(Clone)]
struct Branch<K, V> {
    /// Which nibble of the paths below chooses the child: all paths below agree on those before it.
    depth: u8,
    /// Bit `n`: there is a child for nibble `n`.
    mask: u16,
    /// The children that are there, by nibble. Two at least.
    children: Vec<Arc<Node<K, V>>>,
    hash: OnceLock<B256>,
}

/// An old version lets go of all its children.
impl<K, V> Drop for Branch<K, V> {
    fn drop(&mut self) {
        self.read_ahead();
    }
}

/// How a parent refers to a node that begins at a given depth: its hash, or its encoding if that is shorter than a hash.
#[derive(Clone, Copy)]
struct Reference {
    bytes: [u8; 32],
    /// 32: `bytes` is a hash. Less: that many bytes of encoding.
    length: u8,
}

/// A nibble of a path, from the left.
fn nibble(path: &B256, depth: usize) -> usize {
    let byte = path[depth / 2];
    usize::from(if depth.is_multiple_of(2) { byte >> 4 } else { byte & 0x0f })
}

/// The first depth, from `start` on, at which two paths differ. 64 if they do not.
fn parting(a: &B256, b: &B256, start: usize) -> usize {
    (start..64).find(|depth| nibble(a, *depth) != nibble(b, *depth)).unwrap_or(64)
}

impl<K: Key, V: Value> Trie<K, V> {
    pub(crate) fn get(&self, place: &Place<K>) -> Option<&V> {
        let mut node = self.root.as_deref()?;
        loop {
            match node {
                Node::Leaf(leaf) => return (leaf.key == place.key).then_some(&leaf.value),
                Node::Branch(branch) => node = branch.child(nibble(&place.path, branch.depth.into()))?,
            }
        }
    }

    /// Brings what stands on the way to some keys into the processor's caches: on all ways at once, where one after the other
    /// would wait for memory at each step.
    pub(crate) fn read_ahead(&self, places: &[Place<K>]) {
        let Some(root) = self.root.as_deref() else { return };
        let mut ways: Vec<_> = places.iter().map(|place| (root, place)).collect();
        let mut deeper = true;
        while deeper {
            deeper = false;
            for (node, place) in &mut ways {
                if let Node::Branch(branch) = *node
                    && let Some(child) = branch.child(nibble(&place.path, branch.depth.into()))
                {
                    *node = child;
                    deeper = true;
                }
            }
        }
        black_box(ways);
    }

    pub(crate) fn put(&mut self, place: Place<K>, value: V) {
        match &mut self.root {
            Some(root) => Node::put(root, 0, place, value),
            None => self.root = Some(Arc::new(Node::leaf(place.key, value))),
        }
    }

    /// Removes a key, if it is there.
    pub(crate) fn remove(&mut self, place: &Place<K>) {
        if self.get(place).is_none() {
            return;
        }
        if let Some(root) = &mut self.root
            && Node::remove(root, &place.path)
        {
            self.root = None;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.root.is_none()
    }
}

impl<K: Key, V: Value> Node<K, V> {
    fn leaf(key: K, value: V) -> Self {
        Self::Leaf(Leaf { key, value, hash: OnceLock::new() })
    }

    fn hash(&self) -> &OnceLock<B256> {
        match self {
            Self::Leaf(leaf) => &leaf.hash,
            Self::Branch(branch) => &branch.hash,
        }
    }

    /// Some path below this node.
    fn any_path(&self) -> B256 {
        let mut node = self;
        loop {
            match node {
                Self::Leaf(leaf) => return leaf.key.path(),
                Self::Branch(branch) => node = &branch.children[0],
            }
        }
    }

    /// Where this node's paths part from one before they part among themselves. `start`: where the node begins.
    fn leaves_at(&self, place: &Place<K>, start: usize) -> Option<usize> {
        let parting = || parting(&self.any_path(), &place.path, start);
        match self {
            Self::Leaf(leaf) => (leaf.key != place.key).then(parting).filter(|depth| *depth < 64),
            Self::Branch(branch) => {
                let depth = usize::from(branch.depth);
                (depth > start).then(parting).filter(|parting| *parting < depth)
            }
        }
    }

    /// Lets a node be changed: it is copied first if another version holds it.
    fn own(this: &mut Arc<Self>) -> &mut Self {
        if let Self::Branch(branch) = &**this
            && !this.is_unique()
        {
            branch.read_ahead();
        }
        Arc::make_mut(this)
    }

    /// The node now begins elsewhere, so its hash is no longer known.
    fn moved(node: &mut Arc<Self>) {
        match Self::own(node) {
            Self::Leaf(leaf) => leaf.hash = OnceLock::new(),
            Self::Branch(branch) => branch.hash = OnceLock::new(),
        }
    }

    fn put(this: &mut Arc<Self>, start: usize, place: Place<K>, value: V) {
        if let Some(depth) = this.leaves_at(&place, start) {
            let mut old = this.clone();
            let (before, after) = (nibble(&old.any_path(), depth), nibble(&place.path, depth));
            let new = Arc::new(Self::leaf(place.key, value));
            // Break the only other handle first, so that the old node is changed in place if it is ours alone.
            *this = new.clone();
            Self::moved(&mut old);
            let children = if before < after { vec![old, new] } else { vec![new, old] };
            let depth = u8::try_from(depth).expect("paths have 64 nibbles");
            let mask = 1 << before | 1 << after;
            *this = Arc::new(Self::Branch(Branch { depth, mask, children, hash: OnceLock::new() }));
            return;
        }
        match Self::own(this) {
            Self::Leaf(leaf) => {
                leaf.value = value;
                leaf.hash = OnceLock::new();
            }
            Self::Branch(branch) => {
                branch.hash = OnceLock::new();
                let depth = usize::from(branch.depth);
                let nibble = nibble(&place.path, depth);
                let at = branch.at(nibble);
                if branch.mask & 1 << nibble == 0 {
                    branch.mask |= 1 << nibble;
                    branch.children.reserve_exact(1);
                    branch.children.insert(at, Arc::new(Self::leaf(place.key, value)));
                } else {
                    Self::put(&mut branch.children[at], depth + 1, place, value);
                }
            }
        }
    }

    /// Removes a key that is there, by its path. `true`: the node itself is gone.
    fn remove(this: &mut Arc<Self>, path: &B256) -> bool {
        let Self::Branch(branch) = Self::own(this) else { return true };
        branch.hash = OnceLock::new();
        let nibble = nibble(path, branch.depth.into());
        let at = branch.at(nibble);
        if Self::remove(&mut branch.children[at], path) {
            branch.children.remove(at);
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

impl<K, V> Branch<K, V> {
    /// Brings the children into the processor's caches, all at once. A reference that is counted next would wait for each of
    /// them alone, and of a large trie none is there.
    fn read_ahead(&self) {
        black_box(self.children.iter().map(Arc::strong_count).fold(0, BitXor::bitxor));
    }

    /// Where the child for a nibble is among the children, or would be.
    fn at(&self, nibble: usize) -> usize {
        (self.mask & ((1 << nibble) - 1)).count_ones() as usize
    }

    fn child(&self, nibble: usize) -> Option<&Node<K, V>> {
        if self.mask & 1 << nibble == 0 { None } else { Some(&self.children[self.at(nibble)]) }
    }
}

#[cfg(test)]
mod tests;
