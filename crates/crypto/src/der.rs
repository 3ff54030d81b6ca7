//! The little of DER that is written by hand: keys made from numbers, and ECDSA signatures.

pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

/// Tag, length and content; up to 64 KiB of it.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let [.., high, low] = content.len().to_be_bytes();
    let mut out = match content.len() {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    out.extend_from_slice(content);
    out
}

/// A number that is not negative, big-endian, with or without leading zeros.
pub(crate) fn unsigned(number: &[u8]) -> Vec<u8> {
    let number = trimmed(number);
    let positive = number.first().is_some_and(|first| *first < 0x80);
    if positive { tlv(INTEGER, number) } else { tlv(INTEGER, &[&[0], number].concat()) }
}

/// A number without leading zeros.
pub(crate) fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lengths_have_one_encoding() {
        assert_eq!(unsigned(&[]), [INTEGER, 1, 0]);
        assert_eq!(unsigned(&[0, 0, 0x7f]), [INTEGER, 1, 0x7f]);
        assert_eq!(unsigned(&[0x80]), [INTEGER, 2, 0, 0x80]);
        assert_eq!(tlv(SEQUENCE, &[1; 0x80])[..4], [SEQUENCE, 0x81, 0x80, 1]);
        assert_eq!(tlv(SEQUENCE, &[1; 0x100])[..5], [SEQUENCE, 0x82, 1, 0, 1]);
    }
}
