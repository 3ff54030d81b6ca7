//! The index of what is in the ledger file: by which entry a row was written, and which entries carry a term.
//!
//! ```text
//!   add ─▶ fresh ── a group is full ─▶ full ── a thread that nobody waits for ─▶ rows    name of the row          ─▶ seqno
//!                 (both in memory)                                               terms   group, name of the term  ─▶ entries, hidden
//!                                                                                groups  first ─▶ last entry      (written last: now it counts)
//! ```
//!
//! There is no journal: the ledger file is one. What is fresh is lost with the process and is indexed again from there.
//! A group is written sorted and at once, so a row costs a hash, a place in a map and its own bytes; and a term costs one
//! row a group, however many entries carry it.
//!
//! Nothing on disk says what it is about: names are keyed hashes, of a term another one in each group, and the lists of
//! entries are hidden. Byte layout: docs/formats/index.md.

mod fresh;
mod names;
mod postings;
mod search;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::{self, JoinHandle};

use base::Seqno;
use crypto::MacKey;
use fjall::compaction::Leveled;
use fjall::config::{FilterPolicy, PartitioningPolicy};
use fjall::{Database, Keyspace, KeyspaceCreateOptions};
use kv::{Found, Kind, TableId, Tables, Wanted, WriteSet};

use fresh::{Fresh, Gathered};
use names::{NAME_BYTES, Name, Names};
use search::Search;

use crate::background;

/// How this index is made. Another one is built anew; whoever changes what is in it (an adapter's terms, too) counts on.
const VERSION: &[u8] = b"3";
const VERSION_KEY: &[u8] = b"version";
/// Bytes of index blocks kept in memory.
const CACHE_BYTES: u64 = 32 << 20;
/// Bytes of what is fresh, about: a group is written when there are so many. The disk has it in one piece, for which the log's syncs
/// wait: 4 MiB are felt by a few calls every few seconds, and 16 by more than one in a hundred.
const FRESH_BYTES_MAX: usize = 4 << 20;
/// Less than this is not worth a group when the node stops: it is read from the ledger again in no time.
const FRESH_BYTES_KEPT: usize = 1 << 20;
/// Files of the index that stay open.
const FILES_MAX: usize = 128;
/// Groups of rows that lie side by side before a merge begins: each is one more place to look for a row, and fewer
/// would be merged more often.
const RUNS_MAX: u8 = 48;
/// Bytes of one merged file, which goes to disk in one piece, too. What a merge leaves behind goes with the next one.
const MERGED_BYTES: u64 = 4 << 20;

/// The index on disk does not serve. It may be deleted while the node is down: it is built again from the ledger.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("the history index failed; stop the node, delete its folder `index` and start it again to rebuild it")]
    Store(#[from] fjall::Error),
    #[error("the history index is damaged; stop the node, delete its folder `index` and start it again to rebuild it")]
    Damaged,
    #[error("an old history index could not be removed; delete the node's folder `index` while the node is down")]
    Old(#[source] std::io::Error),
    #[error("entry {next} came to the history index, which stands at {indexed}: those between are missing")]
    Gap { indexed: Seqno, next: Seqno },
    #[error("the history index could not be sealed")]
    Sealing(#[from] crypto::Error),
    #[error("there is no thread for the history index")]
    Thread(#[source] std::io::Error),
    #[error("a thread of the history index ended early")]
    Ended,
}

/// Entries that were written into the index together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    pub first: Seqno,
    pub last: Seqno,
}

impl Group {
    /// Where a term's list is. Groups lie behind each other, so that nothing is ever merged.
    fn key(&self, name: &Name) -> [u8; 8 + NAME_BYTES] {
        let mut key = [0; 8 + NAME_BYTES];
        key[..8].copy_from_slice(&self.first.0.to_be_bytes());
        key[8..].copy_from_slice(&name.0);
        key
    }
}

pub struct Index {
    store: Arc<Store>,
    /// Held by whoever adds.
    adding: Mutex<Adding>,
}

struct Adding {
    /// The thread that writes a group, if there is one.
    writing: Option<Writing>,
    /// Bytes of what is fresh from which on it is a group.
    full_at: usize,
}

type Writing = JoinHandle<Result<Group, IndexError>>;

/// What readers and the writer of a group share.
struct Store {
    names: Names,
    rows: Keyspace,
    terms: Keyspace,
    groups: Keyspace,
    live: RwLock<Live>,
    _database: Database,
}

/// What changes.
struct Live {
    /// On disk; the first begins with the first entry, each other one where the one before ends.
    groups: Arc<Vec<Group>>,
    /// Behind those, on its way to disk.
    full: Option<Arc<Fresh>>,
    /// Behind that.
    fresh: Fresh,
}

impl Index {
    pub fn open(dir: &Path, key: MacKey, tables: Arc<Tables>) -> Result<Self, IndexError> {
        // The store's own thread, which merges groups, has the rank of the one that opens it.
        let opened = thread::scope(|scope| {
            let open = || {
                background::step_back();
                open_current(dir)
            };
            scope.spawn(open).join()
        });
        let (database, groups) = opened.unwrap_or(Err(IndexError::Ended))?;
        let rows = KeyspaceCreateOptions::default()
            .filter_policy(FilterPolicy::all(fjall::config::FilterPolicyEntry::Bloom(
                fjall::config::BloomConstructionPolicy::BitsPerKey(10.0),
            )))
            .filter_block_partitioning_policy(PartitioningPolicy::all(true))
            .index_block_partitioning_policy(PartitioningPolicy::all(true))
            .compaction_strategy(Arc::new(
                Leveled::default().with_l0_threshold(RUNS_MAX).with_table_target_size(MERGED_BYTES),
            ));
        // Whether a group has a term is seen in one block of it; a filter would be another block.
        let terms = KeyspaceCreateOptions::default()
            .filter_policy(FilterPolicy::disabled())
            .index_block_partitioning_policy(PartitioningPolicy::all(true));
        let (rows, terms) = (database.keyspace("rows", || rows)?, database.keyspace("terms", || terms)?);
        let on_disk = read_groups(&groups)?;
        let last = on_disk.last().map_or(Seqno(0), |group| group.last);
        let live = RwLock::new(Live { groups: Arc::new(on_disk), full: None, fresh: Fresh::after(last) });
        let store = Store { names: Names::new(key, tables), rows, terms, groups, live, _database: database };
        Ok(Self { store: Arc::new(store), adding: Mutex::new(Adding { writing: None, full_at: first_full_at()? }) })
    }

    /// Everything up to here is in the index.
    pub fn indexed(&self) -> Seqno {
        self.store.read().fresh.last
    }

    /// Which entry wrote a row.
    pub fn row(&self, table: TableId, key: &[u8]) -> Result<Option<Seqno>, IndexError> {
        let name = self.store.names.row(table, key);
        if let Some(seqno) = self.store.read().in_memory().find_map(|fresh| fresh.rows.get(&name)) {
            return Ok(Some(Seqno(*seqno)));
        }
        self.store.rows.get(name.0)?.map(|value| short_seqno(&value)).transpose()
    }

    /// Entries that may carry what is wanted.
    pub fn find(&self, wanted: &Wanted, from: Seqno, to: Seqno) -> Result<Found, IndexError> {
        Ok(Search::new(&self.store, wanted, from, to).run()?.0)
    }

    /// Adds consecutive entries, the last of which is `last`. What is there already is left alone.
    /// `terms` hands over the terms of an entry.
    pub fn add(
        &self,
        tables: &Tables,
        entries: &[(Seqno, WriteSet)],
        last: Seqno,
        terms: impl Fn(&WriteSet, &mut dyn FnMut(TableId, &[u8])),
    ) -> Result<(), IndexError> {
        let mut adding = self.adding();
        self.finish(&mut adding.writing, |thread| thread.is_finished())?;
        let indexed = self.indexed();
        if let Some((next, _)) = entries.first().filter(|(first, _)| *first > indexed.next()) {
            return Err(IndexError::Gap { indexed, next: *next });
        }
        let (mut rows, mut gathered) = (Vec::with_capacity(entries.len()), Gathered::default());
        for (seqno, writes) in entries.iter().filter(|(seqno, _)| *seqno > indexed) {
            for section in writes.sections.iter().filter(|section| tables.get(section.table).kind == Kind::History) {
                rows.extend(section.puts.iter().map(|(key, _)| (self.store.names.row(section.table, key), *seqno)));
            }
            terms(writes, &mut |table, term| gathered.add(*seqno, table, term));
        }
        let bytes = {
            let fresh = &mut self.store.write().fresh;
            rows.into_iter().for_each(|(name, seqno)| fresh.add_row(name, seqno));
            gathered.each(|seqno, table, term| fresh.add_term(table, term, seqno));
            fresh.last = fresh.last.max(last);
            fresh.bytes()
        };
        if bytes >= adding.full_at {
            // Two are not held in memory at once.
            self.finish(&mut adding.writing, |_| true)?;
            self.store.write().fill();
            let store = self.store.clone();
            let write = move || {
                background::step_back();
                store.write_group()
            };
            adding.writing =
                Some(thread::Builder::new().name("index".into()).spawn(write).map_err(IndexError::Thread)?);
            adding.full_at = FRESH_BYTES_MAX;
        }
        Ok(())
    }

    /// Writes what is fresh if that saves time at the next start.
    pub fn close(&self) -> Result<(), IndexError> {
        self.finish(&mut self.adding().writing, |_| true)?;
        if self.store.read().fresh.bytes() < FRESH_BYTES_KEPT {
            return Ok(());
        }
        self.store.write().fill();
        let group = self.store.write_group()?;
        drop(self.store.write().written(group));
        Ok(())
    }

    /// Waits for the thread that writes a group, if it is to be waited for. Its group counts from then on.
    fn finish(&self, writing: &mut Option<Writing>, wait: impl Fn(&Writing) -> bool) -> Result<(), IndexError> {
        if let Some(ended) = writing.take_if(|thread| wait(thread)).map(JoinHandle::join) {
            let group = ended.unwrap_or(Err(IndexError::Ended))?;
            // By this thread, which others wait for: the one that wrote has time.
            let full = self.store.write().written(group);
            drop(full);
        }
        Ok(())
    }

    fn adding(&self) -> MutexGuard<'_, Adding> {
        self.adding.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the first group ends: anywhere between a quarter and all of the others' size. Nodes that started together index the same, and
/// would write their groups in the same moment, each for some time in which its log waits for the disk. While one writes, the others
/// are a majority.
fn first_full_at() -> Result<usize, IndexError> {
    let share = usize::from(u16::from_be_bytes(crypto::random()?));
    Ok(FRESH_BYTES_MAX / 4 + FRESH_BYTES_MAX / 4 * 3 / usize::from(u16::MAX) * share)
}

impl Drop for Index {
    fn drop(&mut self) {
        // Whoever opens it next finds nobody in it.
        let _ = self.finish(&mut self.adding().writing, |_| true);
    }
}

impl Live {
    /// What is not on disk yet, the newest first.
    fn in_memory(&self) -> impl Iterator<Item = &Fresh> {
        std::iter::once(&self.fresh).chain(self.full.as_deref())
    }

    /// What is fresh is full. Nothing changes while something is: it was not written yet.
    fn fill(&mut self) {
        if self.full.is_some() {
            return;
        }
        let next = Fresh::after(self.fresh.last);
        self.full = Some(Arc::new(std::mem::replace(&mut self.fresh, next)));
    }

    /// What was full is on disk, and given back: there is much to let go of, better without the lock.
    #[must_use]
    fn written(&mut self, group: Group) -> Option<Arc<Fresh>> {
        let mut groups = Vec::clone(&self.groups);
        groups.push(group);
        self.groups = Arc::new(groups);
        self.full.take()
    }
}

impl Store {
    /// Makes a group of what is full. Readers find it in memory until [`Live::written`].
    fn write_group(&self) -> Result<Group, IndexError> {
        let full = self.read().full.clone().ok_or(IndexError::Ended)?;
        let group = full.group();
        let mut rows: Vec<_> = full.rows.iter().map(|(name, seqno)| (*name, *seqno)).collect();
        rows.sort_unstable();
        let mut ingestion = self.rows.start_ingestion()?;
        for (name, seqno) in rows {
            ingestion.write(name.0, short_bytes(seqno))?;
        }
        ingestion.finish()?;
        let mut lists = Vec::with_capacity(full.terms.values().map(HashMap::len).sum());
        for (table, terms) in &full.terms {
            for (term, postings) in terms {
                let key = self.names.term(*table, &group, term);
                lists.push((key.name(), key.seal(postings.bytes())?));
            }
        }
        lists.sort_unstable();
        // Two terms with one name would be a wonder, but the store below does not forgive it.
        lists.dedup_by_key(|(name, _)| *name);
        let mut ingestion = self.terms.start_ingestion()?;
        for (name, list) in lists {
            ingestion.write(group.key(&name), list)?;
        }
        ingestion.finish()?;
        self.groups.insert(group.first.0.to_be_bytes(), group.last.0.to_be_bytes())?;
        Ok(group)
    }

    fn read(&self) -> RwLockReadGuard<'_, Live> {
        self.live.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Live> {
        self.live.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the database and its list of groups. One that was made in another way is removed first.
fn open_current(dir: &Path) -> Result<(Database, Keyspace), IndexError> {
    let open = || -> Result<_, IndexError> {
        let database = Database::builder(dir)
            .cache_size(CACHE_BYTES)
            .max_cached_files(Some(FILES_MAX))
            .worker_threads(1)
            .open()?;
        let new = database.keyspace_count() == 0;
        let groups = database.keyspace("groups", KeyspaceCreateOptions::default)?;
        let current = groups.get(VERSION_KEY)?.is_some_and(|version| *version == *VERSION);
        if new {
            groups.insert(VERSION_KEY, VERSION)?;
        }
        Ok((new || current).then_some((database, groups)))
    };
    if let Some(opened) = open()? {
        return Ok(opened);
    }
    tracing::info!("the history index was made by another version; it is built again from the ledger");
    std::fs::remove_dir_all(dir).map_err(IndexError::Old)?;
    open()?.ok_or(IndexError::Damaged)
}

fn read_groups(groups: &Keyspace) -> Result<Vec<Group>, IndexError> {
    let mut found: Vec<Group> = Vec::new();
    for row in groups.iter() {
        let (key, value) = row.into_inner()?;
        if &*key == VERSION_KEY {
            continue;
        }
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).map_err(|_| IndexError::Damaged);
        let group = Group { first: Seqno(number(&key)?), last: Seqno(number(&value)?) };
        let expected = found.last().map_or(Seqno(1), |group| group.last.next());
        if group.first != expected || group.last < group.first {
            return Err(IndexError::Damaged);
        }
        found.push(group);
    }
    Ok(found)
}

/// A seqno without the zeros at its end.
fn short_bytes(seqno: u64) -> Vec<u8> {
    let bytes = seqno.to_le_bytes();
    let len = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    bytes[..len].to_vec()
}

fn short_seqno(value: &[u8]) -> Result<Seqno, IndexError> {
    let mut bytes = [0; 8];
    bytes.get_mut(..value.len()).ok_or(IndexError::Damaged)?.copy_from_slice(value);
    Ok(Seqno(u64::from_le_bytes(bytes)))
}

#[cfg(test)]
mod tests;
