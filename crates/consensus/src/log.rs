//! The log in memory, as the library wants to read it.
//!
//! It holds what was handed to the runtime for writing, whether that is synced yet or not: the library itself keeps
//! count of what is durable. Batches are shared, not copied; [`MemoryLog::compact`] bounds what is held.

use std::collections::{BTreeSet, VecDeque};

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{Error, GetEntriesContext, RaftState, Result, Storage, StorageError};

use crate::message::{APPEND_ENTRIES_MAX, ENTRY_HEADER_BYTES};
use crate::{Configuration, Member, Point, Stored, convert};

pub struct MemoryLog {
    /// Only read when the library starts.
    membership: ConfState,
    /// Likewise.
    hard_state: HardState,
    /// The place before the first entry.
    start: Point,
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl MemoryLog {
    pub fn new(membership: &Configuration, stored: &Stored) -> Self {
        let numbers = |members: &BTreeSet<Member>| members.iter().map(|member| member.0).collect::<Vec<_>>();
        let mut log = Self {
            membership: ConfState::from((numbers(membership.voters()), numbers(membership.learners()))),
            hard_state: convert::hard_state_into(&stored.hard_state),
            start: stored.start,
            entries: VecDeque::new(),
            bytes: 0,
        };
        for entry in &stored.entries {
            log.push(convert::entry_into(entry.index, entry.view, &entry.content));
        }
        log
    }

    pub const fn start(&self) -> Point {
        self.start
    }

    pub fn last(&self) -> Point {
        self.entries.back().map_or(self.start, |entry| Point::new(entry.index, entry.term))
    }

    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts entries at the end; where they overlap, what was there gives way. Returns the first index that gave way.
    pub fn append(&mut self, entries: &[Entry]) -> Option<u64> {
        let first = entries.first()?.index;
        let truncated = (first <= self.last().index.0).then_some(first);
        while self.entries.back().is_some_and(|entry| entry.index >= first) {
            self.pop(VecDeque::pop_back);
        }
        for entry in entries {
            self.push(entry.clone());
        }
        truncated
    }

    /// Forgets entries up to `index`, which must be in the log.
    pub fn compact(&mut self, index: u64) {
        while self.entries.front().is_some_and(|entry| entry.index <= index) {
            if let Some(entry) = self.pop(VecDeque::pop_front) {
                self.start = Point::new(entry.index, entry.term);
            }
        }
    }

    fn push(&mut self, entry: Entry) {
        self.bytes += entry.data.len();
        self.entries.push_back(entry);
    }

    fn pop(&mut self, end: fn(&mut VecDeque<Entry>) -> Option<Entry>) -> Option<Entry> {
        let entry = end(&mut self.entries)?;
        self.bytes -= entry.data.len();
        Some(entry)
    }

    /// Where an index stands in `entries`; `None` in front of them.
    fn place(&self, index: u64) -> Option<usize> {
        let behind_start = index.checked_sub(self.start.index.0)?.checked_sub(1)?;
        usize::try_from(behind_start).ok()
    }
}

impl Storage for MemoryLog {
    fn initial_state(&self) -> Result<RaftState> {
        Ok(RaftState::new(self.hard_state.clone(), self.membership.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> Result<Vec<Entry>> {
        let (Some(from), Some(to)) = (self.place(low), self.place(high)) else {
            return Err(Error::Store(StorageError::Compacted));
        };
        if from > to || to > self.entries.len() {
            return Err(Error::Store(StorageError::Unavailable));
        }
        // Only what is meant for a peer has a bound on its bytes.
        let max_size = max_size.into().filter(|max| *max != raft::NO_LIMIT);
        let most = max_size.map_or(usize::MAX, |_| APPEND_ENTRIES_MAX);
        let mut room = max_size.unwrap_or(u64::MAX);
        let fits = |entry: &&Entry| {
            let size = (ENTRY_HEADER_BYTES + entry.data.len()) as u64;
            let fits = size <= room;
            room = room.saturating_sub(size);
            fits
        };
        let mut found: Vec<Entry> = self.entries.range(from..to).take(most).take_while(fits).cloned().collect();
        if found.is_empty() && from < to {
            found.push(self.entries[from].clone());
        }
        Ok(found)
    }

    fn term(&self, index: u64) -> Result<u64> {
        if index == self.start.index.0 {
            return Ok(self.start.view.0);
        }
        let place = self.place(index).ok_or(Error::Store(StorageError::Compacted))?;
        let entry = self.entries.get(place).ok_or(Error::Store(StorageError::Unavailable))?;
        Ok(entry.term)
    }

    fn first_index(&self) -> Result<u64> {
        Ok(self.start.index.0 + 1)
    }

    fn last_index(&self) -> Result<u64> {
        Ok(self.last().index.0)
    }

    /// Only a place: the least that a node which needs dropped entries must get elsewhere. Asked for only when
    /// entries were dropped, so the start is not zero. The driver adds who takes part.
    fn snapshot(&self, _: u64, _: u64) -> Result<Snapshot> {
        let mut snapshot = Snapshot::default();
        let metadata = snapshot.mut_metadata();
        metadata.index = self.start.index.0;
        metadata.term = self.start.view.0;
        Ok(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Content, Entry as OurEntry, Index};
    use base::View;
    use bytes::Bytes;

    fn log(points: &[(u64, u64)]) -> MemoryLog {
        let entry = |&(index, view)| OurEntry {
            index: Index(index),
            view: View(view),
            content: Content::Batch(Bytes::from_static(b"abc")),
        };
        MemoryLog::new(
            &Configuration::default(),
            &Stored { entries: points.iter().map(entry).collect(), ..Stored::default() },
        )
    }

    fn entry(index: u64, term: u64) -> Entry {
        Entry { index, term, ..Entry::default() }
    }

    fn indexes(log: &MemoryLog, low: u64, high: u64, max: u64) -> Vec<u64> {
        let found = log.entries(low, high, Some(max), GetEntriesContext::empty(false)).unwrap();
        found.iter().map(|entry| entry.index).collect()
    }

    #[test]
    fn appending_over_a_tail_names_where_it_was_cut() {
        let mut log = log(&[(1, 2), (2, 2), (3, 2)]);
        assert_eq!(log.append(&[entry(4, 3)]), None);
        assert_eq!(log.append(&[entry(2, 4), entry(3, 4)]), Some(2));
        assert_eq!((log.last(), log.bytes()), (Point::new(3, 4), 3));
        assert_eq!(log.append(&[]), None);
    }

    #[test]
    fn compaction_keeps_the_view_before_the_first_entry() {
        let mut log = log(&[(1, 2), (2, 3), (3, 4)]);
        log.compact(2);
        assert_eq!((log.start(), log.term(2), log.first_index()), (Point::new(2, 3), Ok(3), Ok(3)));
        assert_eq!(log.term(1), Err(Error::Store(StorageError::Compacted)));
        assert_eq!(log.term(4), Err(Error::Store(StorageError::Unavailable)));
        let gone = log.entries(2, 4, None, GetEntriesContext::empty(false));
        assert_eq!(gone, Err(Error::Store(StorageError::Compacted)));
        log.compact(9);
        assert_eq!((log.last(), log.bytes()), (Point::new(3, 4), 0));
    }

    #[test]
    fn one_append_has_a_bounded_number_of_entries() {
        let mut log = log(&[]);
        let many = APPEND_ENTRIES_MAX as u64 + 10;
        log.append(&(1..=many).map(|index| entry(index, 2)).collect::<Vec<_>>());
        assert_eq!(indexes(&log, 1, many + 1, 1 << 40).len(), APPEND_ENTRIES_MAX);
        assert_eq!(indexes(&log, 1, many + 1, u64::MAX).len(), many as usize);
    }

    #[test]
    fn entries_stop_at_the_byte_bound_but_give_at_least_one() {
        let log = log(&[(1, 2), (2, 2), (3, 2)]);
        let one = (ENTRY_HEADER_BYTES + 3) as u64;
        assert_eq!(indexes(&log, 1, 4, u64::MAX), [1, 2, 3]);
        assert_eq!(indexes(&log, 1, 4, 2 * one), [1, 2]);
        assert_eq!(indexes(&log, 2, 4, 0), [2]);
        assert_eq!(indexes(&log, 2, 2, 0), [0; 0]);
    }
}
