//! What must hold after every step, whatever happens.
//!
//! 1. Committed entries are the same everywhere, byte for byte, and each node hands them out in order, once a life.
//! 2. What is committed for the first time is durable on a majority of the voters of then.
//! 3. A batch that was accepted at a place is the one that is committed there in that view.
//! 4. A view has at most one primary, and it has every entry that was committed in an earlier view.
//! 5. Each configuration that is committed differs from the one before it by at most one voter, and nodes follow no other.
//! 6. A node's commit index never goes back while it lives, and a restart is never refused.

use std::collections::BTreeMap;

use bytes::Bytes;
use consensus::{Configuration, Content, Entry, Index, Member, Point, Status};
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
    /// In the order in which they were committed, with their entries; that of the beginning has the index 0.
    configurations: Vec<(Index, Configuration)>,
    /// Everything ever committed; index 1 stands at 0.
    committed: Vec<Entry>,
    /// For each, the latest view that had a primary then: it was committed in that view or before.
    within: Vec<u64>,
    primaries: BTreeMap<u64, Member>,
    accepted: BTreeMap<Point, Bytes>,
    commits: BTreeMap<Member, Index>,
}

impl Checker {
    pub fn new(beginning: Configuration) -> Self {
        Self { configurations: vec![(Index(0), beginning)], ..Self::default() }
    }

    pub fn at(&mut self, now: u64) {
        self.now = now;
    }

    /// The last committed place.
    pub fn last(&self) -> Point {
        self.committed.last().map_or(Point::default(), Entry::point)
    }

    /// The last one that was committed.
    pub fn configuration(&self) -> &Configuration {
        &self.configurations.last().expect("there is that of the beginning").1
    }

    /// How often it changed.
    pub fn changes(&self) -> u64 {
        self.configurations.len() as u64 - 1
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

    /// A node hands out committed entries behind `applied`. `holds` says whether a node has a place on disk.
    pub fn committed(
        &mut self,
        node: Member,
        applied: Index,
        entries: &[Entry],
        holds: impl Fn(Member, Point) -> bool,
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
                None => self.first_commit(node, entry, |member| holds(member, entry.point()))?,
            }
        }
        Ok(())
    }

    fn first_commit(&mut self, node: Member, entry: &Entry, holds: impl Fn(Member) -> bool) -> Result<(), Violation> {
        let point = entry.point();
        if point.index != self.last().index.next() {
            return self.broken(format!("node {node} commits {point}, which follows nothing committed"));
        }
        // An entry may be decided together with the configuration in front of it, and then by the voters before that.
        let decides = |(_, configuration): &(Index, Configuration)| {
            let holders = configuration.voters().iter().filter(|voter| holds(**voter)).count();
            holders > configuration.voters().len() / 2
        };
        if !self.configurations.iter().rev().take(2).any(decides) {
            let holders = self.configuration().voters().iter().filter(|voter| holds(**voter)).count();
            return self.broken(format!("node {node} commits {point}, which {holders} nodes have on disk"));
        }
        if let Content::Configuration(next) = &entry.content {
            let present = self.configuration();
            if present.voters().symmetric_difference(next.voters()).count() > 1 {
                return self.broken(format!("node {node} goes from {present} to {next} in one step"));
            }
            self.configurations.push((point.index, next.clone()));
        }
        if self.accepted.get(&point).is_some_and(|accepted| accepted != entry.batch()) {
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

    /// A node follows a configuration.
    pub fn configured(&self, node: Member, configuration: &Configuration) -> Result<(), Violation> {
        let known = self.configurations.iter().any(|(_, known)| known == configuration);
        if known || configuration.is_empty() {
            return Ok(());
        }
        self.broken(format!("node {node} follows {configuration}, which was never committed"))
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
