//! The versions of a node's store: the head that is written, ends of batches on their way, and what is committed.
//!
//! One thread owns a `Store`; readers get [`Snapshot`]s.

use std::collections::VecDeque;
use std::sync::Arc;

use base::Seqno;
use base::limits::VERSIONS_KEPT;
use imbl::Vector;

use crate::{Derived, History, Snapshot, State, Tables, Tx, WriteSet};

pub struct Store {
    head: State,
    /// Ends of batches that are closed and not committed, oldest first.
    closed: VecDeque<Arc<State>>,
    /// Ends of committed batches, oldest first, never empty; the last is the newest committed version.
    /// Shared with every snapshot, so that handing one out costs the same however many are kept.
    window: Vector<Arc<State>>,
    versions_kept: usize,
    /// History rows up to here have left memory.
    forgotten: Seqno,
}

impl Store {
    #[must_use]
    pub fn new(tables: Arc<Tables>, history: Arc<dyn History>) -> Self {
        Self::on(State::new(tables, history))
    }

    /// A store that goes on from a committed version.
    #[must_use]
    pub fn on(head: State) -> Self {
        let window = Vector::unit(Arc::new(head.clone()));
        Self { head, closed: VecDeque::new(), window, versions_kept: VERSIONS_KEPT, forgotten: Seqno(0) }
    }

    /// Keeps every version for as long as the process lives, instead of the last [`VERSIONS_KEPT`].
    #[must_use]
    pub fn archive(mut self) -> Self {
        self.versions_kept = usize::MAX;
        self
    }

    /// The version that the next transaction reads.
    #[must_use]
    pub fn head(&self) -> &State {
        &self.head
    }

    #[must_use]
    pub fn tx(&self) -> Tx<'_> {
        Tx::new(&self.head)
    }

    /// Puts an entry's writes on the head.
    pub fn apply(&mut self, seqno: Seqno, writes: &WriteSet) {
        self.head.apply(seqno, writes);
    }

    /// Puts the writes of some entries on the head.
    pub fn apply_all(&mut self, entries: &[(Seqno, WriteSet)]) {
        self.head.apply_all(entries);
    }

    /// Moves the head over an entry that keeps nothing here.
    pub fn skip_to(&mut self, seqno: Seqno) {
        self.head.skip_to(seqno);
    }

    pub fn set_derived(&mut self, slot: usize, derived: Option<Derived>) {
        self.head.set_derived(slot, derived);
    }

    /// Ends a batch: the head as it is now becomes a version that can be committed, or rolled back to.
    pub fn close(&mut self) {
        self.head.recent.close();
        self.closed.push_back(Arc::new(self.head.clone()));
    }

    /// Brings what an entry was still to bring when its batch closed: to the version that ends at `end`, and to those that
    /// were built on it. Nothing written since may touch the same rows. A version that was rolled back is none.
    pub fn amend(&mut self, end: Seqno, entry: Seqno, writes: &WriteSet) {
        let Some(first) = self.closed.iter().position(|state| state.seqno() == end) else { return };
        for state in self.closed.iter_mut().skip(first) {
            Arc::make_mut(state).amend(entry, writes);
        }
        self.head.amend(entry, writes);
    }

    /// Commits every closed batch that ends at or before `seqno`, and returns what readers may see now.
    pub fn commit(&mut self, seqno: Seqno) -> Snapshot {
        while self.closed.front().is_some_and(|state| state.seqno() <= seqno) {
            self.window.extend(self.closed.pop_front());
        }
        while self.window.len() > self.versions_kept {
            self.window.pop_front();
        }
        self.snapshot()
    }

    /// The newest committed version and the window before it.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.window.clone(), self.committed().clone())
    }

    #[must_use]
    pub fn committed(&self) -> &Arc<State> {
        self.window.back().expect("the window starts with the empty version and its newest is never dropped")
    }

    /// Takes the head back to the newest version that is committed or closed at or before `seqno`.
    /// What is committed is never undone: asked for less, this goes back to the newest committed version.
    pub fn rollback(&mut self, seqno: Seqno) {
        while self.closed.back().is_some_and(|state| state.seqno() > seqno) {
            self.closed.pop_back();
        }
        let target = self.closed.back().unwrap_or_else(|| self.committed());
        self.head = State::clone(target);
        // The older version may still hold rows that have left memory since.
        self.head.recent.forget(self.forgotten);
    }

    /// Lets history rows up to `seqno` leave memory: they can be read back through [`History`] now.
    /// Only what is committed may be forgotten.
    pub fn forget_history(&mut self, seqno: Seqno) {
        self.forgotten = self.forgotten.max(seqno.min(self.committed().seqno()));
        self.head.recent.forget(self.forgotten);
    }
}
