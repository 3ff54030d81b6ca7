//! How a caller names a block: a number, a tag, a hash, or an EIP-1898 object.

use alloy_primitives::B256;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::{FromHex, Hex, Text};

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub(in crate::rpc) enum BlockId {
    /// `latest`, `safe` and `finalized`: a committed block is final.
    #[default]
    Head,
    /// What comes after the head. Nothing of it is known but its header's beginning, so state is the head's.
    Pending,
    Earliest,
    Number(u64),
    Hash(B256),
}

impl FromHex for BlockId {
    fn from_hex(text: &str) -> Result<Self, String> {
        match text {
            "latest" | "safe" | "finalized" => Ok(Self::Head),
            "pending" => Ok(Self::Pending),
            "earliest" => Ok(Self::Earliest),
            hash if hash.len() == 66 => B256::from_hex(hash).map(Self::Hash),
            number => u64::from_hex(number).map(Self::Number),
        }
    }
}

impl<'de> Deserialize<'de> for BlockId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = BlockId;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a block number, a tag, a block hash or an object that holds one of them")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<BlockId, E> {
        BlockId::from_hex(text).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BlockId, A::Error> {
        let (mut number, mut hash) = (None, None);
        while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
            match &*key {
                "blockNumber" => number = map.next_value::<Option<Hex<BlockId>>>()?,
                "blockHash" => hash = map.next_value::<Option<Hex<B256>>>()?,
                // There is one chain: every block of it is canonical.
                "requireCanonical" => drop(map.next_value::<Option<bool>>()?),
                _ => drop(map.next_value::<de::IgnoredAny>()?),
            }
        }
        match (number, hash) {
            (Some(_), Some(_)) => Err(de::Error::custom("cannot specify both blockHash and blockNumber")),
            (Some(Hex(number)), None) => Ok(number),
            (None, Some(Hex(hash))) => Ok(BlockId::Hash(hash)),
            (None, None) => Err(de::Error::custom("either blockNumber or blockHash must be given")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<BlockId, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn every_form_is_read() {
        let hash = B256::repeat_byte(7);
        for tag in ["latest", "safe", "finalized"] {
            assert_eq!(read(&format!("{tag:?}")), Ok(BlockId::Head));
        }
        assert_eq!(read("\"pending\""), Ok(BlockId::Pending));
        assert_eq!(read("\"earliest\""), Ok(BlockId::Earliest));
        assert_eq!(read("\"0x10\""), Ok(BlockId::Number(16)));
        assert_eq!(read(&format!("\"{hash}\"")), Ok(BlockId::Hash(hash)));
        assert_eq!(read(r#"{"blockNumber":"0x10"}"#), Ok(BlockId::Number(16)));
        assert_eq!(read(r#"{"blockNumber":"latest"}"#), Ok(BlockId::Head));
        let object = format!(r#"{{"blockHash":"{hash}","requireCanonical":true}}"#);
        assert_eq!(read(&object), Ok(BlockId::Hash(hash)));
    }

    #[test]
    fn anything_else_is_refused() {
        for json in ["16", "\"16\"", "\"newest\"", "{}", "[]", "true", r#"{"blockNumber":"0x1","blockHash":"0x1"}"#] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
