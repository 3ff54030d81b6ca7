//! Typed data (EIP-712) as far as it is safe to take it apart.
//!
//! The types of a message name each other, so a short request can describe a very deep or a very large one. Whoever
//! takes it apart does so by recursion and writes every type out in full: both are bounded here before.

use std::borrow::Cow;
use std::collections::HashMap;

use alloy_dyn_abi::TypedData;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::errors::Error;

/// Members of all types, each type counted wherever it is named.
const MEMBERS_MAX: u64 = 10_000;
const DEPTH_MAX: usize = 64;
/// Characters of a type's name, lists of lists included.
const NAME_MAX: usize = 256;

#[derive(Deserialize)]
struct Types<'a> {
    #[serde(borrow)]
    types: HashMap<Cow<'a, str>, Vec<Member<'a>>>,
}

#[derive(Deserialize)]
struct Member<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

/// Reads the data: an object, or the text of one.
pub(super) fn read(raw: &RawValue) -> Result<TypedData, Error> {
    let invalid = |error: serde_json::Error| Error::params(format!("invalid argument 1: {error}"));
    let text = if raw.get().starts_with('"') {
        Cow::Owned(serde_json::from_str::<String>(raw.get()).map_err(invalid)?)
    } else {
        Cow::Borrowed(raw.get())
    };
    let types = serde_json::from_str::<Types<'_>>(&text).map_err(invalid)?.types;
    let mut known = HashMap::new();
    for name in types.keys() {
        if measure(&types, name, 0, &mut known).is_none_or(|Extent { members, .. }| members > MEMBERS_MAX) {
            return Err(Error::params("invalid argument 1: the types are too large or too deep"));
        }
    }
    serde_json::from_str(&text).map_err(invalid)
}

/// A type, written out.
#[derive(Clone, Copy)]
struct Extent {
    members: u64,
    height: usize,
}

/// `None`: too deep, or a name of no plain form.
fn measure<'t>(
    types: &'t HashMap<Cow<'_, str>, Vec<Member<'_>>>,
    name: &'t str,
    depth: usize,
    known: &mut HashMap<&'t str, Extent>,
) -> Option<Extent> {
    let plain = |name: &str| name.len() <= NAME_MAX && !name.contains(['(', ')']);
    if let Some(extent) = known.get(name) {
        return Some(*extent);
    }
    if depth > DEPTH_MAX || !plain(name) {
        return None;
    }
    let mut extent = Extent { members: 1, height: 0 };
    for Member { kind } in types.get(name).into_iter().flatten() {
        if !plain(kind) {
            return None;
        }
        let element = kind.split_once('[').map_or(&**kind, |(element, _)| element);
        let below = measure(types, element, depth + 1, known)?;
        extent.members = extent.members.saturating_add(below.members);
        extent.height = extent.height.max(below.height + 1);
    }
    known.insert(name, extent);
    Some(extent).filter(|extent| extent.height <= DEPTH_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(types: &str) -> bool {
        let json =
            format!(r#"{{"types":{{"EIP712Domain":[],{types}}},"primaryType":"T0","domain":{{}},"message":{{}}}}"#);
        let text = serde_json::to_string(&json).unwrap();
        [json, text].into_iter().all(|json| read(&RawValue::from_string(json).unwrap()).is_err())
    }

    fn chain(length: usize, members: usize) -> String {
        let member = |next: usize| format!(r#"{{"name":"m","type":"T{next}"}}"#);
        let line = |this: usize| format!(r#""T{this}":[{}]"#, vec![member(this + 1); members].join(","));
        let types: Vec<String> = (0..length).map(line).collect();
        format!(r#"{},"T{length}":[]"#, types.join(","))
    }

    #[test]
    fn types_are_bounded_in_depth_and_in_size() {
        assert!(!refused(&chain(20, 1)));
        assert!(refused(&chain(1_000, 1)), "deep");
        assert!(refused(&chain(50_000, 1)), "very deep");
        assert!(refused(&chain(40, 2)), "2^40 members");
        assert!(refused(r#""T0":[{"name":"m","type":"T0"}]"#), "a circle");
        assert!(refused(&format!(r#""T0":[{{"name":"m","type":"uint8{}"}}]"#, "[]".repeat(100_000))));
        assert!(refused(&format!(r#""T0":[{{"name":"m","type":"{}"}}]"#, "(".repeat(100_000))));
    }
}
