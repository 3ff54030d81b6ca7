//! Which ledgers this binary can host: the only place that knows both the node and the adapters.

use std::path::Path;
use std::sync::Arc;

use adapter::{Adapter, LedgerId};
use development::{LedgerFile, LedgerKind, NodeFile};
use keyvalue::KeyValue;
use node::{Hosted, Tables};

/// Makes an adapter for each hosted ledger of the node's file.
pub fn ledgers(_dir: &Path, file: &NodeFile, tables: &mut Tables) -> anyhow::Result<Vec<Hosted>> {
    let mut hosted = Vec::new();
    for (number, ledger) in (0..).zip(&file.ledgers) {
        let LedgerFile { kind, name, listen, .. } = ledger;
        let id = LedgerId(number);
        let adapter: Arc<dyn Adapter> = match kind {
            LedgerKind::Keyvalue => Arc::new(KeyValue::new(name, id, tables)?),
            LedgerKind::Ethereum => anyhow::bail!("ledger {name}: not yet"),
        };
        hosted.push(Hosted { kind: format!("{kind:?}").to_lowercase(), adapter, listen: vec![*listen] });
    }
    anyhow::ensure!(!hosted.is_empty(), "node.toml names no ledger to host");
    Ok(hosted)
}
