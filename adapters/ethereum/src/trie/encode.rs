//! What nodes look like to the world: their RLP, and the hashes of it.

use alloy_consensus::EMPTY_ROOT_HASH;
use alloy_primitives::{B256, keccak256};
use alloy_rlp::{EMPTY_STRING_CODE, Encodable, Header};
use rayon::prelude::*;

use super::{Branch, Key, Node, Reference, Trie, Value, nibble};

/// Nibbles that a leaf or extension adds, in the specification's compact form ("hex prefix").
fn compact(path: &B256, from: usize, to: usize, leaf: bool, out: &mut Vec<u8>) {
    let flag = if leaf { 0x20 } else { 0 };
    let odd = !(to - from).is_multiple_of(2);
    out.push(if odd { flag | 0x10 | low(nibble(path, from)) } else { flag });
    for depth in (from + usize::from(odd)..to).step_by(2) {
        out.push(low(nibble(path, depth)) << 4 | low(nibble(path, depth + 1)));
    }
}

fn low(nibble: usize) -> u8 {
    u8::try_from(nibble).expect("a nibble is below 16")
}

impl Reference {
    fn of(encoding: &[u8]) -> Self {
        let mut bytes = [0; 32];
        match u8::try_from(encoding.len()) {
            Ok(length) if length < 32 => {
                bytes[..encoding.len()].copy_from_slice(encoding);
                Self { bytes, length }
            }
            _ => Self { bytes: keccak256(encoding).0, length: 32 },
        }
    }

    /// Appends what stands in the parent.
    fn put(&self, out: &mut Vec<u8>) {
        if self.length == 32 {
            out.push(EMPTY_STRING_CODE + 32);
        }
        out.extend_from_slice(&self.bytes[..self.length.into()]);
    }

    fn len(&self) -> usize {
        if self.length == 32 { 33 } else { self.length.into() }
    }

    pub(super) fn is_hash(&self) -> bool {
        self.length == 32
    }
}

fn list(payload_length: usize, out: &mut Vec<u8>) {
    Header { list: true, payload_length }.encode(out);
}

impl<K: Key, V: Value> Node<K, V> {
    /// How the parent refers to this node, which begins at nibble `start` of its paths.
    pub(super) fn reference(&self, start: usize) -> Reference {
        let known = match self {
            Self::Leaf(leaf) => &leaf.hash,
            Self::Branch(branch) => &branch.hash,
        };
        if let Some(hash) = known.get() {
            return Reference { bytes: hash.0, length: 32 };
        }
        let reference = Reference::of(&self.encode(start));
        if reference.is_hash() {
            // Another thread may have been faster, with the same.
            let _ = known.set(B256::from(reference.bytes));
        }
        reference
    }

    /// The node's own encoding; of a branch with a gap before it, that of the extension.
    pub(super) fn encode(&self, start: usize) -> Vec<u8> {
        match self {
            Self::Leaf(leaf) => {
                let mut path = Vec::with_capacity(33);
                compact(&leaf.key.path(), start, 64, true, &mut path);
                let mut value = Vec::with_capacity(112);
                leaf.value.encode(&mut value);
                let length = path[..].length() + value[..].length();
                let mut out = Vec::with_capacity(length + 4);
                list(length, &mut out);
                path[..].encode(&mut out);
                value[..].encode(&mut out);
                out
            }
            Self::Branch(branch) if usize::from(branch.depth) == start => branch.encode(),
            Self::Branch(branch) => self.extension(start, &Reference::of(&branch.encode())),
        }
    }

    fn extension(&self, start: usize, inner: &Reference) -> Vec<u8> {
        let Self::Branch(branch) = self else { return Vec::new() };
        let mut path = Vec::with_capacity(33);
        compact(&self.any_path(), start, branch.depth.into(), false, &mut path);
        let length = path[..].length() + inner.len();
        let mut out = Vec::with_capacity(length + 3);
        list(length, &mut out);
        path[..].encode(&mut out);
        inner.put(&mut out);
        out
    }
}

impl<K: Key, V: Value> Branch<K, V> {
    pub(super) fn encode(&self) -> Vec<u8> {
        let below = usize::from(self.depth) + 1;
        let references: Vec<Reference> = self.children.iter().map(|child| child.reference(below)).collect();
        let length = references.iter().map(Reference::len).sum::<usize>() + (17 - references.len());
        let mut out = Vec::with_capacity(length + 3);
        list(length, &mut out);
        let mut next = references.iter();
        for nibble in 0..16 {
            match next.as_slice().first() {
                Some(reference) if self.mask & 1 << nibble != 0 => {
                    reference.put(&mut out);
                    next.next();
                }
                _ => out.push(EMPTY_STRING_CODE),
            }
        }
        out.push(EMPTY_STRING_CODE);
        out
    }
}

impl<K: Key, V: Value> Trie<K, V> {
    /// The root hash. Costs as much as what changed since the last time.
    pub(crate) fn root(&self) -> B256 {
        self.root.as_ref().map_or(EMPTY_ROOT_HASH, |root| {
            let reference = root.reference(0);
            if reference.is_hash() { B256::from(reference.bytes) } else { keccak256(root.encode(0)) }
        })
    }

    /// The root hash, with the subtrees hashed by all threads of the pool. Worth it from some hundred changes on.
    pub(crate) fn root_in_parallel(&self) -> B256 {
        if let Some(Node::Branch(root)) = self.root.as_deref() {
            let below = usize::from(root.depth) + 1;
            root.children.par_iter().for_each(|child| {
                child.reference(below);
            });
        }
        self.root()
    }
}
