//! A ledger's row: what every node must start it from, as JSON that members can read.
//!
//! | field | content |
//! |---|---|
//! | `kind` | which adapter |
//! | `genesis` | Ethereum: geth's `genesis.json`; numbers that JSON's readers round are texts of decimal digits |
//! | `base_fee` | Ethereum: of every block, in wei |
//! | `blobs` | Ethereum: whether blob transactions are taken |

use anyhow::{Context, ensure};
use development::LedgerKind;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// A genesis nests five deep.
const DEPTH_MAX: usize = 16;

pub struct Row(pub Map<String, Value>);

impl Row {
    pub fn keyvalue() -> Self {
        Self(Map::from_iter([("kind".to_owned(), json!(LedgerKind::Keyvalue.name()))]))
    }

    /// From the text of a `genesis.json`.
    pub fn ethereum(genesis: &str, base_fee: u64, blobs: bool) -> anyhow::Result<Self> {
        let genesis = exact(serde_json::from_str(genesis)?, DEPTH_MAX)?;
        Ok(Self(Map::from_iter([
            ("kind".to_owned(), json!(LedgerKind::Ethereum.name())),
            ("genesis".to_owned(), genesis),
            ("base_fee".to_owned(), json!(base_fee)),
            ("blobs".to_owned(), json!(blobs)),
        ])))
    }

    pub fn kind(&self) -> anyhow::Result<LedgerKind> {
        let kind = self.0.get("kind").and_then(Value::as_str).context("its row names no kind")?;
        LedgerKind::parse(kind).with_context(|| format!("it is of the kind {kind}, which this version does not host"))
    }

    /// The text of a `genesis.json`.
    pub fn genesis(&self) -> anyhow::Result<String> {
        let genesis = self.0.get("genesis").filter(|genesis| genesis.is_object());
        Ok(genesis.context("its row has no genesis")?.to_string())
    }

    pub fn base_fee(&self) -> anyhow::Result<u64> {
        self.0.get("base_fee").map_or(Ok(0), |fee| fee.as_u64().context("`base_fee` in its row is no number"))
    }

    pub fn blobs(&self) -> anyhow::Result<bool> {
        self.0
            .get("blobs")
            .map_or(Ok(false), |blobs| blobs.as_bool().context("`blobs` in its row is not true or false"))
    }
}

/// The same JSON, with every number that would not come out as it went in as a text: terminal total difficulties are larger
/// than what readers of JSON keep, and readers of a genesis take texts too.
fn exact(raw: &RawValue, depth: usize) -> anyhow::Result<Value> {
    ensure!(depth > 0, "it nests deeper than any genesis");
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'{') => {
            let fields: std::collections::BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
            fields.into_iter().map(|(name, value)| Ok((name, exact(value, depth - 1)?))).collect()
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            items.into_iter().map(|item| exact(item, depth - 1)).collect()
        }
        _ => {
            let value: Value = serde_json::from_str(text)?;
            let printed = value.to_string();
            Ok(if value.is_number() && printed != text { Value::String(text.to_owned()) } else { value })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_genesis_comes_out_of_the_row_as_it_went_in() {
        let row = Row::ethereum(development::DEFAULT_GENESIS, 7, true).unwrap();
        let before: Value = serde_json::from_str(development::DEFAULT_GENESIS).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&row.genesis().unwrap()).unwrap(), before);
        assert_eq!(
            (row.kind().unwrap(), row.base_fee().unwrap(), row.blobs().unwrap()),
            (LedgerKind::Ethereum, 7, true)
        );
        let text = r#"{"config": {"chainId": 7, "terminalTotalDifficulty": 58750000000000000000000}, "alloc": {}}"#;
        let row = Row::ethereum(text, 0, false).unwrap();
        assert!(row.genesis().unwrap().contains(r#""terminalTotalDifficulty":"58750000000000000000000""#));
        assert!(row.genesis().unwrap().contains(r#""chainId":7"#));
        assert!(Row::ethereum(&"[".repeat(100), 0, false).is_err());
        assert!(Row::ethereum(&format!("{}{}", "[".repeat(20), "]".repeat(20)), 0, false).is_err());
        assert!(Row(Map::new()).kind().is_err());
    }
}
