//! How many are connected through a door: for its metrics. Nobody decides by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the connections of one door. A clone counts the same.
#[derive(Clone, Default)]
pub struct Sessions(Arc<Counts>);

#[derive(Default)]
struct Counts {
    active: AtomicUsize,
    peak: AtomicUsize,
}

impl Sessions {
    #[must_use]
    pub fn active(&self) -> usize {
        self.0.active.load(Ordering::Relaxed)
    }

    /// The most there were at once.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.0.peak.load(Ordering::Relaxed)
    }

    /// A connection, for as long as the answer lives.
    pub(crate) fn begin(&self) -> Session {
        let active = self.0.active.fetch_add(1, Ordering::Relaxed) + 1;
        self.0.peak.fetch_max(active, Ordering::Relaxed);
        Session(self.clone())
    }
}

pub(crate) struct Session(Sessions);

impl Drop for Session {
    fn drop(&mut self) {
        self.0.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_and_goes_is_counted() {
        let sessions = Sessions::default();
        let (first, second) = (sessions.begin(), sessions.begin());
        drop(first);
        let third = sessions.begin();
        assert_eq!((sessions.active(), sessions.peak()), (2, 2));
        drop((second, third));
        assert_eq!((sessions.active(), sessions.peak()), (0, 2));
    }
}
