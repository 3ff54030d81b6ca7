//! The thread that puts what is committed on disk for good, and serves the ledger to peers that were away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use adapter::{Committed, Fault};
use base::Seqno;
use base::limits::PEER_FRAME_BYTES_MAX;
use bytes::{Bytes, BytesMut};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::{Archive, Taken};
use crate::ordering::Event;
use crate::peers::{Frame, Peers};

/// The ledger file is synced after this many bytes …
const SYNC_BYTES: usize = 8 << 20;
/// … or when nothing was appended for this long, whichever comes first.
const SYNC_AFTER: Duration = Duration::from_millis(500);
/// A part of the ledger for a peer that was away.
const PART_BYTES: usize = 2 << 20;

/// What the thread is told.
pub enum Keep {
    /// A committed batch; each once, in order.
    Batch { bytes: Bytes, committed: Arc<Committed>, room: Taken },
    /// A peer wants the ledger from here on.
    Serve { peer: u64, from: Seqno },
    /// Nothing more comes.
    Stop,
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
                Ok(Keep::Batch { bytes, committed, room: _room }) => {
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
        self.sync()?;
        self.archive.index.close().map_err(Fault::new)
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
