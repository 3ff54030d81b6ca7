//! What this node has on disk: its ledger file, its index and its log.

use std::sync::Arc;

use adapter::Fault;
use consensus::{Config, Driver, Member};
use crypto::MacKey;
use kv::Tables;
use ledger::LedgerKeys;

use super::{Secrets, Settings};
use crate::history::{self, Archive};
use crate::log::{self, Log, Recovered};
use crate::ordering::{Heads, last_seqno, last_txid};

const INDEX_LABEL: &[u8] = b"coco history index";

/// Opens the ledger file and the index of its history rows.
pub(super) fn open_archive(
    settings: &Settings,
    secrets: &Secrets,
    keys: Arc<LedgerKeys>,
    tables: Arc<Tables>,
) -> Result<Arc<Archive>, Fault> {
    let index_key = MacKey::new(&MacKey::new(secrets.ledger_secret.expose()).mac(INDEX_LABEL));
    let (ledger, index) = (settings.dir.join("ledger"), settings.dir.join("index"));
    std::fs::create_dir_all(&ledger).map_err(Fault::new)?;
    let (archive, recovered) = history::open(&ledger, &index, keys, tables, index_key)?;
    if recovered.cut_bytes > 0 {
        tracing::warn!(bytes = recovered.cut_bytes, "a crash had left half a batch in the ledger file; it was cut off");
    }
    Ok(Arc::new(archive))
}

/// Opens the log, which continues the ledger that ends at `head`.
pub(super) fn open_log(
    settings: &Settings,
    archive: &Archive,
    head: ledger::Head,
) -> Result<(Log, Heads, Driver), Fault> {
    let seqno_of = |batch: &[u8]| last_seqno(batch).ok().flatten();
    let in_ledger = |batch: &[u8]| last_txid(batch).ok().flatten().is_some_and(|txid| archive.has(txid));
    let recovered = Log::open(&settings.dir.join("log"), seqno_of).map_err(Fault::new)?;
    let applied = log::applied(recovered.start, &recovered.entries, in_ledger);
    if recovered.start.seqno > head.seqno() {
        return Err(Fault::new(format!(
            "the ledger file ends at {}, but the consensus log only begins after {}: this disk lost what it had synced; restore the node's folder from another node",
            head.seqno(),
            recovered.start.seqno
        )));
    }
    let heads = Heads::new(recovered.start, &recovered.entries, applied.index, head).map_err(Fault::new)?;
    let members = settings.nodes.iter().map(|(number, ..)| Member(*number)).collect();
    let seed = u64::from_le_bytes(crypto::random::<8>().map_err(Fault::new)?);
    let config = Config::new(Member(settings.number), members, seed);
    let stored = recovered.stored(applied.index);
    let Recovered { log, .. } = recovered;
    let driver = Driver::new(config, stored).map_err(Fault::new)?;
    Ok((log, heads, driver))
}
