//! Which ledgers this binary can host: the only place that knows both the node and the adapters.

use std::path::Path;
use std::sync::Arc;

use adapter::{Adapter, LedgerId};
use anyhow::{Context, anyhow, ensure};
use development::{Founder, LedgerFile, LedgerKind, NodeFile};
use ethereum::{Config, Ethereum, Genesis};
use gov::{Founding, Gov};
use keyvalue::KeyValue;
use node::{Hosted, Tables};
use secp256k1::SecretKey;
use serde::Deserialize;

/// Makes an adapter for each hosted ledger of the node's file, and one for the network's governance.
pub fn adapters(dir: &Path, file: &NodeFile, members: &[Founder], tables: &mut Tables) -> anyhow::Result<Vec<Hosted>> {
    ensure!(!file.ledgers.is_empty(), "node.toml names no ledger to host");
    let numbered = (0..).map(LedgerId).zip(&file.ledgers);
    let mut adapters =
        numbered.map(|(id, ledger)| hosted(dir, id, ledger, tables)).collect::<anyhow::Result<Vec<_>>>()?;
    let id = LedgerId(u16::try_from(adapters.len()).context("node.toml names too many ledgers")?);
    let member =
        |Founder { name, certificate }: &Founder| gov::Founder { name: name.clone(), certificate: certificate.clone() };
    let members = members.iter().map(member).collect();
    let founding = Founding { members, constitution: governance::constitution::DEFAULT.to_owned() };
    let adapter = Arc::new(Gov::new(id, founding, tables)?);
    adapters.push(Hosted { kind: None, adapter, listen: vec![file.governance] });
    Ok(adapters)
}

fn hosted(dir: &Path, id: LedgerId, ledger: &LedgerFile, tables: &mut Tables) -> anyhow::Result<Hosted> {
    let name = &ledger.name;
    let (kind, adapter): (_, Arc<dyn Adapter>) = match ledger.kind {
        LedgerKind::Keyvalue => ("keyvalue", Arc::new(KeyValue::new(name, id, tables)?)),
        LedgerKind::Ethereum => {
            let config = ethereum_config(dir, ledger).with_context(|| format!("ledger {name} of node.toml"))?;
            ("ethereum", Arc::new(Ethereum::new(name, id, config, tables)?))
        }
    };
    Ok(Hosted { kind: Some(kind.into()), adapter, listen: vec![ledger.listen] })
}

fn ethereum_config(dir: &Path, ledger: &LedgerFile) -> anyhow::Result<Config> {
    let path = ledger.genesis.as_ref().ok_or_else(|| anyhow!("it needs `genesis`, a file in geth's format"))?;
    let path = dir.join(path);
    let read =
        |path: &Path| std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()));
    let genesis = Genesis::parse(&read(&path)?).with_context(|| format!("{} is not a genesis", path.display()))?;
    let keys = match &ledger.accounts {
        Some(path) => {
            let path = dir.join(path);
            keys(&read(&path)?).with_context(|| format!("{} is not a list of accounts", path.display()))?
        }
        None => Vec::new(),
    };
    Ok(Config { base_fee: ledger.base_fee, blobs: ledger.blobs, keys, ..Config::new(genesis) })
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
