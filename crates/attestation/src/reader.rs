//! Bytes of strangers, read in order. Every length is compared with what is left before it is used.

use crate::{Code, Refusal};

/// A cursor that cannot run past its end.
///
/// Which code running out has: the bytes of the evidence itself are [`Code::Truncated`]; bytes that were cut to a declared
/// length are too few because an inner length lies, which is [`Code::OversizedLength`].
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    left: &'a [u8],
    /// Where the reader stands, from the start of what it was made of.
    at: usize,
    short: Code,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes, at: 0, short: Code::Truncated }
    }

    /// A reader of a part that was cut to its declared length.
    pub fn part(bytes: &'a [u8]) -> Self {
        Self { left: bytes, at: 0, short: Code::OversizedLength }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn left(&self) -> &'a [u8] {
        self.left
    }

    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Refusal> {
        let Some((taken, left)) = self.left.split_at_checked(count) else {
            let text = format!("{count} bytes wanted at offset {}, {} are left", self.at, self.left.len());
            return Err(Refusal::new(self.short, text));
        };
        self.left = left;
        self.at += count;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub fn u8(&mut self) -> Result<u8, Refusal> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn u16_le(&mut self) -> Result<u16, Refusal> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32_le(&mut self) -> Result<u32, Refusal> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64_le(&mut self) -> Result<u64, Refusal> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn u16_be(&mut self) -> Result<u16, Refusal> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn u32_be(&mut self) -> Result<u32, Refusal> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn u64_be(&mut self) -> Result<u64, Refusal> {
        self.array().map(u64::from_be_bytes)
    }

    /// As many bytes as a length field said. A length that no 32-bit offset can hold is told apart from one beyond `limit`
    /// and from bytes that are merely missing.
    pub fn sized(&mut self, length: u32, limit: usize) -> Result<&'a [u8], Refusal> {
        let end = u32::try_from(self.at).ok().and_then(|at| at.checked_add(length));
        if end.is_none() {
            return Err(Refusal::new(Code::LengthOverflow, format!("length {length} at offset {}", self.at)));
        }
        let count = usize::try_from(length).unwrap_or(usize::MAX);
        if count > limit {
            let text = format!("length {length} at offset {}, at most {limit} is allowed", self.at);
            return Err(Refusal::new(Code::OversizedLength, text));
        }
        self.take(count)
    }

    /// Bytes that the format reserves: zero, or the evidence is refused.
    pub fn zeros(&mut self, count: usize) -> Result<(), Refusal> {
        let at = self.at;
        if self.take(count)?.iter().any(|byte| *byte != 0) {
            return Err(Refusal::new(Code::ReservedNotZero, format!("{count} reserved bytes at offset {at}")));
        }
        Ok(())
    }

    /// Nothing may follow.
    pub fn end(&self) -> Result<(), Refusal> {
        if self.left.is_empty() {
            return Ok(());
        }
        Err(Refusal::new(Code::TrailingBytes, format!("{} bytes follow at offset {}", self.left.len(), self.at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_running_out_has_its_code() {
        let bytes = [1, 0, 0, 0, 9];
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.u32_le(), Ok(1));
        let code = |result: Result<&[u8], Refusal>| result.unwrap_err().code;
        assert_eq!(code(reader.clone().sized(u32::MAX - 3, usize::MAX)), Code::LengthOverflow);
        assert_eq!(code(reader.clone().sized(100, 50)), Code::OversizedLength);
        assert_eq!(code(reader.clone().sized(50, 50)), Code::Truncated);
        assert_eq!(code(Reader::part(&bytes).take(6)), Code::OversizedLength);
        assert_eq!(reader.zeros(1).unwrap_err().code, Code::ReservedNotZero);
        assert_eq!(reader.end(), Ok(()));
        assert_eq!(Reader::new(&bytes).end().unwrap_err().code, Code::TrailingBytes);
    }
}
