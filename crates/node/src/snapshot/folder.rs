//! The folder of a node's snapshots: how one is written so that it is there whole or not at all, and which one is believed.

use std::io;
use std::path::Path;

use base::Seqno;
use crypto::PublicKey;
use kv::State;
use ledger::{Directory, Disk, Files, Head, LedgerKeys, RawEntry};

use super::header::Header;
use super::parts::{Opener, Pace, Sealer};
use super::rows::{self, Ground};
use super::{SnapshotError, io_error};

/// What a snapshot is called while it is written.
const WRITING: &str = ".writing";

/// Snapshots on a disk.
pub struct Folder<D = Disk> {
    disk: D,
}

/// A snapshot that was read back.
pub struct Opened {
    pub state: State,
    /// Where the ledger stands at its end.
    pub head: Head,
    /// Its length.
    pub bytes: u64,
}

impl Folder {
    /// Opens the folder, and makes it if there is none.
    pub fn open(dir: &Path) -> io::Result<Self> {
        Ok(Self::on(Disk::open(dir)?))
    }
}

impl<D: Directory> Folder<D> {
    /// The snapshots on `disk`. What a crash left half written is deleted.
    pub fn on(disk: D) -> Self {
        let folder = Self { disk };
        let names = folder.disk.list().unwrap_or_default();
        names.iter().filter(|name| name.ends_with(WRITING)).for_each(|name| folder.delete(name));
        folder
    }

    /// Writes a snapshot of `state`, which ends where the ledger is at `head`. Gives its length.
    pub fn take(&self, state: &State, head: &Head, keys: &LedgerKeys, pace: Pace) -> Result<u64, SnapshotError> {
        let name = name_of(head.seqno());
        let writing = format!("{name}{WRITING}");
        let written = self.write(&writing, state, head, keys, pace).and_then(|bytes| {
            self.disk.rename(&writing, &name).map_err(io_error("renamed"))?;
            self.disk.sync_names().map_err(io_error("named for good"))?;
            Ok(bytes)
        });
        if written.is_err() {
            self.delete(&writing);
        }
        written
    }

    fn write(
        &self,
        name: &str,
        state: &State,
        head: &Head,
        keys: &LedgerKeys,
        pace: Pace,
    ) -> Result<u64, SnapshotError> {
        let mut sealer = Sealer::new(&self.disk, name, &Header::new(head)?, keys, pace)?;
        rows::write(state, &mut sealer)?;
        sealer.finish()
    }

    /// Deletes every snapshot but these.
    pub fn keep(&self, seqnos: &[Seqno]) {
        let all = self.all().into_iter().filter(|seqno| !seqnos.contains(seqno));
        all.for_each(|seqno| self.delete(&name_of(seqno)));
    }

    /// The newest snapshot that opens whole and ends at a signature of this ledger. What is wrong with the others is
    /// said in the log.
    pub fn newest<'g, L: Directory>(
        &self,
        ledger: &Files<L>,
        keys: &LedgerKeys,
        service: &PublicKey,
        ground: impl Fn() -> Ground<'g>,
    ) -> Option<Opened> {
        self.all().into_iter().rev().find_map(|seqno| {
            let opened = self.read(seqno, ledger, keys, service, ground());
            opened
                .inspect_err(|error| {
                    tracing::warn!(seqno = seqno.0, %error, "a snapshot of the state is of no use and passed over");
                })
                .ok()
        })
    }

    /// Reads one snapshot. First what costs nothing: whether it is of this ledger.
    pub fn read<L: Directory>(
        &self,
        seqno: Seqno,
        ledger: &Files<L>,
        keys: &LedgerKeys,
        service: &PublicKey,
        ground: Ground<'_>,
    ) -> Result<Opened, SnapshotError> {
        let name = name_of(seqno);
        let header = Opener::header(&self.disk, &name)?;
        if header.txid.seqno != seqno {
            return Err(SnapshotError::Format("it has another seqno than its name says"));
        }
        if seqno > ledger.end() {
            return Err(SnapshotError::Newer(ledger.end()));
        }
        let entry = ledger.read(seqno)?;
        let is_the_one = |entry: RawEntry<'_>| entry.txid == header.txid && entry.is_signature();
        if !RawEntry::parse(&entry).is_ok_and(is_the_one) {
            return Err(SnapshotError::Foreign);
        }
        let head = ledger.head_at(seqno, keys, Some(service))?;
        if !header.is_at(&head) {
            return Err(SnapshotError::Foreign);
        }
        let mut opener = Opener::new(&self.disk, &name, &header, keys)?;
        let state = rows::read(&mut opener, seqno, ground)?;
        Ok(Opened { state, head, bytes: opener.finish()? })
    }

    /// Every snapshot that has its final name, oldest first.
    pub fn all(&self) -> Vec<Seqno> {
        let names = self.disk.list().inspect_err(|error| {
            tracing::warn!(%error, "the folder of snapshots cannot be read");
        });
        let mut all: Vec<Seqno> = names.unwrap_or_default().iter().filter_map(|name| seqno_of(name)).collect();
        all.sort_unstable();
        all
    }

    fn delete(&self, name: &str) {
        match self.disk.remove(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(name, %error, "a needless snapshot could not be deleted");
            }
            _ => {}
        }
    }
}

fn name_of(seqno: Seqno) -> String {
    format!("snapshot_{seqno}")
}

fn seqno_of(name: &str) -> Option<Seqno> {
    let seqno = Seqno(name.strip_prefix("snapshot_")?.parse().ok()?);
    (name_of(seqno) == name).then_some(seqno)
}
