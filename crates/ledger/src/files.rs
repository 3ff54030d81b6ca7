//! The ledger directory of a node: committed batches, appended in the background and read back for history and for peers.
//!
//! ```text
//!   ledger_1-831.committed   ledger_832-1702.committed   ledger_1703
//!   closed chunks: synced, renamed, never changed        the open chunk: grows by whole batches
//! ```
//!
//! Only committed batches come here, so nothing is ever rolled back. A chunk closes at the first signature that takes it past
//! its size, or whose batch has members' wish that it does; its borders follow from the entries alone, so they are the same on every node. What a crash tore off the open
//! chunk is cut back to the last whole signature when the directory is opened (see `recovery`), and comes again from the
//! consensus log or a peer.
//!
//! All methods take `&self`: one thread appends while others read.

mod covered;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use base::Seqno;
use base::limits::{CHUNK_BYTES, CHUNK_BYTES_MAX};
use bytes::Bytes;

use crate::chunk::{self, ChunkName, FIRST_OFFSET};
use crate::entry::{RawEntry, split};
use crate::recovery;
use crate::tables::{CHUNK_WANTED, LEDGER_FILES};
use crate::{Corrupt, Directory, Head, LedgerKeys};

pub use covered::Covered;

/// Position tables of closed chunks that stay in memory: about 100 KB each at 200 bytes an entry.
const TABLES_CACHED: usize = 64;

/// Why the ledger directory does not serve.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    #[error("could not {doing} ledger file {name}")]
    Io {
        doing: &'static str,
        name: String,
        #[source]
        source: io::Error,
    },
    #[error("ledger file {name} is corrupt")]
    Corrupt {
        name: String,
        #[source]
        source: Corrupt,
    },
    #[error("the ledger directory is not whole: {0}")]
    Gap(String),
    #[error("entry {asked} is not in the ledger files, which end at {end}")]
    Unknown { asked: Seqno, end: Seqno },
    #[error("the batch begins at {found}, but the ledger files end at {end}")]
    NotNext { found: Seqno, end: Seqno },
    #[error("an earlier write to the ledger files failed; restart the node once the disk is well: {0}")]
    Dead(String),
}

/// Where an opened directory ends.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The last whole signature; entries after it must come from elsewhere.
    pub head: Head,
    /// Bytes that a crash had left behind it and that were cut off.
    pub cut_bytes: u64,
}

/// The ledger files of a node.
pub struct Files<D> {
    directory: D,
    pub(crate) chunk_bytes: u64,
    writer: Mutex<Writer>,
    index: RwLock<Index>,
    tables: Mutex<TableCache>,
}

/// What appending needs beyond the index.
struct Writer {
    /// All entries up to here survive a crash.
    durable: Seqno,
    /// Why nothing more can be written.
    dead: Option<String>,
}

/// Which entry is where.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// Contiguous from seqno 1: first and last entry of each.
    pub(crate) closed: Vec<(u64, u64)>,
    pub(crate) open: OpenChunk,
}

/// The chunk that grows. It has a file once it has an entry, or was found with one.
#[derive(Clone, Debug)]
pub(crate) struct OpenChunk {
    pub(crate) first: u64,
    /// Offsets of its entries.
    pub(crate) positions: Vec<u32>,
    /// Where the next entry goes.
    pub(crate) end: u32,
    pub(crate) exists: bool,
    /// Whether its last batch asks for its end.
    pub(crate) ends: bool,
}

impl OpenChunk {
    pub(crate) fn new(first: u64) -> Self {
        Self { first, positions: Vec::new(), end: FIRST_OFFSET, exists: false, ends: false }
    }

    pub(crate) fn name(&self) -> String {
        ChunkName::Open { first: self.first }.to_string()
    }

    /// The entry after its last.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.positions.len() as u64
    }
}

impl<D: Directory> Files<D> {
    /// Opens a directory, cuts off what a crash tore, and says where the ledger ends. With `keys` the last signature's own tag is
    /// checked too, which nothing else covers.
    pub fn open(directory: D, keys: Option<&LedgerKeys>) -> Result<(Self, Recovered), FilesError> {
        Self::open_with(directory, keys, CHUNK_BYTES)
    }

    /// As [`Files::open`], with another size of chunks. All nodes of a network must have the same.
    pub fn open_with(
        directory: D,
        keys: Option<&LedgerKeys>,
        chunk_bytes: u64,
    ) -> Result<(Self, Recovered), FilesError> {
        let (index, recovered) = recovery::recover(&directory, keys)?;
        let files = Self {
            directory,
            chunk_bytes,
            writer: Mutex::new(Writer { durable: recovered.head.seqno(), dead: None }),
            index: RwLock::new(index),
            tables: Mutex::default(),
        };
        // A crash may have come between the entry that filled the chunk and its closing.
        files.close_if_due()?;
        Ok((files, recovered))
    }

    /// Appends whole batches that are committed. Not durable before [`Files::sync`]. After a failed write
    /// nothing more can be appended.
    pub fn append(&self, batches: &[u8]) -> Result<(), FilesError> {
        self.writing(|writer| {
            let mut rest = batches;
            while !rest.is_empty() {
                let (batch, lengths) = first_batch(rest).map_err(|source| corrupt("(to be appended)", source))?;
                self.append_batch(batch, &lengths, ends_chunk(batch))?;
                if self.close_if_due()? {
                    writer.durable = self.end();
                }
                rest = &rest[batch.len()..];
            }
            Ok(())
        })
    }

    /// Makes durable what was appended, and says up to where that is.
    pub fn sync(&self) -> Result<Seqno, FilesError> {
        self.writing(|writer| {
            let end = self.end();
            if writer.durable < end {
                let name = self.read_index().open.name();
                self.directory.sync(&name).map_err(|source| io_error("sync", &name, source))?;
                writer.durable = end;
            }
            Ok(end)
        })
    }

    /// The last entry.
    #[must_use]
    pub fn end(&self) -> Seqno {
        Seqno(self.read_index().open.next() - 1)
    }

    /// The last entry that survives a crash.
    #[must_use]
    pub fn durable(&self) -> Seqno {
        self.lock_writer().durable
    }

    /// One raw entry. Its frame and number are checked; its content is believed only once it is opened with a key.
    pub fn read(&self, seqno: Seqno) -> Result<Bytes, FilesError> {
        let index = self.read_index();
        let Place { name, start, end, .. } = self.locate(&index, seqno)?;
        let bytes = self.read_range(&name, start, end)?;
        match RawEntry::parse(&bytes) {
            Ok(entry) if entry.txid.seqno == seqno && entry.bytes.len() == bytes.len() => Ok(bytes),
            Ok(_) => Err(corrupt(&name, Corrupt::Frame("another entry stands in its place"))),
            Err(source) => Err(corrupt(&name, source)),
        }
    }

    /// All batches from the one that begins at `first`, one read a chunk. Ends where the ledger ended when the last chunk was read.
    pub fn batches(&self, first: Seqno) -> Batches<'_, D> {
        Batches { files: self, next: first, block: Bytes::new(), name: String::new() }
    }

    /// Runs one writing operation. After a failed write nobody knows what the file holds, so it is the last of this handle.
    fn writing<T>(&self, operation: impl FnOnce(&mut Writer) -> Result<T, FilesError>) -> Result<T, FilesError> {
        let mut writer = self.lock_writer();
        if let Some(reason) = &writer.dead {
            return Err(FilesError::Dead(reason.clone()));
        }
        let outcome = operation(&mut writer);
        if let Err(error @ FilesError::Io { source, .. }) = &outcome {
            writer.dead = Some(format!("{error}: {source}"));
        }
        outcome
    }

    fn append_batch(&self, batch: &[u8], lengths: &[u32], ends: bool) -> Result<(), FilesError> {
        let found = RawEntry::parse(batch).map_err(|source| corrupt("(to be appended)", source))?.txid.seqno;
        let (name, next, end, exists) = {
            let open = &self.read_index().open;
            (open.name(), open.next(), u64::from(open.end), open.exists)
        };
        if found.0 != next {
            return Err(FilesError::NotNext { found, end: Seqno(next - 1) });
        }
        if end + batch.len() as u64 > CHUNK_BYTES_MAX {
            return Err(corrupt(&name, Corrupt::Frame("it would lie past 4 GiB")));
        }
        let write = |offset, bytes| {
            self.directory.write(&name, offset, bytes).map_err(|source| io_error("write", &name, source))
        };
        if !exists {
            write(0, &[0; FIRST_OFFSET as usize])?;
            self.sync_names(&name)?;
        }
        write(end, batch)?;
        let open = &mut self.write_index().open;
        open.exists = true;
        open.ends = ends;
        for length in lengths {
            open.positions.push(open.end);
            open.end += length;
        }
        Ok(())
    }

    /// Closes the open chunk if it has its size, or members asked for its end: position table, its offset, durable, final name.
    fn close_if_due(&self) -> Result<bool, FilesError> {
        let (name, first, last, end, table) = {
            let open = &self.read_index().open;
            if open.positions.is_empty() || (u64::from(open.end) < self.chunk_bytes && !open.ends) {
                return Ok(false);
            }
            (open.name(), open.first, open.next() - 1, u64::from(open.end), chunk::table_bytes(&open.positions))
        };
        self.directory
            .write(&name, end, &table)
            .and_then(|()| self.directory.write(&name, 0, &end.to_le_bytes()))
            .and_then(|()| self.directory.sync(&name))
            .map_err(|source| io_error("close", &name, source))?;
        {
            // Readers find either name, never none.
            let mut index = self.write_index();
            self.directory
                .rename(&name, &ChunkName::Committed { first, last }.to_string())
                .map_err(|source| io_error("rename", &name, source))?;
            index.closed.push((first, last));
            index.open = OpenChunk::new(last + 1);
        }
        self.sync_names(&name)?;
        Ok(true)
    }

    fn sync_names(&self, name: &str) -> Result<(), FilesError> {
        self.directory.sync_names().map_err(|source| io_error("name", name, source))
    }

    /// Where an entry lies.
    fn locate(&self, index: &Index, seqno: Seqno) -> Result<Place, FilesError> {
        let open = &index.open;
        if seqno.0 == 0 || seqno.0 >= open.next() {
            return Err(FilesError::Unknown { asked: seqno, end: Seqno(open.next() - 1) });
        }
        if seqno.0 >= open.first {
            return Ok(Place::new(open.name(), &open.positions, seqno.0 - open.first, u64::from(open.end)));
        }
        let (first, last) = index.closed[index.closed.partition_point(|(_, last)| *last < seqno.0)];
        let name = ChunkName::Committed { first, last }.to_string();
        let cached = self.lock_tables().get(first);
        let table = match cached {
            Some(table) => table,
            None => {
                let (positions, end) = recovery::closed_positions(&self.directory, &name, last - first + 1)?;
                let table = Table { positions: positions.into(), end };
                self.lock_tables().insert(first, table.clone());
                table
            }
        };
        Ok(Place::new(name, &table.positions, seqno.0 - first, table.end))
    }

    fn read_range(&self, name: &str, start: u64, end: u64) -> Result<Bytes, FilesError> {
        recovery::read_range(&self.directory, name, start, end).map(Bytes::from)
    }

    pub(crate) fn read_index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_index(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_tables(&self) -> MutexGuard<'_, TableCache> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Batches in order; see [`Files::batches`]. After an error it ends.
pub struct Batches<'a, D> {
    files: &'a Files<D>,
    next: Seqno,
    /// What was read of the present chunk and not yet given out.
    block: Bytes,
    name: String,
}

impl<D: Directory> Batches<'_, D> {
    fn load(&mut self) -> Result<bool, FilesError> {
        let index = self.files.read_index();
        if self.next.0 >= index.open.next() {
            return Ok(false);
        }
        let place = self.files.locate(&index, self.next)?;
        self.block = self.files.read_range(&place.name, place.start, place.chunk_end)?;
        self.name = place.name;
        Ok(true)
    }

    fn batch(&mut self) -> Result<Option<Bytes>, FilesError> {
        if self.block.is_empty() && !self.load()? {
            return Ok(None);
        }
        let (batch, lengths) = first_batch(&self.block).map_err(|source| corrupt(&self.name, source))?;
        self.next = Seqno(self.next.0 + lengths.len() as u64);
        let len = batch.len();
        Ok(Some(self.block.split_to(len)))
    }
}

impl<D: Directory> Iterator for Batches<'_, D> {
    type Item = Result<Bytes, FilesError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.batch();
        if batch.is_err() {
            self.block = Bytes::new();
            self.next = Seqno(u64::MAX);
        }
        batch.transpose()
    }
}

/// The first batch of `bytes`, up to and with its signature, and the lengths of its entries.
pub(crate) fn first_batch(bytes: &[u8]) -> Result<(&[u8], Vec<u32>), Corrupt> {
    let mut lengths = Vec::new();
    let mut end = 0;
    for entry in split(bytes) {
        let entry = entry?;
        end += entry.bytes.len();
        lengths.push(u32::try_from(entry.bytes.len()).map_err(|_| Corrupt::Frame("its size is out of range"))?);
        if entry.is_signature() {
            return Ok((&bytes[..end], lengths));
        }
    }
    Err(Corrupt::Unsigned)
}

/// Whether members asked, in one of these entries, that the chunk ends with them.
pub(crate) fn ends_chunk(batch: &[u8]) -> bool {
    split(batch).flatten().any(|entry| {
        // Sections stand in the order of their names.
        let mut sections = entry.public().map_while(Result::ok).skip_while(|section| section.name < LEDGER_FILES);
        sections.next().is_some_and(|section| section.name == LEDGER_FILES && section.get(CHUNK_WANTED).is_some())
    })
}

/// Where an entry lies.
struct Place {
    name: String,
    start: u64,
    end: u64,
    /// Where the last entry of its chunk ends.
    chunk_end: u64,
}

impl Place {
    /// The place of entry number `at` of a chunk; `at` is below the number of its entries.
    fn new(name: String, positions: &[u32], at: u64, chunk_end: u64) -> Self {
        let position =
            |at: u64| usize::try_from(at).ok().and_then(|at| positions.get(at)).map(|found| u64::from(*found));
        let end = position(at + 1).unwrap_or(chunk_end);
        Self { name, start: position(at).unwrap_or(end), end, chunk_end }
    }
}

/// The offsets of a closed chunk's entries, and where the last one ends.
#[derive(Clone)]
struct Table {
    positions: Arc<[u32]>,
    end: u64,
}

/// Position tables by their chunk's first entry; the one not used for longest makes room.
#[derive(Default)]
struct TableCache {
    tables: BTreeMap<u64, (u64, Table)>,
    clock: u64,
}

impl TableCache {
    fn get(&mut self, first: u64) -> Option<Table> {
        self.clock += 1;
        let (used, table) = self.tables.get_mut(&first)?;
        *used = self.clock;
        Some(table.clone())
    }

    fn insert(&mut self, first: u64, table: Table) {
        if self.tables.len() >= TABLES_CACHED {
            let oldest = self.tables.iter().min_by_key(|(_, (used, _))| *used).map(|(first, _)| *first);
            oldest.and_then(|oldest| self.tables.remove(&oldest));
        }
        self.clock += 1;
        self.tables.insert(first, (self.clock, table));
    }
}

pub(crate) fn io_error(doing: &'static str, name: &str, source: io::Error) -> FilesError {
    FilesError::Io { doing, name: name.to_owned(), source }
}

pub(crate) fn corrupt(name: &str, source: Corrupt) -> FilesError {
    FilesError::Corrupt { name: name.to_owned(), source }
}
