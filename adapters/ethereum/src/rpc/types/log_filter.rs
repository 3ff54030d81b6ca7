//! What eth_getLogs, filters and log subscriptions are asked for, as it is written.

use std::fmt;
use std::marker::PhantomData;

use alloy_primitives::{Address, B256};
use serde::de::{self, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{BlockId, FromHex, Hex};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::rpc) struct LogFilter {
    pub(in crate::rpc) from_block: Option<BlockId>,
    pub(in crate::rpc) to_block: Option<BlockId>,
    pub(in crate::rpc) block_hash: Option<Hex<B256>>,
    #[serde(deserialize_with = "one_or_many_or_none")]
    pub(in crate::rpc) address: Vec<Address>,
    /// By position: any of these; an empty list is anything.
    #[serde(deserialize_with = "positions")]
    pub(in crate::rpc) topics: Vec<Vec<B256>>,
}

fn one_or_many_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Address>, D::Error> {
    let several = Option::<Several<Hex<Address>>>::deserialize(deserializer)?;
    Ok(several.map(|Several(list)| list.into_iter().map(|hex| hex.0).collect()).unwrap_or_default())
}

fn positions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<B256>>, D::Error> {
    let positions = Option::<Vec<Option<Several<Topic>>>>::deserialize(deserializer)?.unwrap_or_default();
    let topics = |position: Option<Several<Topic>>| {
        // A null among the alternatives matches anything, and so the position does.
        let Several(topics) = position.unwrap_or(Several(Vec::new()));
        topics.into_iter().map(|Topic(topic)| topic).collect::<Option<Vec<_>>>().unwrap_or_default()
    };
    Ok(positions.into_iter().map(topics).collect())
}

/// A topic, or `null`.
struct Topic(Option<B256>);

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = Topic;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a topic or null")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Topic, E> {
                B256::from_hex(text).map(|topic| Topic(Some(topic))).map_err(E::custom)
            }

            fn visit_unit<E: de::Error>(self) -> Result<Topic, E> {
                Ok(Topic(None))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// One value, or a list of them.
struct Several<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = Several<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a hex string or a list of them")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Several(vec![T::deserialize(text.into_deserializer())?]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(one) = seq.next_element()? {
                    list.push(one);
                }
                Ok(Several(list))
            }
        }

        deserializer.deserialize_any(Either(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_topics_come_alone_in_lists_or_not_at_all() {
        let (address, topic) = (Address::repeat_byte(1), B256::repeat_byte(2));
        let json = format!(
            r#"{{"address":"{address:?}","topics":[null,"{topic}",["{topic}","{topic}"],[],["{topic}",null]],"fromBlock":"0x1"}}"#
        );
        let filter: LogFilter = serde_json::from_str(&json).unwrap();
        assert_eq!(filter.address, [address]);
        assert_eq!(filter.topics, [vec![], vec![topic], vec![topic; 2], vec![], vec![]]);
        assert_eq!(filter.from_block, Some(BlockId::Number(1)));
        let filter: LogFilter = serde_json::from_str(r#"{"address":null,"topics":null,"toBlock":null}"#).unwrap();
        assert!(filter.address.is_empty() && filter.topics.is_empty() && filter.to_block.is_none());
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for json in [r#"{"address":"0x12"}"#, r#"{"address":5}"#, r#"{"topics":"0x12"}"#, r#"{"topics":[{}]}"#] {
            assert!(serde_json::from_str::<LogFilter>(json).is_err(), "{json}");
        }
    }
}
