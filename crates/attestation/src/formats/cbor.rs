//! CBOR with one encoding for each value, so that no byte of it can change without changing what was said.
//!
//! Lengths and numbers are in their shortest form, nothing is of indefinite length (but see [`decode_open`]), no map names a
//! key twice, nothing follows. The order of a map's keys is the author's: real documents do not sort them. Strings are borrowed, and every
//! length is compared with what is left before it is used, so an input of n bytes yields at most n values.

use crate::{Code, Refusal};

/// Deeper than any document of ours (six), shallow enough for any stack.
const DEPTH_MAX: u32 = 16;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Value<'a> {
    Unsigned(u64),
    /// -1 - n.
    Negative(u64),
    Bytes(&'a [u8]),
    Text(&'a str),
    Array(Vec<Value<'a>>),
    Map(Vec<(Value<'a>, Value<'a>)>),
    Tag(u64, Box<Value<'a>>),
    Bool(bool),
    Null,
}

/// The one value that `bytes` are. `bytes_max` is what a whole document of this kind may have: a length above it is no
/// truncation.
pub(crate) fn decode(bytes: &[u8], bytes_max: usize) -> Result<Value<'_>, Refusal> {
    let mut reader = Reader { left: bytes, bytes_max };
    let value = reader.value(0)?;
    if reader.left.is_empty() {
        Ok(value)
    } else {
        Err(Refusal::new(Code::TrailingBytes, "bytes follow the CBOR value"))
    }
}

/// The same, for a map inside a signature that its author may also write with an indefinite length. Only the outermost map
/// is read so: what is in it has one encoding.
pub(crate) fn decode_open(bytes: &[u8], bytes_max: usize) -> Result<Value<'_>, Refusal> {
    let Some(entries) = bytes.strip_prefix(&[OPEN_MAP]) else { return decode(bytes, bytes_max) };
    let mut reader = Reader { left: entries, bytes_max };
    let value = Value::Map(reader.open_map()?);
    if reader.left.is_empty() { Ok(value) } else { Err(Refusal::new(Code::TrailingBytes, "bytes follow the CBOR map")) }
}

/// Begin and end of a map of indefinite length.
const OPEN_MAP: u8 = 0xbf;
const BREAK: u8 = 0xff;

impl<'a> Value<'a> {
    pub(crate) fn integer(&self) -> Option<i64> {
        match *self {
            Value::Unsigned(n) => i64::try_from(n).ok(),
            Value::Negative(n) => i64::try_from(n).ok().map(|n| -1 - n),
            _ => None,
        }
    }

    pub(crate) fn unsigned(&self) -> Option<u64> {
        if let Value::Unsigned(n) = *self { Some(n) } else { None }
    }

    pub(crate) fn bytes(&self) -> Option<&'a [u8]> {
        if let Value::Bytes(bytes) = *self { Some(bytes) } else { None }
    }

    pub(crate) fn text(&self) -> Option<&'a str> {
        if let Value::Text(text) = *self { Some(text) } else { None }
    }

    pub(crate) fn array(&self) -> Option<&[Value<'a>]> {
        if let Value::Array(items) = self { Some(items) } else { None }
    }

    pub(crate) fn map(&self) -> Option<&[(Value<'a>, Value<'a>)]> {
        if let Value::Map(entries) = self { Some(entries) } else { None }
    }

    /// What this map has under a number.
    pub(crate) fn at(&self, key: i64) -> Option<&Value<'a>> {
        self.map()?.iter().find(|(k, _)| k.integer() == Some(key)).map(|(_, value)| value)
    }

    /// What this map has under a name.
    pub(crate) fn named(&self, key: &str) -> Option<&Value<'a>> {
        self.map()?.iter().find(|(k, _)| k.text() == Some(key)).map(|(_, value)| value)
    }
}

struct Reader<'a> {
    left: &'a [u8],
    bytes_max: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: u32) -> Result<Value<'a>, Refusal> {
        if depth > DEPTH_MAX {
            return Err(Refusal::new(Code::OversizedLength, "CBOR nested too deeply"));
        }
        let (major, number) = self.head()?;
        Ok(match major {
            0 => Value::Unsigned(number),
            1 => Value::Negative(number),
            2 => Value::Bytes(self.string(number)?),
            3 => Value::Text(
                std::str::from_utf8(self.string(number)?)
                    .map_err(|_| Refusal::new(Code::NotCanonical, "a CBOR text is not UTF-8"))?,
            ),
            4 => Value::Array(self.array(number, depth)?),
            5 => Value::Map(self.map(number, depth)?),
            6 => Value::Tag(number, Box::new(self.value(depth + 1)?)),
            _ => match number {
                20 => Value::Bool(false),
                21 => Value::Bool(true),
                22 => Value::Null,
                _ => {
                    return Err(Refusal::new(
                        Code::NotCanonical,
                        "a CBOR simple value or float, which no evidence has",
                    ));
                }
            },
        })
    }

    /// Major type and argument, in the shortest form only.
    fn head(&mut self) -> Result<(u8, u64), Refusal> {
        let first = self.take(1)?[0];
        let (major, short) = (first >> 5, first & 0x1f);
        let (number, least) = match short {
            0..=23 => return Ok((major, u64::from(short))),
            24 => (u64::from(self.take(1)?[0]), 24),
            25 => (self.big_endian(2)?, 1 << 8),
            26 => (self.big_endian(4)?, 1 << 16),
            27 => (self.big_endian(8)?, 1 << 32),
            _ => return Err(Refusal::new(Code::NotCanonical, "CBOR of indefinite length or a reserved form")),
        };
        if number < least || major == 7 {
            return Err(Refusal::new(Code::NotCanonical, "a CBOR number is not in its shortest form"));
        }
        Ok((major, number))
    }

    fn big_endian(&mut self, count: usize) -> Result<u64, Refusal> {
        Ok(self.take(count)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn string(&mut self, length: u64) -> Result<&'a [u8], Refusal> {
        let length = self.bounded(length)?;
        self.take(length)
    }

    fn array(&mut self, count: u64, depth: u32) -> Result<Vec<Value<'a>>, Refusal> {
        let count = self.bounded(count)?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.value(depth + 1)?);
        }
        Ok(items)
    }

    fn map(&mut self, count: u64, depth: u32) -> Result<Vec<(Value<'a>, Value<'a>)>, Refusal> {
        let count = self.bounded(count)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            self.entry(&mut entries, depth)?;
        }
        Ok(entries)
    }

    /// Up to its break.
    fn open_map(&mut self) -> Result<Vec<(Value<'a>, Value<'a>)>, Refusal> {
        let mut entries = Vec::new();
        while self.left.first() != Some(&BREAK) {
            self.entry(&mut entries, 0)?;
        }
        self.take(1)?;
        Ok(entries)
    }

    fn entry(&mut self, entries: &mut Vec<(Value<'a>, Value<'a>)>, depth: u32) -> Result<(), Refusal> {
        let key = self.value(depth + 1)?;
        if !matches!(key, Value::Unsigned(_) | Value::Negative(_) | Value::Text(_)) {
            return Err(Refusal::new(Code::NotCanonical, "a CBOR map's key is neither number nor text"));
        }
        // Maps of evidence are short, so the quadratic search is; a hostile one stops at the limit below.
        if entries.len() >= ENTRIES_MAX {
            return Err(Refusal::new(Code::OversizedLength, "a CBOR map with too many entries"));
        }
        if entries.iter().any(|(earlier, _)| *earlier == key) {
            return Err(Refusal::new(Code::DuplicateKey, "a CBOR map names a key twice"));
        }
        let value = self.value(depth + 1)?;
        entries.push((key, value));
        Ok(())
    }

    /// A declared length as one that this kind of document may have; whether the bytes are there is asked later.
    fn bounded(&self, length: u64) -> Result<usize, Refusal> {
        let length = usize::try_from(length)
            .ok()
            .filter(|length| length.checked_add(self.bytes_max).is_some() && *length <= isize::MAX.unsigned_abs())
            .ok_or_else(|| Refusal::new(Code::LengthOverflow, "a CBOR length overflows"))?;
        if length > self.bytes_max {
            return Err(Refusal::new(Code::OversizedLength, "a CBOR length above what any such document has"));
        }
        Ok(length)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Refusal> {
        let (taken, left) =
            self.left.split_at_checked(count).ok_or_else(|| Refusal::new(Code::Truncated, "CBOR ends early"))?;
        self.left = left;
        Ok(taken)
    }
}

/// More than any map of evidence has.
const ENTRIES_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn code(bytes: &[u8]) -> Code {
        decode(bytes, 64).unwrap_err().code
    }

    #[test]
    fn each_value_has_one_encoding() {
        assert_eq!(decode(&[0x17], 64).unwrap(), Value::Unsigned(23));
        assert_eq!(code(&[0x18, 0x17]), Code::NotCanonical, "a longer form of the same number");
        assert_eq!(code(&[0x19, 0x00, 0xff]), Code::NotCanonical);
        assert_eq!(code(&[0x5f, 0x41, 0x00, 0xff]), Code::NotCanonical, "indefinite length");
        assert_eq!(code(&[0xf8, 0x16]), Code::NotCanonical, "null in a longer form");
        assert_eq!(code(&[0xf9, 0x00, 0x00]), Code::NotCanonical, "a float");
        assert_eq!(code(&[0x61, 0xff]), Code::NotCanonical, "text that is not UTF-8");
        assert_eq!(code(&[0xa2, 0x01, 0x00, 0x01, 0x00]), Code::DuplicateKey);
        assert_eq!(code(&[0x00, 0x00]), Code::TrailingBytes);
    }

    #[test]
    fn an_outermost_map_may_be_open_where_its_author_may_write_it_so() {
        let both = [&[0xa1, 0x01, 0x41, 0x07][..], &[0xbf, 0x01, 0x41, 0x07, 0xff]];
        assert_eq!(decode_open(both[0], 64), decode_open(both[1], 64));
        let code = |bytes: &[u8]| decode_open(bytes, 64).unwrap_err().code;
        assert_eq!(code(&[0xbf, 0x01, 0x41, 0x07]), Code::Truncated);
        assert_eq!(code(&[0xbf, 0x01, 0xff]), Code::NotCanonical, "a key without a value");
        assert_eq!(code(&[0xbf, 0x01, 0x00, 0x01, 0x00, 0xff]), Code::DuplicateKey);
        assert_eq!(code(&[0xbf, 0xff, 0x00]), Code::TrailingBytes);
        assert_eq!(code(&[0xbf, 0x01, 0xbf, 0xff, 0xff]), Code::NotCanonical, "not inside");
        assert_eq!(code(&[0x9f, 0xff]), Code::NotCanonical, "no array");
        assert_eq!(super::tests::code(both[1]), Code::NotCanonical);
    }

    #[test]
    fn lengths_are_bounded_before_use() {
        assert_eq!(code(&[]), Code::Truncated);
        assert_eq!(code(&[0x45, 0x00]), Code::Truncated);
        assert_eq!(code(&[0x5a, 0x7f, 0xff, 0xff, 0xff]), Code::OversizedLength);
        assert_eq!(code(&[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Code::LengthOverflow);
        assert_eq!(code(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Code::LengthOverflow);
        assert_eq!(code(&[0x81; 40]), Code::OversizedLength, "depth");
    }
}
