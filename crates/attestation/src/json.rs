//! JSON of strangers: a key stands once, and nothing follows the document.
//!
//! Two readers of one text with a key twice may see two values; so such a text is refused, wherever in it the key stands.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::{Code, Refusal};

/// Parses one document of at most `limit` bytes. `what` is what it is called in a refusal.
pub fn parse<T: DeserializeOwned>(text: &[u8], limit: usize, what: &str) -> Result<T, Refusal> {
    if text.len() > limit {
        let text = format!("{what} has {} bytes, at most {limit} are allowed", text.len());
        return Err(Refusal::new(Code::OversizedLength, text));
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    Unique::deserialize(&mut reader).map_err(|error| refusal(what, &error))?;
    reader.end().map_err(|error| Refusal::new(Code::JsonTrailing, format!("{what}: {error}")))?;
    serde_json::from_slice(text).map_err(|error| refusal(what, &error))
}

/// A key found twice is the only error that our own visitor makes.
const TWICE: &str = "a key stands twice: ";

fn refusal(what: &str, error: &serde_json::Error) -> Refusal {
    let text = error.to_string();
    let code = if text.starts_with(TWICE) { Code::DuplicateKey } else { Code::BadEncoding };
    Refusal::new(code, format!("{what}: {text}"))
}

/// Walks a document and keeps nothing.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            entries.next_value::<Self>()?;
            if let Some(twice) = seen.replace(key) {
                return Err(serde::de::Error::custom(format!("{TWICE}{twice}")));
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn code(text: &str) -> Option<Code> {
        parse::<Value>(text.as_bytes(), 64, "test").err().map(|refusal| refusal.code)
    }

    #[test]
    fn keys_stand_once_at_every_depth_and_nothing_follows() {
        assert_eq!(code(r#"{"a":[1,-1,0.5,null,true,"x",{"b":1}],"b":{"a":1}} "#), None);
        assert_eq!(code(r#"{"a":1,"a":1}"#), Some(Code::DuplicateKey));
        assert_eq!(code(r#"{"a":1,"\u0061":1}"#), Some(Code::DuplicateKey));
        assert_eq!(code(r#"[{"x":{"a":1,"b":2,"a":3}}]"#), Some(Code::DuplicateKey));
        assert_eq!(code("{} {}"), Some(Code::JsonTrailing));
        assert_eq!(code("{\"a\":"), Some(Code::BadEncoding));
        assert_eq!(code(&" ".repeat(65)), Some(Code::OversizedLength));
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_exhaust_the_stack() {
        let deep = "[".repeat(100_000);
        assert_eq!(parse::<Value>(deep.as_bytes(), 1 << 20, "test").unwrap_err().code, Code::BadEncoding);
    }
}
