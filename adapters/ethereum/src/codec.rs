//! The small encoding of this adapter's own rows and work: variable-length numbers, and bytes behind their length.

use crate::ReadError;

/// Appends `value`, seven bits a byte, lowest first; the high bit says that more follow.
pub(crate) fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what the functions above wrote. Every read is bounded by what is left.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// What is being read, for the error.
    what: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    pub(crate) fn corrupt(&self) -> ReadError {
        ReadError::Corrupt(self.what)
    }

    pub(crate) fn number(&mut self) -> Result<u64, ReadError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(self.corrupt());
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.corrupt())
    }

    pub(crate) fn byte(&mut self) -> Result<u8, ReadError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let (array, rest) = self.rest.split_first_chunk::<N>().ok_or(ReadError::Corrupt(self.what))?;
        self.rest = rest;
        Ok(*array)
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], ReadError> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(ReadError::Corrupt(self.what))?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], ReadError> {
        let length = self.number()?;
        self.take(usize::try_from(length).map_err(|_| self.corrupt())?)
    }

    /// A count of things that take at least `least` bytes each, so that a wrong one cannot ask for much memory.
    pub(crate) fn count(&mut self, least: usize) -> Result<usize, ReadError> {
        let count = usize::try_from(self.number()?).map_err(|_| self.corrupt())?;
        if count > self.rest.len() / least { Err(self.corrupt()) } else { Ok(count) }
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn end(self) -> Result<(), ReadError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.corrupt()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_and_bytes_come_back(number: u64, bytes: Vec<u8>) {
            let mut out = Vec::new();
            put_number(&mut out, number);
            put_bytes(&mut out, &bytes);
            let mut reader = Reader::new(&out, "a test");
            prop_assert_eq!(reader.number().unwrap(), number);
            prop_assert_eq!(reader.bytes().unwrap(), &bytes[..]);
            reader.end().unwrap();
        }

        #[test]
        fn strange_bytes_are_errors_and_not_panics(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes, "a test");
            while reader.bytes().is_ok_and(|bytes| !bytes.is_empty()) {}
        }
    }
}
