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

/// A step from a leaf to the root: what stands beside the node that was reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// On which side.
    pub left: bool,
    pub digest: Digest,
}

/// Walks from a leaf to the root.
pub(crate) fn climb(leaf: Digest, path: &[Step]) -> Digest {
    path.iter().fold(
        leaf,
        |node, step| {
            if step.left { sha256_pair(&step.digest, &node) } else { sha256_pair(&node, &step.digest) }
        },
    )
}

/// The way from leaf number `index` to the root of the tree that has `leaves` behind the edge `flushed`. `None` if it is not one of
/// these: what lies under the edge is not known any more, and need not be.
pub(crate) fn path(flushed: &Frontier, leaves: &[Digest], index: u64) -> Option<Vec<Step>> {
    let at = usize::try_from(index.checked_sub(flushed.len)?).ok().filter(|at| *at < leaves.len())?;
    let (mut level, mut at) = (leaves.to_vec(), at);
    // The number of the level's first node. What stands before it on the level, if its pair begins there, is a peak of the edge.
    let mut first = flushed.len;
    let mut peaks = flushed.peaks.iter().rev();
    let mut path = Vec::new();
    while level.len() > 1 || first > 0 {
        if !first.is_multiple_of(2) {
            level.insert(0, *peaks.next()?);
            first -= 1;
            at += 1;
        }
        if !at.is_multiple_of(2) {
            path.push(Step { left: true, digest: level[at - 1] });
        } else if let Some(digest) = level.get(at + 1).copied() {
            path.push(Step { left: false, digest });
        }
        level = level
            .chunks(2)
            .map(|pair| if let [left, right] = pair { sha256_pair(left, right) } else { pair[0] })
            .collect();
        (first, at) = (first / 2, at / 2);
    }
    Some(path)
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
        fn every_leaf_behind_the_edge_has_a_way_to_the_root(flushed in 0u64..300, more in 1usize..40) {
            let all: Vec<_> = (0..flushed + more as u64).map(|n| sha256(&n.to_le_bytes())).collect();
            let (before, leaves) = all.split_at(flushed as usize);
            let mut edge = Frontier::empty();
            before.iter().for_each(|leaf| edge.append(*leaf));
            for (at, leaf) in leaves.iter().enumerate() {
                let path = path(&edge, leaves, flushed + at as u64).unwrap();
                prop_assert_eq!(climb(*leaf, &path), naive_root(&all));
            }
            prop_assert_eq!(path(&edge, leaves, flushed + more as u64), None);
            prop_assert!(flushed == 0 || path(&edge, leaves, flushed - 1).is_none());
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
