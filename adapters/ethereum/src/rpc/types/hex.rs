//! Numbers and bytes as Ethereum writes them in JSON: text, prefixed, a number without leading zeros.
//!
//! Reading is strict where geth is: what one client accepts and another refuses is no use to anyone.

use std::borrow::Cow;
use std::fmt;

use alloy_primitives::{Address, B256, Bytes, U256};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

/// A value that travels as hexadecimal text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub(in crate::rpc) struct Hex<T>(pub(in crate::rpc) T);

/// Reads a value from its text. The error is a clause that says what is wrong with it.
pub(in crate::rpc) trait FromHex: Sized {
    fn from_hex(text: &str) -> Result<Self, String>;
}

fn digits(text: &str) -> Result<&str, String> {
    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).ok_or_else(|| {
        if text.is_empty() { "empty hex string".to_owned() } else { "hex string without 0x prefix".to_owned() }
    })
}

/// Digits of a number of at most `bits` bits.
fn number(text: &str, bits: usize) -> Result<&str, String> {
    let digits = digits(text)?;
    if digits.is_empty() {
        return Err("hex string \"0x\"".into());
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return Err("hex number with leading zero digits".into());
    }
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err("invalid hex string".into());
    }
    if digits.len() * 4 > bits {
        return Err(format!("hex number > {bits} bits"));
    }
    Ok(digits)
}

impl FromHex for u64 {
    fn from_hex(text: &str) -> Result<Self, String> {
        Self::from_str_radix(number(text, 64)?, 16).map_err(|error| error.to_string())
    }
}

impl FromHex for u128 {
    fn from_hex(text: &str) -> Result<Self, String> {
        Self::from_str_radix(number(text, 128)?, 16).map_err(|error| error.to_string())
    }
}

impl FromHex for U256 {
    fn from_hex(text: &str) -> Result<Self, String> {
        Self::from_str_radix(number(text, 256)?, 16).map_err(|error| error.to_string())
    }
}

impl FromHex for Bytes {
    fn from_hex(text: &str) -> Result<Self, String> {
        let digits = digits(text)?;
        if digits.len() % 2 == 1 {
            return Err("hex string of odd length".into());
        }
        const_hex::decode(digits).map(Self::from).map_err(|_| "invalid hex string".into())
    }
}

fn fixed<const N: usize>(text: &str, what: &str) -> Result<[u8; N], String> {
    let digits = digits(text)?;
    if digits.len() != 2 * N {
        return Err(format!("hex string has length {}, want {} for {what}", digits.len(), 2 * N));
    }
    let mut bytes = [0; N];
    const_hex::decode_to_slice(digits, &mut bytes).map_err(|_| "invalid hex string".to_owned())?;
    Ok(bytes)
}

impl FromHex for Address {
    fn from_hex(text: &str) -> Result<Self, String> {
        fixed(text, "an address").map(Self::new)
    }
}

impl FromHex for B256 {
    fn from_hex(text: &str) -> Result<Self, String> {
        fixed(text, "a hash").map(Self::new)
    }
}

impl<'de, T: FromHex> Deserialize<'de> for Hex<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        T::from_hex(&text).map(Self).map_err(de::Error::custom)
    }
}

/// A string, borrowed unless it holds escapes.
pub(in crate::rpc) struct Text<'a>(pub(in crate::rpc) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowing;

        impl<'de> Visitor<'de> for Borrowing {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Borrowing)
    }
}

macro_rules! serialize_as_number {
    ($($number:ty),*) => {$(
        impl Serialize for Hex<$number> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&format_args!("{:#x}", self.0))
            }
        }
    )*};
}
serialize_as_number!(u64, u128, U256);

impl<T: AsRef<[u8]>> Serialize for Data<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&const_hex::encode_prefixed(&self.0))
    }
}

/// Bytes on their way out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::rpc) struct Data<T>(pub(in crate::rpc) T);

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: FromHex>(text: &str) -> Result<T, String> {
        serde_json::from_str::<Hex<T>>(&format!("{text:?}")).map(|hex| hex.0).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_are_read_strictly() {
        assert_eq!(read::<u64>("0x0"), Ok(0));
        assert_eq!(read::<u64>("0xfF"), Ok(255));
        assert_eq!(read::<u64>("0xffffffffffffffff"), Ok(u64::MAX));
        for wrong in ["", "0x", "2", "0x02", "0xg", "0x+1", "0x-1", "0x10000000000000000", "0x 1"] {
            assert!(read::<u64>(wrong).is_err(), "{wrong}");
        }
        assert_eq!(read::<U256>(&format!("0x{}", "f".repeat(64))), Ok(U256::MAX));
        assert!(read::<U256>(&format!("0x1{}", "0".repeat(64))).is_err());
    }

    #[test]
    fn bytes_need_whole_pairs_and_their_length() {
        assert_eq!(read::<Bytes>("0x"), Ok(Bytes::new()));
        assert_eq!(read::<Bytes>("0x0aFf"), Ok(Bytes::from_static(&[10, 255])));
        assert!(read::<Bytes>("0x1").is_err());
        assert!(read::<Bytes>("0xzz").is_err());
        assert!(read::<Address>("0x11").is_err());
        assert_eq!(read::<Address>(&format!("0x{}", "11".repeat(20))), Ok(Address::repeat_byte(0x11)));
    }

    #[test]
    fn numbers_are_written_without_leading_zeros() {
        let text = |value: &dyn erased::Json| value.json();
        assert_eq!(text(&Hex(0u64)), r#""0x0""#);
        assert_eq!(text(&Hex(256u64)), r#""0x100""#);
        assert_eq!(text(&Hex(U256::from(10))), r#""0xa""#);
        assert_eq!(text(&Data([0u8, 1])), r#""0x0001""#);
        assert_eq!(text(&Address::repeat_byte(0xAB)), format!(r#""0x{}""#, "ab".repeat(20)));
    }

    mod erased {
        pub(super) trait Json {
            fn json(&self) -> String;
        }
        impl<T: serde::Serialize> Json for T {
            fn json(&self) -> String {
                serde_json::to_string(self).unwrap()
            }
        }
    }
}
