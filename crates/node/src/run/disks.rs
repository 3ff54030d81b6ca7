//! What this node has on disk: its ledger file, its index, its snapshots and its log.

use std::sync::Arc;

use adapter::Fault;
use consensus::{Config, Driver, Member};
use crypto::{MacKey, PublicKey};
use kv::{History, State, Store, Tables};
use ledger::{Head, LedgerKeys};

use super::{Origin, Secrets, Settings};
use crate::executor::{Replayed, replay};
use crate::history::Archive;
use crate::hosting::Hosting;
use crate::log::{self, Log, Recovered};
use crate::ordering::{Heads, last_seqno, last_txid};
use crate::snapshot::{Folder, Ground, Last, Opened};

const INDEX_LABEL: &[u8] = b"coco history index";

/// Opens the ledger file and the index of its history rows.
pub(super) fn open_archive(
    settings: &Settings,
    secrets: &Secrets,
    keys: Arc<LedgerKeys>,
    tables: Arc<Tables>,
    hosting: Arc<Hosting>,
) -> Result<Arc<Archive>, Fault> {
    let index_key = MacKey::new(&MacKey::new(secrets.ledger_secret.expose()).mac(INDEX_LABEL));
    let (ledger, index) = (settings.dir.join("ledger"), settings.dir.join("index"));
    std::fs::create_dir_all(&ledger).map_err(Fault::new)?;
    let (archive, recovered) = Archive::open(&ledger, &index, keys, tables, index_key, hosting)?;
    if recovered.cut_bytes > 0 {
        tracing::warn!(bytes = recovered.cut_bytes, "a crash had left half a batch in the ledger file; it was cut off");
    }
    Ok(Arc::new(archive))
}

/// The state as it was read back, and what snapshots go on from.
pub(super) struct ReadBack {
    pub(super) replayed: Replayed,
    pub(super) snapshots: Folder,
    pub(super) last: Option<Last>,
}

/// Reads the state back: from the newest snapshot that is of use, if there is one, and the ledger behind it.
pub(super) fn read_back(settings: &Settings, archive: &Arc<Archive>, service: &PublicKey) -> Result<ReadBack, Fault> {
    let snapshots = Folder::open(&settings.dir.join("snapshots")).map_err(Fault::new)?;
    let history: Arc<dyn History> = archive.clone();
    let (last, begun) = if settings.archive {
        // Whoever keeps every version needs every batch.
        let store = Store::new(archive.tables.clone(), history).archive();
        (None, Replayed { store, head: Head::new() })
    } else {
        let follow = |version: &State| archive.hosting.follow(version);
        let ground = || Ground { tables: archive.tables.clone(), history: history.clone(), follow: &follow };
        match snapshots.newest(&archive.files, &archive.keys, service, ground) {
            Some(Opened { state, head, bytes }) => {
                tracing::info!(seqno = head.seqno().0, bytes, "the state begins with a snapshot");
                (Some(Last { seqno: head.seqno(), bytes }), Replayed { store: Store::on(state), head })
            }
            None => (None, Replayed { store: Store::new(archive.tables.clone(), history), head: Head::new() }),
        }
    };
    let replayed = replay(archive, begun, service)?;
    tracing::info!(seqno = replayed.head.seqno().0, "the ledger is read back");
    Ok(ReadBack { replayed, snapshots, last })
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
    let members = match &settings.origin {
        Origin::Founded(founders) => founders.iter().map(|founder| Member(founder.number)).collect(),
        // Who decides in its network, the log will say.
        Origin::Joined(_) => Vec::new(),
    };
    let seed = u64::from_le_bytes(crypto::random::<8>().map_err(Fault::new)?);
    let config = Config::new(Member(settings.number), members, seed);
    let stored = recovered.stored(applied.index);
    let Recovered { log, .. } = recovered;
    let driver = Driver::new(config, stored).map_err(Fault::new)?;
    Ok((log, heads, driver))
}
