//! Which ledgers this binary can host: the only place that knows both the node and the adapters.
//!
//! What a ledger starts from stands in its row, which members decide on and all nodes have. What an operator says of a ledger beside
//! that is where it listens, and, for development, whose keys it holds.

mod row;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adapter::{Adapter, Fault, Host, LedgerId, OPENING_BYTES_MAX};
use anyhow::{Context, anyhow, ensure};
use development::{Founder, Identity, LedgerKind, NodeFile, Origin, Past, Signing};
use ethereum::{Config, Ethereum, Genesis};
use gov::{Founding, Gov, Joining};
use keyvalue::KeyValue;
use kv::{NoHistory, State, Tables, Tx};
use node::{Adapters, Prepared};
use secp256k1::SecretKey;
use serde::Deserialize;

use crate::joining::Platform;
use row::Row;

/// The kinds of ledgers that this binary knows.
pub struct Kinds {
    /// Keys that this node holds, by the ledger's name.
    accounts: BTreeMap<String, Vec<SecretKey>>,
}

/// Governance, which every node has, and what members may open beside it.
pub fn adapters(
    dir: &Path,
    file: &NodeFile,
    identity: &Identity,
    platform: &Platform,
    prepared: &Prepared,
) -> anyhow::Result<Adapters> {
    let host = Arc::new(Kinds { accounts: accounts(dir, file)? });
    let members = match &identity.past {
        Past::Founded { members, .. } => members.as_slice(),
        Past::Joined(_) => &[],
    };
    let founder =
        |Founder { name, certificate }: &Founder| gov::Founder { name: name.clone(), certificate: certificate.clone() };
    let founding = Founding {
        members: members.iter().map(founder).collect(),
        constitution: governance::constitution::DEFAULT.to_owned(),
        code: platform.own_code()?,
    };
    let joining = Joining { dual_signatures: signs_twice(file, identity), attester: Some(platform.attester()) };
    let gov = Gov::new(LedgerId(0), founding, joining, gov::apart(), &prepared.tables)?;
    Ok(Adapters { governance: Arc::new(gov.hosting(host.clone())), host })
}

/// Where this node serves which ledgers: as its file says, or as was chosen when it joined.
pub fn listens(file: &NodeFile, identity: &Identity) -> BTreeMap<String, SocketAddr> {
    let chosen = match &identity.past {
        Past::Founded { .. } => &[],
        Past::Joined(joined) => joined.ledgers.as_slice(),
    };
    let chosen = chosen.iter().map(|ledger| (ledger.name.clone(), ledger.listen));
    chosen.chain(file.ledgers.iter().map(|ledger| (ledger.name.clone(), ledger.listen))).collect()
}

/// Whether nodes of this network sign roots too.
pub fn signs_twice(file: &NodeFile, identity: &Identity) -> bool {
    match (&identity.past, &file.origin) {
        (Past::Joined(joined), _) => joined.dual_signatures,
        (Past::Founded { .. }, Origin::Founder(founder)) => founder.signing == Signing::Dual,
        (Past::Founded { .. }, Origin::Joiner(_)) => false,
    }
}

impl Host for Kinds {
    fn check(&self, name: &str, row: &[u8]) -> Result<(), String> {
        self.try_it(name, row).map_err(|error| format!("{error:#}"))
    }

    fn make(&self, name: &str, id: LedgerId, row: &[u8], tables: &Tables) -> Result<Arc<dyn Adapter>, Fault> {
        let made = Row::read(row).and_then(|row| self.adapter(name, id, &row, tables));
        made.map_err(|error| Fault::new(format!("{error:#}")))
    }
}

impl Kinds {
    fn adapter(&self, name: &str, id: LedgerId, row: &Row<'_>, tables: &Tables) -> anyhow::Result<Arc<dyn Adapter>> {
        Ok(match row.kind()? {
            LedgerKind::Keyvalue => Arc::new(KeyValue::new(name, id, tables)?),
            LedgerKind::Ethereum => {
                let genesis = Genesis::parse(row.genesis()?)?;
                let keys = self.accounts.get(name).cloned().unwrap_or_default();
                let config = Config { base_fee: row.base_fee(), blobs: row.blobs(), keys, ..Config::new(genesis) };
                Arc::new(Ethereum::new(name, id, config, tables)?)
            }
        })
    }

    /// Opens a ledger as it would be opened, on nothing.
    fn try_it(&self, name: &str, row: &[u8]) -> anyhow::Result<()> {
        let row = Row::read(row)?;
        row.check()?;
        let tables = Arc::new(Tables::new());
        let adapter = self.adapter(name, LedgerId(1), &row, &tables)?;
        let state = State::new(tables, Arc::new(NoHistory));
        let mut tx = Tx::new(&state);
        adapter.open(&mut tx)?;
        let bytes = tx.finish().writes.bytes();
        ensure!(
            bytes <= OPENING_BYTES_MAX,
            "what it starts from takes {bytes} bytes, and {OPENING_BYTES_MAX} is the most"
        );
        Ok(())
    }
}

/// Of each ledger that this node's file names keys for. A file that cannot be read stops the node at its start, and not later.
fn accounts(dir: &Path, file: &NodeFile) -> anyhow::Result<BTreeMap<String, Vec<SecretKey>>> {
    let named = file.ledgers.iter().filter_map(|ledger| Some((&ledger.name, ledger.accounts.as_ref()?)));
    let read = |(name, path): (&String, &PathBuf)| {
        let path = dir.join(path);
        let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let keys = keys(&text).with_context(|| format!("{} is not a list of accounts", path.display()))?;
        Ok((name.clone(), keys))
    };
    named.map(read).collect()
}

/// An account of `accounts.json`; its address follows from its key.
#[derive(Deserialize)]
struct Account {
    private_key: String,
}

/// The unlocked accounts of a development network. An error does not repeat what it could not read.
fn keys(json: &str) -> anyhow::Result<Vec<SecretKey>> {
    let accounts: Vec<Account> = serde_json::from_str(json).map_err(|error| anyhow!("line {}", error.line()))?;
    let key = |account: &Account| account.private_key.trim_start_matches("0x").parse().ok();
    let keys: Option<_> = accounts.iter().map(key).collect();
    keys.ok_or_else(|| anyhow!("a private key is not 32 bytes in hexadecimal"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(row: &Value) -> Result<(), String> {
        Kinds { accounts: BTreeMap::new() }.check("l", row.to_string().as_bytes())
    }

    #[test]
    fn what_can_be_opened_is_told_from_what_cannot_with_the_reason() {
        let genesis: Value = serde_json::from_str(development::DEFAULT_GENESIS).unwrap();
        assert_eq!(check(&json!({ "kind": "keyvalue" })), Ok(()));
        assert_eq!(check(&json!({ "kind": "keyvalue", "listeners": { "rest": 80 }, "genesis": null })), Ok(()));
        let ethereum = json!({ "kind": "ethereum", "genesis": genesis, "base_fee": 7, "blobs": true });
        assert_eq!(check(&ethereum), Ok(()));
        let with = |field: &str, value: Value| {
            let mut row = ethereum.clone();
            row[field] = value;
            row
        };
        for (row, reason) in [
            (json!({ "kind": "bitcoin" }), "kind bitcoin"),
            (json!({ "kind": 7 }), "invalid type"),
            (json!({ "kind": "ethereum" }), "genesis"),
            (with("genesis", json!({ "config": {} })), "chainId"),
            (with("genesis", json!("a path")), "genesis"),
            (with("base_fee", json!(-1)), "-1"),
            (with("blobs", json!("yes")), "yes"),
            (with("listeners", json!({ "rest": 80 })), "rpc"),
            (json!({ "kind": "keyvalue", "genesis": {} }), "genesis"),
            (json!({ "kind": "keyvalue", "base_fee": 1 }), "base_fee"),
            (json!({ "kind": "keyvalue", "listeners": { "rpc": 80 } }), "rest"),
        ] {
            let told = check(&row).unwrap_err();
            assert!(told.contains(reason), "{row}: {told}");
        }
        let account = |n: u64| (format!("{n:040x}"), json!({ "balance": "0x1" }));
        let mut large = ethereum.clone();
        large["genesis"]["alloc"] = (1..=700_000).map(account).collect::<serde_json::Map<_, _>>().into();
        assert!(check(&large).unwrap_err().contains("is the most"));
    }
}
