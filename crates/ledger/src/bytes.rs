//! Reading and writing the format's plain parts: little-endian numbers and byte strings behind their length.

use crate::Corrupt;

/// Walks over foreign bytes; every step is bounded by what is left.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Corrupt> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(Corrupt::Content("it ends too early"))?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Corrupt> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(Corrupt::Content("it ends too early"))?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Corrupt> {
        Ok(u64::from_le_bytes(*self.array()?))
    }

    /// A length, then that many bytes.
    pub(crate) fn string(&mut self) -> Result<&'a [u8], Corrupt> {
        let len = self.u64()?;
        self.take(usize::try_from(len).map_err(|_| Corrupt::Content("a length is out of range"))?)
    }
}

pub(crate) fn put_u64(out: &mut Vec<u8>, value: usize) {
    out.extend_from_slice(&(value as u64).to_le_bytes());
}

pub(crate) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u64(out, bytes.len());
    out.extend_from_slice(bytes);
}
