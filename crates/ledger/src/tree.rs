//! The Merkle tree over all entries, kept as its left edge.
//!
//! ```text
//!   7 leaves:        ●        ●    ●       one perfect subtree per set bit of the number of leaves, largest first;
//!                   ╱ ╲      ╱ ╲   │       the root folds them from the right
//!                  4 leaves   2    1
//! ```
//!
//! Leaf 0 is 32 zero bytes, so that leaf n is entry n. Nothing older than the edge is ever needed to append or to sign.

use base::Digest;
use crypto::sha256_pair;

/// The left edge of a tree. A clone costs one small allocation: whoever may have to go back keeps the old one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frontier {
    /// Number of leaves.
    len: u64,
    /// Roots of the perfect subtrees, largest first; one per set bit of `len`.
    peaks: Vec<Digest>,
}

impl Frontier {
    /// The tree of a new ledger: leaf 0 only.
    #[must_use]
    pub fn new() -> Self {
        let mut tree = Self::empty();
        tree.append(Digest::ZERO);
        tree
    }

    /// A tree without a leaf: what the first signature has behind it.
    pub(crate) fn empty() -> Self {
        Self { len: 0, peaks: Vec::new() }
    }

    /// The edge as it was stored; `None` if it has not one peak per set bit.
    pub(crate) fn from_peaks(len: u64, peaks: Vec<Digest>) -> Option<Self> {
        (peaks.len() == len.count_ones() as usize).then_some(Self { len, peaks })
    }

    pub fn append(&mut self, leaf: Digest) {
        let mut node = leaf;
        // Every trailing one bit of the old length is a subtree that the new leaf completes.
        for _ in 0..self.len.trailing_ones() {
            let left = self.peaks.pop().expect("a set bit of the length has a peak");
            node = sha256_pair(&left, &node);
        }
        self.peaks.push(node);
        self.len += 1;
    }

    /// The root over all leaves. An odd node at the end of a level goes up unchanged.
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev();
        let last = peaks.next().copied().unwrap_or(Digest::ZERO);
        peaks.fold(last, |right, left| sha256_pair(left, &right))
    }

    /// Number of leaves, which is the seqno of the next entry.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Default for Frontier {
    fn default() -> Self {
        Self::new()
    }
}

/// What a signature keeps of the tree: the leaves since the last signature, then the edge before them. Big-endian.
pub(crate) fn serialise(flushed: &Frontier, leaves: &[Digest]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16 + 32 * (leaves.len() + flushed.peaks.len()));
    bytes.extend_from_slice(&(leaves.len() as u64).to_be_bytes());
    bytes.extend_from_slice(&flushed.len.to_be_bytes());
    for digest in leaves.iter().chain(flushed.peaks.iter().rev()) {
        bytes.extend_from_slice(&digest.0);
    }
    bytes
}

/// Reads what [`serialise`] wrote. `None` for anything else.
pub(crate) fn deserialise(bytes: &[u8]) -> Option<(Frontier, Vec<Digest>)> {
    let (count, rest) = bytes.split_first_chunk::<8>()?;
    let (flushed, rest) = rest.split_first_chunk::<8>()?;
    let (count, flushed) = (u64::from_be_bytes(*count), u64::from_be_bytes(*flushed));
    let (digests, odd) = rest.as_chunks::<32>();
    let count = usize::try_from(count).ok().filter(|count| *count > 0 && *count <= digests.len() && odd.is_empty())?;
    let (leaves, peaks) = digests.split_at(count);
    let peaks = peaks.iter().rev().map(|peak| Digest(*peak)).collect();
    Some((Frontier::from_peaks(flushed, peaks)?, leaves.iter().map(|leaf| Digest(*leaf)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::sha256;
    use proptest::prelude::*;

    /// The definition, level by level.
    fn naive_root(leaves: &[Digest]) -> Digest {
        let mut level = leaves.to_vec();
        while level.len() > 1 {
            level = level
                .chunks(2)
                .map(|pair| if let [left, right] = pair { sha256_pair(left, right) } else { pair[0] })
                .collect();
        }
        level[0]
    }

    proptest! {
        #[test]
        fn the_edge_has_the_root_of_the_whole_tree(count in 0usize..300) {
            let mut leaves = vec![Digest::ZERO];
            let mut tree = Frontier::new();
            for n in 0..count {
                leaves.push(sha256(&n.to_le_bytes()));
                tree.append(leaves[n + 1]);
                prop_assert_eq!(tree.len(), leaves.len() as u64);
            }
            prop_assert_eq!(tree.root(), naive_root(&leaves));
        }

        #[test]
        fn a_stored_tree_reads_back(flushed in 0u64..70, more in 1usize..20) {
            let mut edge = Frontier::empty();
            (0..flushed).for_each(|n| edge.append(sha256(&n.to_le_bytes())));
            let leaves: Vec<_> = (0..more).map(|n| sha256(&[n as u8])).collect();
            let bytes = serialise(&edge, &leaves);
            prop_assert_eq!(deserialise(&bytes), Some((edge, leaves)));
            prop_assert_eq!(deserialise(&bytes[..bytes.len() - 1]), None);
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = deserialise(&bytes);
        }
    }
}
