//! What members propose to open a ledger: what it starts from, where it is served, and to whom.

use std::collections::BTreeMap;
use std::path::Path;

use development::LedgerKind;
use governance::envelope::ENVELOPE_BYTES_MAX;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::failure::Failure;

pub const OPEN_LEDGER: &str = "open_ledger";
pub const SET_LEDGER_POLICY: &str = "set_ledger_policy";

/// A genesis nests five deep.
const DEPTH_MAX: usize = 16;
/// What a signed proposal has beside the genesis in it.
const AROUND_BYTES_MAX: usize = 16 << 10;

/// A ledger that is to be opened.
pub struct Opening {
    pub name: String,
    pub start: Start,
    /// Where nodes serve it whose own file says nothing else.
    pub port: Option<u16>,
    /// From where its clients may connect; `None` = from anywhere.
    pub connect: Option<Vec<String>>,
}

/// What it starts from.
#[derive(Debug)]
pub enum Start {
    Keyvalue,
    Ethereum { genesis: Value, base_fee: u64, blobs: bool },
}

impl Start {
    /// From a file in geth's format. What is in it beside the chain id, the node judges.
    pub fn ethereum(path: &Path, genesis: &[u8], base_fee: u64, blobs: bool) -> Result<Self, Failure> {
        development::chain_id(genesis, path)?;
        let no_genesis = |why: &dyn std::fmt::Display| Failure::new(format!("{} is no genesis: {why}", path.display()));
        let raw = serde_json::from_slice(genesis).map_err(|e| no_genesis(&e))?;
        let genesis = exact(raw, DEPTH_MAX).map_err(|why| no_genesis(&why))?;
        let bytes = genesis.to_string().len();
        if bytes > ENVELOPE_BYTES_MAX - AROUND_BYTES_MAX {
            let what =
                format!("{} is too large: a proposal takes 1024 KiB, and it has {}", path.display(), bytes >> 10);
            return Err(Failure::new(what)
                .hint("leave accounts out of its `alloc`, and fund them by transactions once the ledger is open"));
        }
        Ok(Self::Ethereum { genesis, base_fee, blobs })
    }

    pub const fn kind(&self) -> LedgerKind {
        match self {
            Self::Keyvalue => LedgerKind::Keyvalue,
            Self::Ethereum { .. } => LedgerKind::Ethereum,
        }
    }
}

impl Opening {
    /// As it is proposed. What is as it is by default is left out: members vote on what is said.
    pub fn action(&self) -> Value {
        let Self { name, start, port, connect } = self;
        let mut args = Map::from_iter([("name".to_owned(), json!(name)), ("kind".into(), json!(start.kind().name()))]);
        if let Start::Ethereum { genesis, base_fee, blobs } = start {
            args.insert("genesis".into(), genesis.clone());
            if *base_fee != 0 {
                args.insert("base_fee".into(), json!(base_fee));
            }
            if *blobs {
                args.insert("blobs".into(), json!(true));
            }
        }
        if let Some(port) = port {
            args.insert("listeners".into(), json!({ listener(start.kind()): port }));
        }
        if connect.is_some() {
            args.insert("policy".into(), ledger_policy(connect.as_deref()));
        }
        json!({ "name": OPEN_LEDGER, "args": args })
    }
}

/// What the one door of a kind is called.
const fn listener(kind: LedgerKind) -> &'static str {
    match kind {
        LedgerKind::Ethereum => "rpc",
        LedgerKind::Keyvalue => "rest",
    }
}

/// From where clients may connect, as it is proposed; `None` = from anywhere.
pub fn ledger_policy(connect: Option<&[String]>) -> Value {
    connect.map_or_else(|| json!({}), |networks| json!({ "connect": networks }))
}

/// The same JSON, with every number that would not come out as it went in as a text: scripts and readers of JSON round what is
/// larger than they keep (total difficulties are), and readers of a genesis take texts too.
fn exact(raw: &RawValue, depth: usize) -> Result<Value, String> {
    if depth == 0 {
        return Err("it nests deeper than any genesis".into());
    }
    let text = raw.get();
    let unreadable = |e: serde_json::Error| e.to_string();
    match text.as_bytes().first() {
        Some(b'{') => {
            let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(unreadable)?;
            fields.into_iter().map(|(name, value)| Ok((name, exact(value, depth - 1)?))).collect()
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(unreadable)?;
            items.into_iter().map(|item| exact(item, depth - 1)).collect()
        }
        _ => {
            let value: Value = serde_json::from_str(text).map_err(unreadable)?;
            Ok(if is_rounded(&value, text) { Value::String(text.to_owned()) } else { value })
        }
    }
}

/// Whether a script, whose numbers are all of 64-bit floating point, or a reader here makes another number of it.
fn is_rounded(value: &Value, text: &str) -> bool {
    const SAFE_MAX: u64 = (1 << 53) - 1;
    let printed = value.to_string();
    value.is_number() && (printed != text || value.as_u64().is_some_and(|number| number > SAFE_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ethereum(genesis: &str) -> Result<Start, Failure> {
        Start::ethereum(Path::new("g.json"), genesis.as_bytes(), 0, false)
    }

    #[test]
    fn what_is_said_is_proposed_and_nothing_else() {
        let plain = Opening { name: "notes".into(), start: Start::Keyvalue, port: None, connect: None };
        assert_eq!(plain.action(), json!({ "name": "open_ledger", "args": { "name": "notes", "kind": "keyvalue" } }));
        let start = Start::ethereum(Path::new("g"), br#"{"config": {"chainId": 7}, "alloc": {}}"#, 9, true).unwrap();
        let connect = Some(vec!["10.0.0.0/8".to_owned()]);
        let all = Opening { name: "shop".into(), start, port: Some(8546), connect };
        assert_eq!(
            all.action()["args"],
            json!({
                "name": "shop", "kind": "ethereum", "genesis": { "config": { "chainId": 7 }, "alloc": {} },
                "base_fee": 9, "blobs": true, "listeners": { "rpc": 8546 }, "policy": { "connect": ["10.0.0.0/8"] },
            })
        );
        assert_eq!(ledger_policy(None), json!({}));
    }

    #[test]
    fn a_genesis_is_proposed_number_by_number_as_it_was_written() {
        let text = r#"{"config": {"chainId": 7, "terminalTotalDifficulty": 58750000000000000000000, "x": [9007199254740993]}}"#;
        let Start::Ethereum { genesis, .. } = ethereum(text).unwrap() else { panic!("it is Ethereum") };
        assert_eq!(genesis["config"]["terminalTotalDifficulty"], "58750000000000000000000");
        assert_eq!(
            (&genesis["config"]["chainId"], &genesis["config"]["x"][0]),
            (&json!(7), &json!("9007199254740993"))
        );
        let default: Value = serde_json::from_str(development::DEFAULT_GENESIS).unwrap();
        let Start::Ethereum { genesis, .. } = ethereum(development::DEFAULT_GENESIS).unwrap() else {
            panic!("as above")
        };
        assert_eq!(genesis, default);
    }

    #[test]
    fn what_is_no_genesis_is_not_proposed() {
        assert!(ethereum("{}").unwrap_err().message.contains("config"));
        let deep = format!(r#"{{"config": {{"chainId": 7}}, "x": {}{}}}"#, "[".repeat(20), "]".repeat(20));
        assert!(ethereum(&deep).unwrap_err().message.contains("nests deeper"));
        let large = format!(r#"{{"config": {{"chainId": 7}}, "x": "{}"}}"#, "a".repeat(1 << 20));
        let failure = ethereum(&large).unwrap_err();
        assert!(failure.message.contains("g.json is too large") && failure.hint.unwrap().contains("alloc"));
    }
}
