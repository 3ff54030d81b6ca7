//! A transaction: a view of one version with its own writes on top.
//!
//! The same object serves execution, simulation and "simulate now, commit later": with [`Tx::recording`] it notes what
//! it read, and [`Reads::hold`] says whether a later version would have answered the same.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::{Bound, RangeBounds};

use base::{Digest, Seqno};

use crate::{Blob, HistoryError, Section, State, TableId, WriteSet};

type Bounds = (Bound<Blob>, Bound<Blob>);
type Changes = BTreeMap<Blob, Option<Blob>>;

/// One transaction over a version. Reads see its own writes; nothing it does is seen by others before
/// its write set is applied.
pub struct Tx<'a> {
    base: &'a State,
    /// Of the tables that it writes to, by table: `None` is a removal.
    changes: Vec<(TableId, Changes)>,
    claims: Digest,
    /// What writes replaced, newest last, from the first savepoint on.
    undo: Vec<Undo>,
    savepoints: usize,
    reads: Option<RefCell<Reads>>,
}

struct Undo {
    table: TableId,
    key: Blob,
    before: Option<Option<Blob>>,
}

/// A place in a transaction to return to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a savepoint is for rolling back to"]
pub struct Savepoint {
    undo: usize,
    claims: Digest,
}

/// What a finished transaction leaves.
pub struct Finished {
    pub writes: WriteSet,
    pub claims: Digest,
    /// Empty unless the transaction was [`Tx::recording`].
    pub reads: Reads,
}

impl<'a> Tx<'a> {
    #[must_use]
    pub fn new(base: &'a State) -> Self {
        Self { base, changes: Vec::new(), claims: Digest::ZERO, undo: Vec::new(), savepoints: 0, reads: None }
    }

    /// Notes every read from here on.
    #[must_use]
    pub fn recording(mut self) -> Self {
        self.reads = Some(RefCell::new(Reads { at: self.base.seqno(), keys: Vec::new(), ranges: Vec::new() }));
        self
    }

    /// The version underneath.
    #[must_use]
    pub fn base(&self) -> &'a State {
        self.base
    }

    /// The version that this transaction would leave now, for a reader that must own what it reads (a script, a thread).
    /// What such a reader reads is not noted in [`Reads`].
    #[must_use]
    pub fn preview(&self) -> State {
        let mut state = self.base.clone();
        let sections = self.changes.iter().map(|(table, changes)| {
            let mut section = Section { table: *table, puts: Vec::new(), removes: Vec::new() };
            for (key, value) in changes {
                match value {
                    Some(value) => section.puts.push((key.clone(), value.clone())),
                    None => section.removes.push(key.clone()),
                }
            }
            section
        });
        let writes = WriteSet { sections: sections.collect() };
        if !writes.is_empty() {
            state.apply(state.seqno().next(), &writes);
        }
        state
    }

    pub fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Blob>, HistoryError> {
        if let Some(change) = self.changes_of(table).and_then(|changes| changes.get(key)) {
            return Ok(change.clone());
        }
        let row = self.base.find(table, key)?;
        if let Some(reads) = &self.reads {
            reads.borrow_mut().keys.push((table, key.into(), row.as_ref().map(|row| row.version)));
        }
        Ok(row.map(|row| row.value))
    }

    fn changes_of(&self, table: TableId) -> Option<&Changes> {
        // A transaction writes to a few tables: to look at each costs less than to find one.
        self.changes.iter().find(|(id, _)| *id == table).map(|(_, changes)| changes)
    }

    pub fn put(&mut self, table: TableId, key: impl Into<Blob>, value: impl Into<Blob>) {
        self.change(table, key.into(), Some(value.into()));
    }

    pub fn remove(&mut self, table: TableId, key: impl Into<Blob>) {
        self.change(table, key.into(), None);
    }

    fn change(&mut self, table: TableId, key: Blob, value: Option<Blob>) {
        let changes = changes_mut(&mut self.changes, table);
        if self.savepoints == 0 {
            changes.insert(key, value);
        } else {
            let before = changes.insert(key.clone(), value);
            self.undo.push(Undo { table, key, before });
        }
    }

    /// Rows of a state table in key order, own writes included.
    pub fn range<R>(&self, table: TableId, keys: R) -> impl Iterator<Item = (&Blob, &Blob)>
    where
        R: RangeBounds<[u8]> + Clone,
    {
        if let Some(reads) = &self.reads {
            let rows = self.base.rows(table, keys.clone()).count();
            let bounds = (keys.start_bound().map(Blob::from), keys.end_bound().map(Blob::from));
            reads.borrow_mut().ranges.push((table, bounds, rows));
        }
        let bounds = (keys.start_bound(), keys.end_bound());
        let changes = self.changes_of(table).filter(|_| !has_no_room(&keys));
        let changes = changes.map(|changes| changes.range::<[u8], (Bound<&[u8]>, Bound<&[u8]>)>(bounds));
        let changes = changes.into_iter().flatten().peekable();
        Merge { base: self.base.range(table, keys).peekable(), changes }
    }

    /// Marks a place to return to. Savepoints nest: rolling back to one undoes those taken after it.
    pub fn savepoint(&mut self) -> Savepoint {
        self.savepoints += 1;
        Savepoint { undo: self.undo.len(), claims: self.claims }
    }

    /// Undoes every write since the savepoint. It may be rolled back to again.
    pub fn rollback(&mut self, to: Savepoint) {
        while self.undo.len() > to.undo {
            let Some(Undo { table, key, before }) = self.undo.pop() else { break };
            let changes = changes_mut(&mut self.changes, table);
            match before {
                Some(change) => changes.insert(key, change),
                None => changes.remove(&key),
            };
        }
        self.claims = to.claims;
    }

    /// The digest that this transaction's receipt will prove beside its writes.
    pub fn set_claims(&mut self, claims: Digest) {
        self.claims = claims;
    }

    /// The writes in canonical order. A removal of a row that is not there is left out.
    #[must_use]
    pub fn finish(self) -> Finished {
        let mut sections = Vec::with_capacity(self.changes.len());
        for (table, changes) in self.changes {
            let mut section = Section { table, puts: Vec::with_capacity(changes.len()), removes: Vec::new() };
            for (key, value) in changes {
                match value {
                    Some(value) => section.puts.push((key, value)),
                    None if self.base.holds(table, &key) => section.removes.push(key),
                    None => {}
                }
            }
            if !section.puts.is_empty() || !section.removes.is_empty() {
                sections.push(section);
            }
        }
        let reads = self.reads.map(RefCell::into_inner).unwrap_or_default();
        Finished { writes: WriteSet { sections }, claims: self.claims, reads }
    }
}

/// The changes of one table, which keeps its place among the others.
fn changes_mut(all: &mut Vec<(TableId, Changes)>, table: TableId) -> &mut Changes {
    let place = all.partition_point(|(id, _)| *id < table);
    if all.get(place).is_none_or(|(id, _)| *id != table) {
        all.insert(place, (table, Changes::new()));
    }
    &mut all[place].1
}

/// Whether no key can be in a range. Ordered maps panic on some of these.
fn has_no_room<R: RangeBounds<[u8]>>(keys: &R) -> bool {
    match (keys.start_bound(), keys.end_bound()) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Excluded(end))
        | (Bound::Excluded(start), Bound::Included(end)) => start >= end,
    }
}

/// Merges the base's rows with changes, both in key order; a change hides the row it replaces.
struct Merge<B: Iterator, C: Iterator> {
    base: Peekable<B>,
    changes: Peekable<C>,
}

impl<'t, B, C> Iterator for Merge<B, C>
where
    B: Iterator<Item = (&'t Blob, &'t Blob)>,
    C: Iterator<Item = (&'t Blob, &'t Option<Blob>)>,
{
    type Item = (&'t Blob, &'t Blob);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((changed, _)) = self.changes.peek() else { return self.base.next() };
            if let Some(row) = self.base.next_if(|(key, _)| key < changed) {
                return Some(row);
            }
            let (key, change) = self.changes.next()?;
            self.base.next_if(|(base, _)| *base == key);
            if let Some(value) = change {
                return Some((key, value));
            }
        }
    }
}

/// What a transaction read: keys with the version found, ranges with the number of rows found.
#[derive(Clone, Default, Debug)]
pub struct Reads {
    at: Seqno,
    keys: Vec<(TableId, Blob, Option<Seqno>)>,
    ranges: Vec<(TableId, Bounds, usize)>,
}

impl Reads {
    /// Whether `state`, a later version of the same store, answers every read as before. The reads must have been taken
    /// of a version that was not rolled back since: a seqno that is written anew looks like the old one.
    pub fn hold(&self, state: &State) -> Result<bool, HistoryError> {
        for (table, key, version) in &self.keys {
            if state.find(*table, key)?.map(|row| row.version) != *version {
                return Ok(false);
            }
        }
        // Within a range a new or replaced row is younger than the read; a vanished one changes the count.
        Ok(self.ranges.iter().all(|(table, (start, end), rows)| {
            let bounds = (start.as_ref().map(|key| &key[..]), end.as_ref().map(|key| &key[..]));
            let mut found = 0;
            let fresh = state.rows::<(Bound<&[u8]>, Bound<&[u8]>)>(*table, bounds).any(|(_, row)| {
                found += 1;
                row.version > self.at
            });
            !fresh && found == *rows
        }))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len() + self.ranges.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
