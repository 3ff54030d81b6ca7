//! The trie of a list: its keys are the places in it, as RLP. A block commits to its transactions and receipts so.

use alloy_primitives::B256;
use alloy_rlp::Encodable;

use super::{Key, Place, Trie, Value};

/// A place in a list, from zero.
#[derive(Clone, Copy, PartialEq)]
struct Index(usize);

impl Key for Index {
    fn path(&self) -> B256 {
        let mut path = B256::ZERO;
        self.0.encode(&mut &mut path[..]);
        path
    }

    /// No key begins another one: RLP says how long a number is before it says the number.
    fn nibbles(&self) -> usize {
        2 * self.0.length()
    }
}

/// The root over some values in their order.
pub(crate) fn list_root<V: Value>(values: impl IntoIterator<Item = V>) -> B256 {
    let mut leaves: Vec<_> =
        values.into_iter().enumerate().map(|(index, value)| (Place::of(Index(index)), value)).collect();
    // In the order of paths: zero is 0x80, after all numbers that stand for themselves and before all longer ones.
    let small = leaves.len().min(0x80);
    if small > 0 {
        leaves[..small].rotate_left(1);
    }
    Trie::build(&leaves).root()
}

#[cfg(test)]
mod tests {
    use alloy_rlp::BufMut;
    use alloy_trie::root::ordered_trie_root_with_encoder;

    use super::*;

    #[derive(Clone)]
    struct Raw(Vec<u8>);

    impl Value for Raw {
        fn encode(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.0);
        }
    }

    #[test]
    fn the_root_of_a_list_is_alloys() {
        for count in (0..300).chain([4_095, 4_096, 65_535, 65_536, 65_540]) {
            // Short ones stand whole in their branches.
            let values: Vec<Raw> = (0..count).map(|index| Raw(vec![7; 1 + index * 13 % 300])).collect();
            let expected = ordered_trie_root_with_encoder(&values, |value, out| out.put_slice(&value.0));
            assert_eq!(list_root(values), expected, "{count}");
        }
    }
}
