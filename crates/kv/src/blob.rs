//! Bytes of keys and values: short ones in place, long ones shared.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// Bytes up to here need no allocation: an account's address, and what most accounts have in their rows.
const SHORT: usize = 22;

/// A key or a value. Cheap to clone: short bytes are copied, which costs less than counting references, and longer ones are
/// shared, so that versions and write sets share them too.
#[derive(Clone)]
pub struct Blob(Bytes);

#[derive(Clone)]
enum Bytes {
    /// What follows the first `length` bytes is zero.
    Short {
        length: u8,
        bytes: [u8; SHORT],
    },
    Long(Arc<[u8]>),
}

impl Blob {
    /// The first eight bytes as a number that is ordered as they are; fewer are filled up with zeros. Most comparisons end
    /// with it.
    pub(crate) fn first(&self) -> u64 {
        match &self.0 {
            Bytes::Short { bytes, .. } => bytes.first_chunk().map_or(0, |first| u64::from_be_bytes(*first)),
            Bytes::Long(bytes) => first(bytes),
        }
    }
}

/// [`Blob::first`] of any bytes.
pub(crate) fn first(bytes: &[u8]) -> u64 {
    if let Some(first) = bytes.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    let mut first = [0; 8];
    first[..bytes.len()].copy_from_slice(bytes);
    u64::from_be_bytes(first)
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Short { length, bytes } => &bytes[..usize::from(*length)],
            Bytes::Long(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for Blob {
    fn from(from: &[u8]) -> Self {
        match u8::try_from(from.len()) {
            Ok(length) if from.len() <= SHORT => {
                let mut bytes = [0; SHORT];
                bytes[..from.len()].copy_from_slice(from);
                Self(Bytes::Short { length, bytes })
            }
            _ => Self(Bytes::Long(from.into())),
        }
    }
}

impl<const N: usize> From<[u8; N]> for Blob {
    fn from(bytes: [u8; N]) -> Self {
        bytes[..].into()
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        bytes[..].into()
    }
}

impl Borrow<[u8]> for Blob {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Ord for Blob {
    fn cmp(&self, other: &Self) -> Ordering {
        self.first().cmp(&other.first()).then_with(|| self[..].cmp(other))
    }
}

impl PartialOrd for Blob {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl Eq for Blob {}

/// As of a slice: a blob can be looked for by its bytes.
impl Hash for Blob {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self[..].hash(state);
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self[..].fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_are_what_their_bytes_are_and_ordered_as_they_are() {
        let mut all: Vec<Vec<u8>> = vec![Vec::new()];
        for length in [1, 2, 7, 8, 9, SHORT - 1, SHORT, SHORT + 1, 52] {
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
            let blob = Blob::from(&left[..]);
            assert_eq!(blob[..], left[..]);
            assert_eq!(blob.first(), first(left));
            for right in &all {
                let other = Blob::from(&right[..]);
                assert_eq!(blob.cmp(&other), left.cmp(right), "{left:?} {right:?}");
                assert_eq!(blob == other, left == right);
            }
        }
    }

    #[test]
    fn an_address_and_a_plain_account_need_no_allocation() {
        assert_eq!(size_of::<Blob>(), 24);
        assert!(matches!(Blob::from([7; 20]).0, Bytes::Short { .. }));
    }
}
