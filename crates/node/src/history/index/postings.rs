//! The entries that carry a term, as differences: mostly a byte each.

use super::IndexError;

/// A list in the making. Ascending; an entry counts once.
#[derive(Default)]
pub struct Postings {
    last: Option<u64>,
    bytes: Vec<u8>,
}

impl Postings {
    /// Adds an entry that is not before the last one. `base` is the same for the whole list, and not above any of it.
    pub fn push(&mut self, base: u64, seqno: u64) {
        if self.last == Some(seqno) {
            return;
        }
        let mut step = seqno - self.last.unwrap_or(base);
        while step >= 0x80 {
            self.bytes.push(step.to_le_bytes()[0] | 0x80);
            step >>= 7;
        }
        self.bytes.push(step.to_le_bytes()[0]);
        self.last = Some(seqno);
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a list back: calls `take` with its entries.
pub fn read(bytes: &[u8], base: u64, mut take: impl FnMut(u64)) -> Result<(), IndexError> {
    let mut at = base;
    let mut rest = bytes.iter();
    while !rest.as_slice().is_empty() {
        let mut step = 0u64;
        let mut shift = 0;
        loop {
            let byte = rest.next().ok_or(IndexError::Damaged)?;
            // No list spans more than 2^56 entries.
            if shift > 49 {
                return Err(IndexError::Damaged);
            }
            step |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
        }
        at = at.checked_add(step).ok_or(IndexError::Damaged)?;
        take(at);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_list_comes_back(base in 0u64..1 << 40, steps in prop::collection::vec(0u64..1 << 20, 0..50)) {
            let (mut postings, mut at, mut expected) = (Postings::default(), base, Vec::new());
            for step in steps {
                at += step;
                postings.push(base, at);
                expected.push(at);
            }
            expected.dedup();
            let mut found = Vec::new();
            read(postings.bytes(), base, |seqno| found.push(seqno)).unwrap();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn strange_bytes_are_errors_and_not_panics(bytes: Vec<u8>, base: u64) {
            let _ = read(&bytes, base, |_| {});
        }
    }
}
