//! What is committed goes to disk for good, off the road: into the ledger file, and into an index that finds its rows.
//!
//! ```text
//!   publisher ─▶ ledger file (append; fsync now and then) ─▶ index ─▶ the store may forget history rows up to here
//!                     │                                       │
//!                     └──── row ◀── entry seqno ◀── PRF(table, key) ──── a reader asks for an old row
//! ```
//!
//! The index holds no value and no key: only a keyed hash of table and key, and the seqno of the entry that wrote the
//! row. The row itself is read out of the ledger file, opened, and so authenticated. A lost index is built again.

mod index;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use adapter::{Committed, Fault};
use base::limits::PEER_FRAME_BYTES_MAX;
use base::{Seqno, TxId};
use bytes::{Bytes, BytesMut};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use kv::{Blob, History, HistoryError, TableId, Tables, WriteSet};
use ledger::{Disk, Files, LedgerKeys, RawEntry};

use crate::ordering::Event;
use crate::peers::{Frame, Peers};

pub use index::{Index, IndexError};

/// The ledger file is synced after this many bytes …
const SYNC_BYTES: usize = 8 << 20;
/// … or when nothing was appended for this long, whichever comes first.
const SYNC_AFTER: Duration = Duration::from_millis(500);
/// A part of the ledger for a peer that was away.
const PART_BYTES: usize = 2 << 20;

/// What the thread is told.
pub enum Keep {
    /// A committed batch; each once, in order.
    Batch { bytes: Bytes, committed: Arc<Committed> },
    /// A peer wants the ledger from here on.
    Serve { peer: u64, from: Seqno },
    /// Nothing more comes.
    Stop,
}

/// Reads history rows back. Shared by all readers of the store.
pub struct Archive {
    pub files: Files<Disk>,
    pub index: Index,
    pub keys: Arc<LedgerKeys>,
    pub tables: Arc<Tables>,
}

impl Archive {
    /// Notes where the history rows of these entries are.
    pub fn index(&self, entries: &[(Seqno, WriteSet)], last: Seqno) -> Result<(), IndexError> {
        self.index.add(&self.tables, entries, last)
    }

    /// Whether the ledger file has this very entry.
    pub fn has(&self, txid: TxId) -> bool {
        let bytes = self.files.read(txid.seqno);
        bytes.is_ok_and(|bytes| RawEntry::parse(&bytes).is_ok_and(|entry| entry.txid == txid))
    }
}

impl History for Archive {
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<(Seqno, Blob)>, HistoryError> {
        let name = &self.tables.get(table).name;
        let found = self.index.find(name, key).map_err(HistoryError::new)?;
        // After a crash the index may be ahead of the ledger file; what that lost comes again.
        let Some(seqno) = found.filter(|seqno| *seqno <= self.files.end()) else { return Ok(None) };
        let bytes = self.files.read(seqno).map_err(HistoryError::new)?;
        let entry = RawEntry::parse(&bytes).map_err(HistoryError::new)?;
        let row = ledger::find_row(&entry, name, key, &self.keys).map_err(HistoryError::new)?;
        // Not found under this key: two keys with one hash, which is as good as impossible, or a foreign index.
        Ok(row.map(|value| (seqno, value)))
    }
}

pub struct Keeper {
    pub archive: Arc<Archive>,
    pub events: Sender<Event>,
    pub peers: Peers,
    /// History rows up to here can be read from disk.
    pub on_disk: Arc<AtomicU64>,
}

impl Keeper {
    /// Runs until told to stop, or until the disk fails.
    pub fn run(self, keeps: &Receiver<Keep>) -> Result<(), Fault> {
        let (mut unsynced, mut synced_at) = (0, Instant::now());
        loop {
            match keeps.recv_timeout(SYNC_AFTER) {
                Ok(Keep::Batch { bytes, committed }) => {
                    unsynced += bytes.len();
                    self.keep(&bytes, &committed)?;
                }
                Ok(Keep::Serve { peer, from }) => self.serve(peer, from)?,
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Keep::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
            if unsynced >= SYNC_BYTES || (unsynced > 0 && synced_at.elapsed() >= SYNC_AFTER) {
                self.sync()?;
                (unsynced, synced_at) = (0, Instant::now());
            }
        }
        self.sync()
    }

    fn keep(&self, bytes: &Bytes, committed: &Committed) -> Result<(), Fault> {
        let last = committed.last.seqno;
        self.archive.files.append(bytes).map_err(Fault::new)?;
        self.archive.index(&committed.entries, last).map_err(Fault::new)?;
        self.on_disk.store(last.0, Ordering::Release);
        Ok(())
    }

    fn sync(&self) -> Result<(), Fault> {
        let durable = self.archive.files.sync().map_err(Fault::new)?;
        // Fails only once consensus is gone, and then the node is stopping.
        let _ = self.events.send(Event::LedgerDurable(durable));
        Ok(())
    }

    /// Sends a peer the next part of the ledger, or says that there is no more.
    fn serve(&self, peer: u64, from: Seqno) -> Result<(), Fault> {
        let end = self.archive.files.end();
        if from == Seqno(0) {
            tracing::warn!(peer, "a peer asked for a ledger entry that there cannot be");
            return Ok(());
        }
        if from > end {
            let _ = self.events.send(Event::LedgerServed { peer, last: end });
            return Ok(());
        }
        let mut part = BytesMut::new();
        for batch in self.archive.files.batches(from) {
            let batch = batch.map_err(Fault::new)?;
            // A batch always fits a frame by itself.
            if part.len() >= PART_BYTES || (!part.is_empty() && part.len() + batch.len() >= PEER_FRAME_BYTES_MAX) {
                break;
            }
            part.extend_from_slice(&batch);
        }
        // Not sent: the peer asks again.
        let _ = self.peers.send(peer, Frame::LedgerPart { batches: part.freeze() });
        Ok(())
    }
}

/// Opens what is on disk.
pub fn open(
    ledger: &Path,
    index: &Path,
    keys: Arc<LedgerKeys>,
    tables: Arc<Tables>,
    index_key: crypto::MacKey,
) -> Result<(Archive, ledger::Recovered), Fault> {
    let directory = Disk::open(ledger).map_err(Fault::new)?;
    let (files, recovered) = Files::open(directory, Some(&keys)).map_err(Fault::new)?;
    let index = Index::open(index, index_key).map_err(Fault::new)?;
    Ok((Archive { files, index, keys, tables }, recovered))
}
