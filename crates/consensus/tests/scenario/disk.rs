//! A disk that keeps only what was synced.

use consensus::{Append, Index, Point, Stored, Write, WriteNumber};

#[derive(Default)]
pub struct Disk {
    synced: Stored,
    queued: Vec<Write>,
    /// The store above, in memory: it starts again from the log's start.
    applied: Index,
}

impl Disk {
    pub fn queue(&mut self, write: Write) {
        self.queued.push(write);
    }

    pub fn sync(&mut self) -> Option<WriteNumber> {
        let last = self.queued.last()?.number;
        for write in self.queued.drain(..) {
            put(&mut self.synced, write);
        }
        Some(last)
    }

    pub fn apply(&mut self, first: Index, last: Index) {
        assert_eq!(first, self.applied.next(), "committed entries are consecutive");
        self.applied = last;
    }

    pub fn install(&mut self, point: Point) {
        self.applied = self.applied.max(point.index);
    }

    pub fn compact(&mut self, index: Index) {
        let gone = self.synced.entries.iter().take_while(|entry| entry.index <= index).count();
        if let Some(last) = self.synced.entries.drain(..gone).next_back() {
            self.synced.start = last.point();
        }
    }

    /// What a restart finds: unsynced writes are gone, but for the first part of the first one if it was torn.
    pub fn crash(&mut self, torn: bool) {
        let mut lost = self.queued.drain(..);
        if let Some(write) = lost.next().filter(|_| torn) {
            let append = write.append.map(|append| {
                let half = append.entries.len() / 2;
                Append { entries: append.entries[..half].to_vec(), ..append }
            });
            put(&mut self.synced, Write { append, hard_state: None, ..write });
        }
        drop(lost);
        self.applied = self.synced.start.index;
    }

    /// What a disk must not do.
    pub fn lose(&mut self, from: Index) {
        self.synced.entries.retain(|entry| entry.index < from);
    }

    pub fn stored(&self) -> Stored {
        self.synced.clone()
    }
}

fn put(stored: &mut Stored, write: Write) {
    if let Some(membership) = write.membership {
        stored.membership = Some(membership);
    }
    if let Some(point) = write.restart {
        stored.start = point;
        stored.entries.clear();
    }
    if let Some(Append { truncate_from, entries }) = write.append {
        if let Some(from) = truncate_from {
            stored.entries.retain(|entry| entry.index < from);
        }
        stored.entries.extend(entries);
    }
    if let Some(hard) = write.hard_state {
        stored.hard_state = hard;
    }
}
