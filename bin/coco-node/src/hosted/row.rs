//! A ledger's row, as far as its kind is concerned: what every node must start it from, as JSON that members can read.
//!
//! | field | content |
//! |---|---|
//! | `kind` | which adapter |
//! | `genesis` | Ethereum: geth's `genesis.json`; numbers that JSON's readers round are texts of decimal digits |
//! | `base_fee` | Ethereum: of every block, in wei |
//! | `blobs` | Ethereum: whether blob transactions are taken |
//! | `listeners` | at which port nodes serve it that are not told otherwise, by the listener's name |

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use development::LedgerKind;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
pub struct Row<'a> {
    kind: String,
    /// As it stands there: numbers are not rounded.
    #[serde(borrow, default)]
    genesis: Option<&'a RawValue>,
    #[serde(default)]
    base_fee: Option<u64>,
    #[serde(default)]
    blobs: Option<bool>,
    #[serde(default)]
    listeners: Option<BTreeMap<String, u16>>,
}

impl<'a> Row<'a> {
    pub fn read(row: &'a [u8]) -> anyhow::Result<Self> {
        let mut row: Self = serde_json::from_slice(row)?;
        row.genesis = row.genesis.filter(|genesis| genesis.get() != "null");
        Ok(row)
    }

    pub fn kind(&self) -> anyhow::Result<LedgerKind> {
        LedgerKind::parse(&self.kind)
            .with_context(|| format!("it is of the kind {}, which this version does not host", self.kind))
    }

    /// Nothing may stand in it that its kind does nothing with.
    pub fn check(&self) -> anyhow::Result<()> {
        let (listener, starts) = match self.kind()? {
            LedgerKind::Ethereum => (ethereum::LISTENER, true),
            LedgerKind::Keyvalue => (keyvalue::LISTENER, false),
        };
        let of_ethereum = [
            ("genesis", self.genesis.is_some()),
            ("base_fee", self.base_fee.is_some()),
            ("blobs", self.blobs.is_some()),
        ];
        if let Some((field, _)) = of_ethereum.into_iter().find(|(_, given)| *given && !starts) {
            anyhow::bail!("a ledger of the kind {} has no {field}", self.kind);
        }
        let unknown = self.listeners.iter().flat_map(BTreeMap::keys).find(|name| *name != listener);
        ensure!(unknown.is_none(), "it has one listener, {listener}, and none {}", unknown.map_or("", String::as_str));
        Ok(())
    }

    /// The text of a `genesis.json`.
    pub fn genesis(&self) -> anyhow::Result<&'a str> {
        let genesis = self.genesis.map(RawValue::get).filter(|genesis| genesis.starts_with('{'));
        genesis.context("it needs a genesis, which is an object as in geth's genesis.json")
    }

    pub fn base_fee(&self) -> u64 {
        self.base_fee.unwrap_or_default()
    }

    pub fn blobs(&self) -> bool {
        self.blobs.unwrap_or_default()
    }
}
