//! Keys as the maps hold them.

use std::borrow::Borrow;
use std::cmp::Ordering;

use crate::Blob;

/// A key and, beside it, its first bytes: most comparisons end there, without following the pointer. In a table of a
/// million rows that is the difference between four cache misses and twenty.
#[derive(Clone)]
pub struct Key {
    first: u64,
    pub bytes: Blob,
}

impl Key {
    pub fn new(bytes: Blob) -> Self {
        Self { first: first(&bytes), bytes }
    }
}

/// A key that is looked for.
pub struct Sought<'a> {
    first: u64,
    bytes: &'a [u8],
}

impl<'a> Sought<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { first: first(bytes), bytes }
    }
}

/// The first eight bytes as a number that is ordered as they are. A shorter key is filled up with zeros.
fn first(bytes: &[u8]) -> u64 {
    if let Some(first) = bytes.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    let mut first = [0; 8];
    first[..bytes.len()].copy_from_slice(bytes);
    u64::from_be_bytes(first)
}

/// What both kinds have in common. Ordered as the bytes are.
pub trait Keyed {
    fn parts(&self) -> (u64, &[u8]);
}

impl Keyed for Key {
    fn parts(&self) -> (u64, &[u8]) {
        (self.first, &self.bytes)
    }
}

impl Keyed for Sought<'_> {
    fn parts(&self) -> (u64, &[u8]) {
        (self.first, self.bytes)
    }
}

fn compare(left: (u64, &[u8]), right: (u64, &[u8])) -> Ordering {
    left.0.cmp(&right.0).then_with(|| left.1.cmp(right.1))
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.parts(), other.parts())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Key {}

impl Ord for dyn Keyed + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.parts(), other.parts())
    }
}

impl PartialOrd for dyn Keyed + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for dyn Keyed + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for dyn Keyed + '_ {}

impl<'a> Borrow<dyn Keyed + 'a> for Key {
    fn borrow(&self) -> &(dyn Keyed + 'a) {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ordered_as_their_bytes() {
        let mut all: Vec<Vec<u8>> = vec![Vec::new()];
        for length in [1, 2, 7, 8, 9, 16] {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut key = vec![0; length];
                all.push(key.clone());
                key[length - 1] = byte;
                all.push(key.clone());
                key[0] = byte;
                all.push(key);
            }
        }
        for left in &all {
            for right in &all {
                let keys = (Key::new(left[..].into()), Key::new(right[..].into()));
                assert_eq!(keys.0.cmp(&keys.1), left.cmp(right), "{left:?} {right:?}");
                let (here, sought): (&dyn Keyed, &dyn Keyed) = (&keys.0, &Sought::new(right));
                assert_eq!(here.cmp(sought), left.cmp(right));
            }
        }
    }
}
