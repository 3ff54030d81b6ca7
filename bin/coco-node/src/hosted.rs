//! Which ledgers this binary can host: the only place that knows both the node and the adapters.
//!
//! What a ledger starts from stands in its row, which all nodes have: founders write it from the files of their operators, whoever
//! joins is told it. What an operator says of a ledger beside that is where it listens, and, for development, whose keys it holds.

mod row;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adapter::{Adapter, LedgerId};
use anyhow::{Context, anyhow, ensure};
use development::{Founder, Identity, LedgerKind, NodeFile, Origin, Past, Signing};
use ethereum::{Config, Ethereum, Genesis};
use gov::{Founding, Gov, Joining};
use keyvalue::KeyValue;
use node::{Hosted, Tables};
use secp256k1::SecretKey;
use serde::Deserialize;

use crate::joining::evidence;
use row::Row;

/// A ledger that is to be hosted.
struct Told {
    name: String,
    row: Row,
    listen: SocketAddr,
    /// A file with the keys of accounts, relative to the node's directory.
    accounts: Option<PathBuf>,
}

fn founder(Founder { name, certificate }: &Founder) -> gov::Founder {
    gov::Founder { name: name.clone(), certificate: certificate.clone() }
}

/// Makes an adapter for each hosted ledger, and one for the network's governance.
pub fn adapters(dir: &Path, file: &NodeFile, identity: &Identity, tables: &Tables) -> anyhow::Result<Vec<Hosted>> {
    let (mut told, members) = match &identity.past {
        Past::Founded { members, .. } => (founded(dir, file)?, members.as_slice()),
        Past::Joined(joined) => {
            let accounts = |name: &str| file.ledgers.iter().find(|it| it.name == name)?.accounts.clone();
            let told = joined.ledgers.iter().map(|ledger| Told {
                name: ledger.name.clone(),
                row: Row(ledger.row.clone()),
                listen: joined.listen(ledger, file),
                accounts: accounts(&ledger.name),
            });
            (told.collect(), &[][..])
        }
    };
    // Nodes name ledgers to each other by their place in this order.
    told.sort_by(|a, b| a.name.cmp(&b.name));
    let numbered = (0..).map(LedgerId).zip(told);
    let mut adapters = numbered.map(|(id, told)| hosted(dir, id, told, tables)).collect::<anyhow::Result<Vec<_>>>()?;
    let id = LedgerId(u16::try_from(adapters.len()).context("there are too many ledgers")?);
    let founding = Founding {
        members: members.iter().map(founder).collect(),
        constitution: governance::constitution::DEFAULT.to_owned(),
        code: evidence::own_code()?,
    };
    let joining = Joining { dual_signatures: signs_twice(file, identity), attester: Some(evidence::attester()) };
    let adapter = Arc::new(Gov::new(id, founding, joining, gov::apart(), tables)?);
    adapters.push(Hosted { row: None, adapter, listen: vec![file.governance] });
    Ok(adapters)
}

/// Whether nodes of this network sign roots too.
pub fn signs_twice(file: &NodeFile, identity: &Identity) -> bool {
    match (&identity.past, &file.origin) {
        (Past::Joined(joined), _) => joined.dual_signatures,
        (Past::Founded { .. }, Origin::Founder(founder)) => founder.signing == Signing::Dual,
        (Past::Founded { .. }, Origin::Joiner(_)) => false,
    }
}

/// What a founder reads of the ledgers in its files.
fn founded(dir: &Path, file: &NodeFile) -> anyhow::Result<Vec<Told>> {
    ensure!(!file.ledgers.is_empty(), "node.toml names no ledger to host");
    let told = file.ledgers.iter().map(|ledger| {
        let row = match ledger.kind {
            LedgerKind::Keyvalue => Ok(Row::keyvalue()),
            LedgerKind::Ethereum => {
                let path = ledger.genesis.as_ref().context("it needs `genesis`, a file in geth's format")?;
                let path = dir.join(path);
                Row::ethereum(&read(&path)?, ledger.base_fee, ledger.blobs)
                    .with_context(|| format!("{} is not a genesis", path.display()))
            }
        };
        let row = row.with_context(|| format!("ledger {} of node.toml", ledger.name))?;
        Ok(Told { name: ledger.name.clone(), row, listen: ledger.listen, accounts: ledger.accounts.clone() })
    });
    told.collect()
}

fn hosted(dir: &Path, id: LedgerId, told: Told, tables: &Tables) -> anyhow::Result<Hosted> {
    let Told { name, row, listen, accounts } = told;
    let adapter: Arc<dyn Adapter> = match row.kind().with_context(|| format!("ledger {name}"))? {
        LedgerKind::Keyvalue => Arc::new(KeyValue::new(&name, id, tables)?),
        LedgerKind::Ethereum => {
            let config = ethereum_config(dir, &row, accounts.as_deref()).with_context(|| format!("ledger {name}"))?;
            Arc::new(Ethereum::new(&name, id, config, tables)?)
        }
    };
    Ok(Hosted { row: Some(row.0), adapter, listen: vec![listen] })
}

fn ethereum_config(dir: &Path, row: &Row, accounts: Option<&Path>) -> anyhow::Result<Config> {
    let genesis = Genesis::parse(&row.genesis()?).context("what it starts from")?;
    let keys = match accounts {
        Some(path) => {
            let path = dir.join(path);
            keys(&read(&path)?).with_context(|| format!("{} is not a list of accounts", path.display()))?
        }
        None => Vec::new(),
    };
    Ok(Config { base_fee: row.base_fee()?, blobs: row.blobs()?, keys, ..Config::new(genesis) })
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
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
