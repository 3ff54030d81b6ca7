//! What nodes look like to the world: their RLP, and how a parent refers to it.

use alloy_primitives::{B256, keccak256};
use alloy_rlp::{BufMut, EMPTY_STRING_CODE, Encodable, Header};

use super::{Branch, Key, Leaf, Node, Reference, Value, nibble};

/// Nibbles that a leaf or extension adds, as the string that stands in it: the specification's compact form ("hex prefix").
struct Compact<'a> {
    path: &'a B256,
    from: usize,
    to: usize,
    leaf: bool,
}

impl Compact<'_> {
    fn bytes(&self) -> usize {
        1 + (self.to - self.from) / 2
    }
}

impl Encodable for Compact<'_> {
    fn length(&self) -> usize {
        // A single byte here is below 0x80, and stands for itself; there are 33 at most.
        self.bytes() + usize::from(self.bytes() > 1)
    }

    fn encode(&self, out: &mut dyn BufMut) {
        let Self { path, from, to, leaf } = *self;
        if self.bytes() > 1 {
            Header { list: false, payload_length: self.bytes() }.encode(out);
        }
        let flag = if leaf { 0x20 } else { 0 };
        let odd = !(to - from).is_multiple_of(2);
        out.put_u8(if odd { flag | 0x10 | low(nibble(path, from)) } else { flag });
        let from = from + usize::from(odd);
        if from.is_multiple_of(2) {
            out.put_slice(&path[from / 2..to / 2]);
        } else {
            for depth in (from..to).step_by(2) {
                out.put_u8(low(nibble(path, depth)) << 4 | low(nibble(path, depth + 1)));
            }
        }
    }
}

fn low(nibble: usize) -> u8 {
    u8::try_from(nibble).expect("a nibble is below 16")
}

impl Reference {
    pub(super) fn of(encoding: &[u8]) -> Self {
        Self::hashed(encoding, || keccak256(encoding))
    }

    /// `hash`: that of the encoding.
    pub(super) fn hashed(encoding: &[u8], hash: impl FnOnce() -> B256) -> Self {
        let mut bytes = [0; 32];
        match u8::try_from(encoding.len()) {
            Ok(length) if length < 32 => {
                bytes[..encoding.len()].copy_from_slice(encoding);
                Self { bytes, length }
            }
            _ => Self { bytes: hash().0, length: 32 },
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
        match self.hash().get() {
            Some(hash) => Reference { bytes: hash.0, length: 32 },
            None => self.remember(Reference::of(&self.encode(start))),
        }
    }

    /// Keeps a reference to this node, if it is a hash.
    pub(super) fn remember(&self, reference: Reference) -> Reference {
        if reference.is_hash() {
            // Another thread may have been faster, with the same.
            let _ = self.hash().set(B256::from(reference.bytes));
        }
        reference
    }

    /// The node's own encoding; of a branch with a gap before it, that of the extension.
    pub(super) fn encode(&self, start: usize) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Leaf(leaf) => leaf.encode(&leaf.key.path(), start, &mut out),
            Self::Branch(branch) => {
                branch.encode(&mut out);
                if usize::from(branch.depth) > start {
                    let inner = Reference::of(&out);
                    out.clear();
                    self.extension(start, &inner, &mut out);
                }
            }
        }
        out
    }

    /// The extension before a branch.
    pub(super) fn extension(&self, start: usize, inner: &Reference, out: &mut Vec<u8>) {
        let Self::Branch(branch) = self else { return };
        let path = Compact { path: &self.any_path(), from: start, to: branch.depth.into(), leaf: false };
        list(path.length() + inner.len(), out);
        path.encode(out);
        inner.put(out);
    }
}

impl<K: Key, V: Value> Leaf<K, V> {
    /// `path`: the key's.
    pub(super) fn encode(&self, path: &B256, start: usize, out: &mut Vec<u8>) {
        let rest = Compact { path, from: start, to: self.key.nibbles(), leaf: true };
        let mut value = Vec::with_capacity(112);
        self.value.encode(&mut value);
        list(rest.length() + value[..].length(), out);
        rest.encode(out);
        value[..].encode(out);
    }
}

impl<K: Key, V: Value> Branch<K, V> {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let below = usize::from(self.depth) + 1;
        let references: Vec<Reference> = self.children.iter().map(|child| child.reference(below)).collect();
        let length = references.iter().map(Reference::len).sum::<usize>() + (17 - references.len());
        list(length, out);
        let mut next = references.iter();
        for nibble in 0..16 {
            match next.as_slice().first() {
                Some(reference) if self.mask & 1 << nibble != 0 => {
                    reference.put(out);
                    next.next();
                }
                _ => out.push(EMPTY_STRING_CODE),
            }
        }
        out.push(EMPTY_STRING_CODE);
    }
}
