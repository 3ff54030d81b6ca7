//! What reaches a disk: the consensus log, which callers wait for, and the ledger file, which old rows are read from.

use std::path::Path;

use base::View;
use bytes::Bytes;
use consensus::{Append as Appended, Content, Entry, HardState, Index, Write, WriteNumber};
use kv::Blob;
use ledger::{Disk, Files, RawEntry};
use node::log::{Log, Places};
use tempfile::TempDir;

use crate::parts::{Closed, Parts};
use crate::{Kind, Stage};

/// A batch appended to the consensus log: its record with a checksum, written; and synced, if it is to be.
pub struct Append {
    log: Log,
    batch: Closed,
    synced: bool,
    index: u64,
    _dir: TempDir,
}

impl Append {
    /// The log is made below `place`, which decides on what disk it is.
    #[must_use]
    pub fn new(mut parts: Parts, kind: Kind, place: &Path, synced: bool) -> Self {
        let work = parts.work(kind);
        let batch = parts.closed(&work);
        let dir = tempfile::tempdir_in(place).unwrap();
        let log = Log::open(&dir.path().join("log"), |_| None).unwrap().log;
        Self { log, batch, synced, index: 0, _dir: dir }
    }
}

impl Stage for Append {
    type Ready = (Write, Places);
    type Done = (Write, Places);

    fn ready(&mut self) -> Self::Ready {
        // A segment is closed by a sync, and what is behind an old one is dropped: the disk holds two of them at most.
        if self.index.is_multiple_of(64) {
            self.log.sync().unwrap();
            self.log.compact(self.batch.head.seqno(), Index(self.index)).unwrap();
        }
        self.index += 1;
        let entry =
            Entry { index: Index(self.index), view: View(2), content: Content::Batch(self.batch.bytes.clone()) };
        let hard_state = HardState { view: View(2), commit: Index(self.index - 1), ..HardState::default() };
        let write = Write {
            number: WriteNumber(self.index),
            membership: None,
            restart: None,
            append: Some(Appended { truncate_from: None, entries: vec![entry] }),
            hard_state: Some(hard_state),
        };
        let places = Places { restart: None, truncate: None, seqnos: vec![self.batch.head.seqno()] };
        (write, places)
    }

    fn run(&mut self, (write, places): Self::Ready) -> Self::Done {
        self.log.write(&write, &places).unwrap();
        if self.synced {
            self.log.sync().unwrap();
        }
        (write, places)
    }
}

/// A transaction's row read back from the ledger file, its place being known: read, decrypted, authenticated.
pub struct Find {
    files: Files<Disk>,
    parts: Parts,
    rows: Vec<(base::Seqno, Blob)>,
    _dir: TempDir,
}

/// The table whose rows are looked for.
const TABLE: &str = "ethereum.transactions";

impl Find {
    /// The ledger file is made below `place`.
    #[must_use]
    pub fn new(mut parts: Parts, kind: Kind, place: &Path) -> Self {
        let dir = tempfile::tempdir_in(place).unwrap();
        let files = Files::open(Disk::open(dir.path()).unwrap(), Some(&parts.keys)).unwrap().0;
        parts.history.iter().for_each(|batch| files.append(batch).unwrap());
        let work = parts.work(kind);
        let Closed { bytes, entries, .. } = parts.closed(&work);
        files.append(&bytes).unwrap();
        let table = parts.tables().find(TABLE).unwrap();
        let row = |(seqno, writes): &(base::Seqno, kv::WriteSet)| {
            Some((*seqno, writes.section(table)?.puts.first()?.0.clone()))
        };
        let rows = entries.iter().filter_map(row).collect();
        Self { files, parts, rows, _dir: dir }
    }
}

impl Stage for Find {
    type Ready = Vec<(Bytes, Blob)>;
    type Done = Vec<(Bytes, Blob)>;

    fn ready(&mut self) -> Self::Ready {
        Vec::with_capacity(self.rows.len())
    }

    fn run(&mut self, mut found: Self::Ready) -> Self::Done {
        for (seqno, key) in &self.rows {
            let bytes = self.files.read(*seqno).unwrap();
            let entry = RawEntry::parse(&bytes).unwrap();
            let row = ledger::find_row(&entry, TABLE, key, &self.parts.keys).unwrap().unwrap();
            found.push((bytes, row));
        }
        found
    }
}
