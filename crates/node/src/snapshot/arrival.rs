//! A snapshot that another node took, on its way in. It gets the name of one only once it is known to be good.

use std::io;
use std::path::Path;

use base::Seqno;
use crypto::PublicKey;
use ledger::{Directory, Disk, Files, LedgerKeys};

use super::folder::{self, Folder};
use super::{SnapshotError, io_error};

/// Synced this often: what other nodes have is not worth a long wait for the disk at its end.
const SYNC_BYTES: u64 = 32 << 20;

/// Written as it comes. Dropped without [`Arrival::keep`] it is gone.
pub struct Arrival<D: Directory = Disk> {
    folder: Folder<D>,
    seqno: Seqno,
    /// What it is called until then.
    writing: String,
    written: u64,
    synced: u64,
    kept: bool,
}

impl Arrival {
    /// `name` is that of the snapshot on the other node. `None`: no snapshot is called so.
    pub fn begin(dir: &Path, name: &str) -> io::Result<Option<Self>> {
        let Some(seqno) = folder::seqno_of(name) else { return Ok(None) };
        Ok(Some(Self::on(Folder::open(dir)?, seqno)))
    }
}

impl<D: Directory> Arrival<D> {
    pub(super) fn on(folder: Folder<D>, seqno: Seqno) -> Self {
        let writing = folder::writing(seqno);
        // Whatever an earlier attempt left under this name.
        folder.delete(&writing);
        Self { folder, seqno, writing, written: 0, synced: 0, kept: false }
    }

    #[must_use]
    pub fn seqno(&self) -> Seqno {
        self.seqno
    }

    /// What has come so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.folder.disk.write(&self.writing, self.written, bytes).map_err(io_error("written"))?;
        self.written += bytes.len() as u64;
        if self.written - self.synced >= SYNC_BYTES {
            self.folder.disk.sync(&self.writing).map_err(io_error("synced"))?;
            self.synced = self.written;
        }
        Ok(())
    }

    /// Checks it as far as that goes without the tables that it is of: it is of this ledger, and all of it opens.
    pub fn keep<L: Directory>(
        mut self,
        ledger: &Files<L>,
        keys: &LedgerKeys,
        service: &PublicKey,
    ) -> Result<(), SnapshotError> {
        self.folder.check(&self.writing, self.seqno, ledger, keys, service)?;
        self.folder.disk.sync(&self.writing).map_err(io_error("synced"))?;
        self.folder.name(&self.writing, self.seqno)?;
        self.kept = true;
        Ok(())
    }
}

impl<D: Directory> Drop for Arrival<D> {
    fn drop(&mut self) {
        if !self.kept {
            self.folder.delete(&self.writing);
        }
    }
}
