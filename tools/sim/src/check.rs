//! What must hold after every step, whatever happens.
//!
//! 1. Committed entries are the same everywhere, byte for byte, and each node hands them out in order, once a life.
//! 2. What is committed for the first time is durable on a majority.
//! 3. A batch that was accepted at a place is the one that is committed there in that view.
//! 4. A view has at most one primary, and it has every entry that was committed in an earlier view.
//! 5. A node's commit index never goes back while it lives, and a restart is never refused.

use std::collections::BTreeMap;

use bytes::Bytes;
use consensus::{Entry, Index, Member, Point, Status};
use thiserror::Error;

/// A promise was broken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("at {at}: {what}")]
pub struct Violation {
    /// The moment.
    pub at: u64,
    pub what: String,
}

#[derive(Default)]
pub struct Checker {
    now: u64,
    majority: usize,
    /// Everything ever committed; index 1 stands at 0.
    committed: Vec<Entry>,
    /// For each, the latest view that had a primary then: it was committed in that view or before.
    within: Vec<u64>,
    primaries: BTreeMap<u64, Member>,
    accepted: BTreeMap<Point, Bytes>,
    commits: BTreeMap<Member, Index>,
}

impl Checker {
    pub fn new(nodes: usize) -> Self {
        Self { majority: nodes / 2 + 1, ..Self::default() }
    }

    pub fn at(&mut self, now: u64) {
        self.now = now;
    }

    /// The last committed place.
    pub fn last(&self) -> Point {
        self.committed.last().map_or(Point::default(), Entry::point)
    }

    /// The committed place at an index.
    pub fn point(&self, index: Index) -> Option<Point> {
        self.entry(index).map(Entry::point)
    }

    fn entry(&self, index: Index) -> Option<&Entry> {
        self.committed.get(usize::try_from(index.0.checked_sub(1)?).ok()?)
    }

    fn broken<T>(&self, what: String) -> Result<T, Violation> {
        Err(Violation { at: self.now, what })
    }

    /// A node hands out committed entries behind `applied`. `holders` counts the nodes that have a place on disk.
    pub fn committed(
        &mut self,
        node: Member,
        applied: Index,
        entries: &[Entry],
        holders: impl Fn(Point) -> usize,
    ) -> Result<(), Violation> {
        let mut next = applied.next();
        for entry in entries {
            if entry.index != next {
                return self.broken(format!("node {node} commits {} where {next} is next", entry.index));
            }
            next = next.next();
            match self.entry(entry.index) {
                Some(known) if known == entry => {}
                Some(known) => {
                    let (known, entry) = (known.point(), entry.point());
                    return self.broken(format!("node {node} commits {entry} where {known} was committed"));
                }
                None => self.first_commit(node, entry, holders(entry.point()))?,
            }
        }
        Ok(())
    }

    fn first_commit(&mut self, node: Member, entry: &Entry, holders: usize) -> Result<(), Violation> {
        let point = entry.point();
        if point.index != self.last().index.next() {
            return self.broken(format!("node {node} commits {point}, which follows nothing committed"));
        }
        if holders < self.majority {
            return self.broken(format!("node {node} commits {point}, which {holders} nodes have on disk"));
        }
        if self.accepted.get(&point).is_some_and(|accepted| *accepted != entry.data) {
            return self.broken(format!("node {node} commits other bytes at {point} than were accepted there"));
        }
        self.committed.push(entry.clone());
        self.within.push(self.primaries.last_key_value().map_or(0, |(view, _)| *view));
        Ok(())
    }

    pub fn accepted(&mut self, node: Member, place: Point, batch: Bytes) -> Result<(), Violation> {
        match self.accepted.insert(place, batch) {
            None => Ok(()),
            Some(_) => self.broken(format!("node {node} accepts a second batch at {place}")),
        }
    }

    /// A node says it is primary. `view_of` reads its log; `None` in front of it.
    pub fn primary(
        &mut self,
        node: Member,
        view: u64,
        start: Index,
        view_of: impl Fn(Index) -> Option<u64>,
    ) -> Result<(), Violation> {
        if let Some(other) = self.primaries.insert(view, node).filter(|other| *other != node) {
            return self.broken(format!("view {view} has two primaries, {other} and {node}"));
        }
        let mut earlier = self.committed.iter().zip(&self.within).filter(|(_, within)| **within < view);
        let lacking = earlier.find(|(e, _)| e.index > start && view_of(e.index) != Some(e.view.0));
        match lacking.map(|(entry, _)| entry.point()) {
            Some(point) => self.broken(format!("node {node} is primary of view {view} without committed {point}")),
            None => Ok(()),
        }
    }

    pub fn status(&mut self, node: Member, status: &Status) -> Result<(), Violation> {
        let before = self.commits.insert(node, status.committed).unwrap_or_default();
        if status.committed < before {
            return self.broken(format!("node {node} goes back from commit {before} to {}", status.committed));
        }
        if status.applied > status.committed || status.committed > status.last.index {
            return self.broken(format!("node {node} has applied, committed and last out of order"));
        }
        Ok(())
    }

    /// A node's life ended: its memory may lag behind in the next one.
    pub fn crashed(&mut self, node: Member) {
        self.commits.remove(&node);
    }

    pub fn refused_start(&self, node: Member, reason: &str) -> Result<(), Violation> {
        self.broken(format!("node {node} does not start: {reason}"))
    }

    pub fn stuck(&self, what: &str) -> Result<(), Violation> {
        self.broken(format!("no progress after everything was healed: {what}"))
    }
}
