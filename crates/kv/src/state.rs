//! One version of all tables, and the window of versions that readers are given.

use std::any::Any;
use std::cmp::Ordering;
use std::ops::{Deref, RangeBounds};
use std::sync::Arc;

use base::Seqno;
use imbl::Vector;

use crate::map::{Map, Row};
use crate::recent::Recent;
use crate::{Blob, History, HistoryError, Kind, Section, TableId, Tables, WriteSet};

/// Rows that are brought into the processor's caches together before they change: about 20 cache lines each.
const READ_AHEAD: usize = 256;

/// What an adapter computed from a version (its trie, say). It rides with the version, so that a rollback takes it
/// back too and a reader of an old version finds the one that belongs to it.
pub type Derived = Arc<dyn Any + Send + Sync>;

/// One version of all tables. A clone costs a few reference counts.
#[derive(Clone)]
pub struct State {
    pub(crate) seqno: Seqno,
    tables: Arc<Tables>,
    /// Rows of state tables. A table that came later, or had no row yet, may be behind the end: it is empty.
    maps: Vec<Map>,
    /// Rows of history tables, as far as they are in memory.
    pub(crate) recent: Recent,
    pub(crate) derived: Vec<Option<Derived>>,
    pub(crate) history: Arc<dyn History>,
}

impl State {
    /// The version before the first entry: no rows.
    #[must_use]
    pub fn new(tables: Arc<Tables>, history: Arc<dyn History>) -> Self {
        Self { seqno: Seqno(0), tables, maps: Vec::new(), recent: Recent::default(), derived: Vec::new(), history }
    }

    /// The last entry whose writes are in this version.
    #[must_use]
    pub fn seqno(&self) -> Seqno {
        self.seqno
    }

    #[must_use]
    pub fn tables(&self) -> &Arc<Tables> {
        &self.tables
    }

    /// The value of a row. For a state table this never fails.
    pub fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Blob>, HistoryError> {
        Ok(self.find(table, key)?.map(|row| row.value))
    }

    /// The entry that wrote a row.
    pub fn version(&self, table: TableId, key: &[u8]) -> Result<Option<Seqno>, HistoryError> {
        Ok(self.find(table, key)?.map(|row| row.version))
    }

    pub(crate) fn find(&self, table: TableId, key: &[u8]) -> Result<Option<Row>, HistoryError> {
        if table.kind() == Kind::State {
            return Ok(self.map(table).and_then(|map| map.get(key)).cloned());
        }
        if let Some(row) = self.recent.get(table, key) {
            return Ok(Some(row.clone()));
        }
        // What was written after this version is not part of it.
        let row = self.history.get(table, key)?;
        Ok(row.filter(|(version, _)| *version <= self.seqno).map(|(version, value)| Row { version, value }))
    }

    /// Whether a state table has a row.
    pub(crate) fn holds(&self, table: TableId, key: &[u8]) -> bool {
        self.map(table).is_some_and(|map| map.get(key).is_some())
    }

    /// Rows of a state table in key order. Of a history table none is seen.
    pub fn range<R>(&self, table: TableId, keys: R) -> impl DoubleEndedIterator<Item = (&Blob, &Blob)>
    where
        R: RangeBounds<[u8]>,
    {
        self.rows(table, keys).map(|(key, row)| (key, &row.value))
    }

    pub(crate) fn rows<R>(&self, table: TableId, keys: R) -> impl DoubleEndedIterator<Item = (&Blob, &Row)>
    where
        R: RangeBounds<[u8]>,
    {
        self.map(table).map(|map| map.range(keys.start_bound(), keys.end_bound())).unwrap_or_default()
    }

    /// Rows of a table that are in memory.
    #[must_use]
    pub fn len(&self, table: TableId) -> usize {
        match table.kind() {
            Kind::State => self.map(table).map_or(0, Map::len),
            Kind::History => self.recent.len(table),
        }
    }

    #[must_use]
    pub fn is_empty(&self, table: TableId) -> bool {
        self.len(table) == 0
    }

    /// What the adapter in this slot derived from this version.
    #[must_use]
    pub fn derived(&self, slot: usize) -> Option<&Derived> {
        self.derived.get(slot)?.as_ref()
    }

    pub fn set_derived(&mut self, slot: usize, derived: Option<Derived>) {
        if self.derived.len() <= slot {
            self.derived.resize(slot + 1, None);
        }
        self.derived[slot] = derived;
    }

    /// Makes this the version after some entries, in their order.
    pub fn apply_all(&mut self, entries: &[(Seqno, WriteSet)]) {
        let mut rest = entries;
        while !rest.is_empty() {
            let mut rows = 0;
            let fitting = rest.iter().take_while(|(_, writes)| {
                rows += rows_of(writes);
                rows <= READ_AHEAD
            });
            let fitting = fitting.count();
            // One that is too large alone is not read ahead.
            self.read_ahead(&rest[..fitting]);
            let (now, later) = rest.split_at(fitting.max(1));
            for (seqno, writes) in now {
                self.apply(*seqno, writes);
            }
            rest = later;
        }
    }

    /// Brings the rows that some entries change into the processor's caches.
    fn read_ahead(&self, entries: &[(Seqno, WriteSet)]) {
        let mut keys = vec![Vec::new(); self.maps.len()];
        for section in entries.iter().flat_map(|(_, writes)| &writes.sections) {
            if let (Kind::State, Some(keys)) = (section.table.kind(), keys.get_mut(section.table.index())) {
                keys.extend(section.puts.iter().map(|(key, _)| key).chain(&section.removes));
            }
        }
        for (map, keys) in self.maps.iter().zip(keys) {
            map.read_ahead(keys);
        }
    }

    /// Makes this the version after `writes`, which entry `seqno` carries.
    pub fn apply(&mut self, seqno: Seqno, writes: &WriteSet) {
        debug_assert!(seqno > self.seqno, "entries are applied in order");
        self.seqno = seqno;
        for section in &writes.sections {
            match section.table.kind() {
                Kind::State => self.write(seqno, section),
                Kind::History => self.recent.put(seqno, section),
            }
        }
    }

    /// Puts rows in that an entry of this version was still to bring when its batch closed.
    pub(crate) fn amend(&mut self, entry: Seqno, writes: &WriteSet) {
        debug_assert!(entry <= self.seqno, "the entry is part of this version");
        let mut of_history = Vec::new();
        for section in &writes.sections {
            match section.table.kind() {
                Kind::State => self.write(entry, section),
                Kind::History => of_history.push(section),
            }
        }
        self.recent.amend(entry, &of_history);
    }

    fn write(&mut self, entry: Seqno, Section { table, puts, removes }: &Section) {
        let map = self.map_mut(*table);
        for (key, value) in puts {
            map.insert(key.clone(), Row { version: entry, value: value.clone() });
        }
        for key in removes {
            map.remove(key);
        }
    }

    fn map(&self, table: TableId) -> Option<&Map> {
        self.maps.get(table.index())
    }

    /// The rows of a state table, which has a place from here on.
    pub(crate) fn map_mut(&mut self, table: TableId) -> &mut Map {
        let place = table.index();
        if self.maps.len() <= place {
            self.maps.resize(place + 1, Map::default());
        }
        &mut self.maps[place]
    }

    /// Moves on without a write: some entries (signatures of an idle batch) change nothing that is kept here.
    pub fn skip_to(&mut self, seqno: Seqno) {
        debug_assert!(seqno >= self.seqno, "entries are applied in order");
        self.seqno = seqno;
    }
}

/// What readers are given: the newest committed version, and a window of those before it.
#[derive(Clone)]
pub struct Snapshot {
    state: Arc<State>,
    /// Ends of committed batches, oldest first; the last one is `state`.
    window: Vector<Arc<State>>,
}

impl Snapshot {
    pub(crate) fn new(window: Vector<Arc<State>>, state: Arc<State>) -> Self {
        Self { state, window }
    }

    /// A snapshot of a single version, for readers that need no other.
    #[must_use]
    pub fn of(state: State) -> Self {
        let state = Arc::new(state);
        Self { window: Vector::unit(state.clone()), state }
    }

    /// The version as of `seqno`: the newest one that is not after it. `None` once it has left the window.
    #[must_use]
    pub fn at(&self, seqno: Seqno) -> Option<&Arc<State>> {
        // Two versions may end at one seqno; the search must then find the later one.
        let after = self.window.binary_search_by(|state| state.seqno.cmp(&seqno).then(Ordering::Less));
        self.window.get(after.unwrap_or_else(|after| after).checked_sub(1)?)
    }

    /// The newest committed version.
    #[must_use]
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// The oldest version that [`Snapshot::at`] still finds.
    #[must_use]
    pub fn oldest(&self) -> Seqno {
        self.window.front().map_or(self.state.seqno, |state| state.seqno)
    }
}

impl Deref for Snapshot {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

/// Rows of state tables that an entry changes.
fn rows_of(writes: &WriteSet) -> usize {
    let sections = writes.sections.iter().filter(|section| section.table.kind() == Kind::State);
    sections.map(|section| section.puts.len() + section.removes.len()).sum()
}
