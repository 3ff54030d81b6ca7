//! What a node keeps on disk for consensus, and the numbers in it.

use std::fmt;

use base::View;
use bytes::Bytes;

use crate::{Configuration, Membership, StartError};

/// A node's number in the network's list, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Member(pub u64);

/// The number of an entry in the consensus log, from 1; 0 means "before the first".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Index(pub u64);

impl Index {
    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A place in the log: an entry's number and the view it was proposed in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Point {
    pub index: Index,
    pub view: View,
}

impl Point {
    #[must_use]
    pub const fn new(index: u64, view: u64) -> Self {
        Self { index: Index(index), view: View(view) }
    }
}

/// One entry of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub index: Index,
    pub view: View,
    pub content: Content,
}

/// What an entry is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// A new primary opens its view; it carries nothing.
    Mark,
    /// An opaque batch, never empty.
    Batch(Bytes),
    /// Who takes part from here on, once this is committed. For the ledger it carries nothing.
    Configuration(Configuration),
}

impl Entry {
    #[must_use]
    pub const fn point(&self) -> Point {
        Point { index: self.index, view: self.view }
    }

    /// The batch; empty where the entry carries none.
    #[must_use]
    pub fn batch(&self) -> &Bytes {
        static NONE: Bytes = Bytes::new();
        match &self.content {
            Content::Batch(batch) => batch,
            Content::Mark | Content::Configuration(_) => &NONE,
        }
    }
}

impl Content {
    /// A batch, or the mark if it is empty.
    #[must_use]
    pub fn batch(data: Bytes) -> Self {
        if data.is_empty() { Self::Mark } else { Self::Batch(data) }
    }
}

/// What a node must not forget: the view it is in and whom it voted for there. `commit` only speeds up a restart.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct HardState {
    pub view: View,
    pub vote: Option<Member>,
    /// Never more than was synced before the write that carries it, so a log that ends below it has lost data.
    pub commit: Index,
}

/// What was read back from disk at start. The default is a node that never ran.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Stored {
    pub hard_state: HardState,
    /// The place before the first entry; zero unless the front of the log was dropped or never here.
    pub start: Point,
    /// Consecutive from `start.index + 1`.
    pub entries: Vec<Entry>,
    /// The store above already holds everything up to here; later committed entries are handed out again. If it
    /// stands beyond the end of the log, a crash cut off a catch-up: give `start` here (what is at the end of such a log
    /// may never have been committed), and step [`crate::Input::Installed`] first of all.
    pub applied: Index,
    /// The last one written. `None`: [`crate::Config::members`] hold. Entries up to `applied` may have brought a later one;
    /// the first step writes it, so nothing may be dropped from the front of the log on disk before that.
    pub membership: Option<Membership>,
}

impl Stored {
    /// The first view of a service is 2, so a fresh node stands in view 1.
    const FRESH_VIEW: View = View(1);

    /// The last place of the log.
    #[must_use]
    pub fn last(&self) -> Point {
        self.entries.last().map_or(self.start, Entry::point)
    }

    /// Checks that the parts belong together and settles what a crash may have left open.
    pub(crate) fn settle(mut self) -> Result<Self, StartError> {
        self.check_order()?;
        let last = self.last();
        let superseded = self.superseded();
        let hard = &mut self.hard_state;
        // An entry of a later view than the hard state: the crash came between the two halves of one write. No vote
        // of that view was sent, because the write never became durable.
        let view = hard.view.max(last.view).max(Self::FRESH_VIEW);
        if view > hard.view {
            *hard = HardState { view, vote: None, ..*hard };
        }
        if hard.commit > last.index {
            return Err(StartError::LogLost { last: last.index, known: hard.commit });
        }
        if self.applied > last.index {
            return Err(StartError::LogLost { last: last.index, known: self.applied });
        }
        self.applied = self.applied.max(self.start.index);
        hard.commit = hard.commit.max(self.applied).max(superseded);
        self.follow();
        Ok(self)
    }

    /// The last configuration entry that another one follows: it was committed, because a primary proposes the next
    /// only then. Without knowing this, a node could campaign by a configuration of two steps ago, whose majorities
    /// need not overlap those of today.
    fn superseded(&self) -> Index {
        let changes = self.entries.iter().rev().filter(|entry| matches!(entry.content, Content::Configuration(_)));
        changes.map(|entry| entry.index).nth(1).unwrap_or_default()
    }

    /// Takes up the configurations of entries that will not be handed out again.
    fn follow(&mut self) {
        let since = self.membership.as_ref().map_or(Index(0), |membership| membership.since);
        let applied = self.applied;
        let known = self.entries.iter().rev().filter(|entry| entry.index <= applied && entry.index > since);
        let last = known.filter_map(Membership::of).next();
        self.membership = last.or(self.membership.take());
    }

    fn check_order(&self) -> Result<(), StartError> {
        let mut before = self.start;
        for entry in &self.entries {
            if entry.index != before.index.next() || entry.view < before.view || entry.view == View(0) {
                return Err(StartError::LogOrder { before, found: entry.point() });
            }
            before = entry.point();
        }
        Ok(())
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Written `index@view`.
impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.index, self.view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(hard: HardState, start: Point, points: &[(u64, u64)], applied: u64) -> Stored {
        let entry = |&(index, view)| Entry {
            index: Index(index),
            view: View(view),
            content: Content::Batch(Bytes::from_static(b"x")),
        };
        Stored {
            hard_state: hard,
            start,
            entries: points.iter().map(entry).collect(),
            applied: Index(applied),
            membership: None,
        }
    }

    fn hard(view: u64, commit: u64) -> HardState {
        HardState { view: View(view), vote: Some(Member(1)), commit: Index(commit) }
    }

    #[test]
    fn a_fresh_node_stands_before_view_2() {
        assert_eq!(Stored::default().settle().unwrap().hard_state.view, View(1));
    }

    #[test]
    fn entries_that_skip_or_go_back_are_refused() {
        for points in [&[(2, 2)][..], &[(1, 2), (3, 2)], &[(1, 3), (2, 2)], &[(1, 0)]] {
            let found = stored(hard(3, 0), Point::default(), points, 0).settle();
            assert!(matches!(found, Err(StartError::LogOrder { .. })), "{points:?}");
        }
    }

    #[test]
    fn a_log_that_lost_what_was_committed_or_applied_is_refused() {
        let lost = |commit, applied| stored(hard(2, commit), Point::new(3, 2), &[(4, 2)], applied).settle();
        assert_eq!(lost(5, 0), Err(StartError::LogLost { last: Index(4), known: Index(5) }));
        assert_eq!(lost(4, 6), Err(StartError::LogLost { last: Index(4), known: Index(6) }));
        assert_eq!(lost(4, 4).unwrap().applied, Index(4));
    }

    #[test]
    fn the_view_follows_an_entry_whose_hard_state_was_torn_off() {
        let settled = stored(hard(2, 0), Point::default(), &[(1, 2), (2, 5)], 0).settle().unwrap();
        assert_eq!(settled.hard_state, HardState { view: View(5), vote: None, commit: Index(0) });
    }

    #[test]
    fn what_was_applied_was_committed() {
        let settled = stored(hard(2, 1), Point::new(1, 2), &[(2, 2), (3, 2)], 3).settle().unwrap();
        assert_eq!(settled.hard_state.commit, Index(3));
        let settled = stored(hard(2, 0), Point::new(1, 2), &[(2, 2)], 0).settle().unwrap();
        assert_eq!((settled.applied, settled.hard_state.commit), (Index(1), Index(1)));
    }

    /// A log of one view with a configuration, of so many voters, at each of these places.
    fn changed(changes: &[(u64, u64)], commit: u64, applied: u64) -> Stored {
        let mut stored = stored(hard(2, commit), Point::default(), &[(1, 2), (2, 2), (3, 2), (4, 2), (5, 2)], applied);
        for (place, voters) in changes {
            let configuration = Configuration::new((1..=*voters).map(Member), []).unwrap();
            stored.entries[*place as usize - 1].content = Content::Configuration(configuration);
        }
        stored
    }

    #[test]
    fn a_change_that_another_follows_was_committed() {
        let commit = |changes: &[(u64, u64)]| changed(changes, 1, 1).settle().unwrap().hard_state.commit;
        assert_eq!(commit(&[]), Index(1));
        assert_eq!(commit(&[(3, 4)]), Index(1), "the last one may give way");
        assert_eq!(commit(&[(3, 4), (5, 5)]), Index(3));
        assert_eq!(commit(&[(2, 3), (3, 4), (5, 5)]), Index(3));
    }

    #[test]
    fn what_was_applied_says_who_takes_part_unless_more_was_written() {
        let since = |written: Option<u64>, applied| {
            let mut stored = changed(&[(2, 3), (4, 4)], 5, applied);
            let configuration = Configuration::new([Member(1)], []).unwrap();
            stored.membership = written.map(|since| Membership { since: Index(since), configuration });
            stored.settle().unwrap().membership.map(|membership| membership.since.0)
        };
        assert_eq!([since(None, 1), since(None, 3), since(None, 5)], [None, Some(2), Some(4)]);
        assert_eq!([since(Some(1), 3), since(Some(4), 3), since(Some(9), 5)], [Some(2), Some(4), Some(9)]);
    }
}
