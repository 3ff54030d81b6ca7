//! The log on disk. The double forgets what was not synced.

use std::collections::VecDeque;

use bytes::Bytes;
use consensus::{Append, Entry, Index, Point, Stored, Write, WriteNumber};

/// What a simulated node needs of its log. The real one, on a simulated file, can take the double's place.
pub trait Storage {
    /// Queues a write; it is not durable.
    fn write(&mut self, write: Write);

    /// The last write that is queued and not durable.
    fn queued(&self) -> Option<WriteNumber>;

    /// Makes everything up to this write durable.
    fn sync(&mut self, up_to: WriteNumber);

    /// Drops entries up to here, which the ledger has. Durable at once: dropping them late or never does no harm.
    fn compact(&mut self, up_to: Index);

    /// The process ends. Of what was not synced only this much is found again.
    fn crash(&mut self, surviving: Surviving);

    /// What a restart finds.
    fn read(&self) -> Stored;

    /// An entry is on disk for good, or the log starts behind it.
    fn holds(&self, point: Point) -> bool;

    /// The view of an entry as written, synced or not; `None` where there is none.
    fn view_of(&self, index: Index) -> Option<u64>;
}

/// Unsynced writes that survive a crash: whole ones from the front, and a part of the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Surviving {
    pub writes: usize,
    /// Entries of the write behind them; its hard state is lost. 0: so is all that comes before the entries.
    pub torn_entries: usize,
}

impl Surviving {
    /// Only what was synced.
    pub const NOTHING: Self = Self { writes: 0, torn_entries: 0 };
}

/// A log in memory.
#[derive(Default)]
pub struct Double {
    synced: Stored,
    written: Stored,
    queue: VecDeque<Write>,
    /// A mistake on purpose: see [`crate::Bug::KeepTail`].
    keeps_tail: bool,
}

impl Double {
    pub fn new(keeps_tail: bool) -> Self {
        Self { keeps_tail, ..Self::default() }
    }

    fn put(&self, stored: &mut Stored, write: Write) {
        let Write { number: _, membership, restart, append, hard_state } = write;
        if membership.is_some() {
            stored.membership = membership;
        }
        if let Some(point) = restart {
            stored.start = point;
            stored.entries.clear();
        }
        if let Some(Append { truncate_from, entries }) = append {
            let kept = truncate_from.map_or(stored.entries.len(), |from| place(stored, from));
            if self.keeps_tail {
                let longer = stored.entries.len().saturating_sub(kept);
                stored.entries.extend(entries.into_iter().skip(longer));
            } else {
                stored.entries.truncate(kept);
                stored.entries.extend(entries);
            }
        }
        if let Some(hard) = hard_state {
            stored.hard_state = hard;
        }
    }

    fn put_synced(&mut self, write: Write) {
        let mut synced = std::mem::take(&mut self.synced);
        self.put(&mut synced, write);
        self.synced = synced;
    }
}

impl Storage for Double {
    fn write(&mut self, write: Write) {
        let mut written = std::mem::take(&mut self.written);
        self.put(&mut written, write.clone());
        self.written = written;
        self.queue.push_back(write);
    }

    fn queued(&self) -> Option<WriteNumber> {
        self.queue.back().map(|write| write.number)
    }

    fn sync(&mut self, up_to: WriteNumber) {
        while let Some(write) = self.queue.pop_front_if(|write| write.number <= up_to) {
            self.put_synced(write);
        }
    }

    fn compact(&mut self, up_to: Index) {
        for stored in [&mut self.synced, &mut self.written] {
            let gone = place(stored, up_to.next());
            if let Some(last) = stored.entries.drain(..gone).next_back() {
                stored.start = last.point();
            }
        }
    }

    fn crash(&mut self, surviving: Surviving) {
        for _ in 0..surviving.writes {
            if let Some(write) = self.queue.pop_front() {
                self.put_synced(write);
            }
        }
        if let Some(write) = self.queue.pop_front()
            && surviving.torn_entries > 0
        {
            let half = |append: Append| Append {
                truncate_from: append.truncate_from,
                entries: append.entries.into_iter().take(surviving.torn_entries).collect(),
            };
            self.put_synced(Write { append: write.append.map(half), hard_state: None, ..write });
        }
        self.queue.clear();
        self.written = self.synced.clone();
    }

    fn read(&self) -> Stored {
        self.synced.clone()
    }

    fn holds(&self, point: Point) -> bool {
        point.index <= self.synced.start.index || entry(&self.synced, point.index).is_some_and(|e| e.view == point.view)
    }

    fn view_of(&self, index: Index) -> Option<u64> {
        if index == self.written.start.index {
            return Some(self.written.start.view.0);
        }
        entry(&self.written, index).map(|entry| entry.view.0)
    }
}

/// Where an index stands among the entries, or would.
fn place(stored: &Stored, index: Index) -> usize {
    let behind = index.0.saturating_sub(stored.start.index.0 + 1);
    usize::try_from(behind).unwrap_or(usize::MAX).min(stored.entries.len())
}

fn entry(stored: &Stored, index: Index) -> Option<&Entry> {
    stored.entries.get(place(stored, index)).filter(|entry| entry.index == index)
}

/// A batch that no other batch equals.
pub fn batch(number: u64, bytes: usize) -> Bytes {
    let mut batch = number.to_le_bytes().to_vec();
    batch.resize(8 + bytes, 0xb5);
    batch.into()
}
