//! Where the ledger stands after each entry of the consensus log, and which seqno each place has.

use std::collections::VecDeque;

use base::Seqno;
use bytes::Bytes;
use consensus::{Entry, Index, Point};
use ledger::{Corrupt, Head};

use crate::log::Mark;

/// The log's entries as the ledger sees them, from the log's start in memory to its end.
pub struct Heads {
    /// Before the first place.
    start: Mark,
    places: VecDeque<Place>,
    /// Committed up to here, and where the ledger stands there.
    committed: Index,
    head: Head,
}

struct Place {
    point: Point,
    bytes: usize,
    /// `None` once it is committed: then only the seqno is of use.
    head: Option<Head>,
    seqno: Seqno,
}

impl Heads {
    /// The log as it was recovered: `head` is where the ledger stands after the entry `applied`.
    pub fn new(start: Mark, entries: &[Entry], applied: Index, head: Head) -> Result<Self, Corrupt> {
        let mut heads = Self { start, places: VecDeque::new(), committed: applied, head };
        for entry in entries {
            if entry.index <= applied {
                let seqno = last_seqno(&entry.data)?.unwrap_or_else(|| heads.last_seqno());
                heads.places.push_back(Place { point: entry.point(), bytes: entry.data.len(), head: None, seqno });
            } else {
                heads.append(entry, None)?;
            }
        }
        Ok(heads)
    }

    pub fn committed(&self) -> Index {
        self.committed
    }

    /// Where the ledger stands after what is committed.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// A new entry of the log. `own` is the head after it if this node made it; otherwise the batch is checked here.
    /// Returns the last seqno up to it.
    pub fn append(&mut self, entry: &Entry, own: Option<Head>) -> Result<Seqno, Corrupt> {
        let before = self.places.back().and_then(|place| place.head.as_ref()).unwrap_or(&self.head);
        let head = match own {
            Some(head) => head,
            None if entry.data.is_empty() => before.clone(),
            None => ledger::check_batch(before, &entry.data, None)?.head,
        };
        let seqno = head.seqno();
        self.places.push_back(Place { point: entry.point(), bytes: entry.data.len(), head: Some(head), seqno });
        Ok(seqno)
    }

    /// Entries from here on give way to others.
    pub fn truncate(&mut self, from: Index) {
        while self.places.pop_back_if(|place| place.point.index >= from).is_some() {}
    }

    /// An entry is committed. Gives the head after it if it is a batch that was not handed over before.
    pub fn commit(&mut self, index: Index, data: &Bytes) -> Option<Head> {
        let place = self.place_mut(index)?;
        let head = place.head.take();
        self.committed = self.committed.max(index);
        let head = head.filter(|head| !data.is_empty() && head.seqno() > self.head.seqno())?;
        self.head = head.clone();
        Some(head)
    }

    /// The ledger moved on without the log: a part of it came from a peer.
    pub fn advance(&mut self, head: Head) {
        self.head = head;
    }

    /// The log starts anew at `point`, where the ledger already is. Gives its seqno.
    pub fn restart(&mut self, point: Point) -> Seqno {
        let seqno = self.head.seqno();
        self.start = Mark { point, seqno };
        self.places.clear();
        self.committed = point.index;
        seqno
    }

    /// The newest place whose batch ends at `seqno`, for a peer that got the ledger up to there.
    pub fn find(&self, seqno: Seqno) -> Option<Mark> {
        let place = self.places.iter().rev().find(|place| place.point.index <= self.committed && place.seqno == seqno);
        let mark = place.map(|place| Mark { point: place.point, seqno });
        mark.or_else(|| (self.start.seqno == seqno).then_some(self.start))
    }

    /// Entries that the ledger file has, but for the newest `keep_bytes`, may leave memory: up to which.
    pub fn compact(&mut self, durable: Seqno, keep_bytes: usize) -> Option<Index> {
        let mut surplus = self.places.iter().map(|place| place.bytes).sum::<usize>().checked_sub(keep_bytes)?;
        let mut compacted = None;
        while let Some(place) = self.places.front() {
            if place.bytes > surplus || place.seqno > durable || place.head.is_some() {
                break;
            }
            surplus -= place.bytes;
            self.start = Mark { point: place.point, seqno: place.seqno };
            compacted = Some(place.point.index);
            self.places.pop_front();
        }
        compacted
    }

    fn last_seqno(&self) -> Seqno {
        self.places.back().map_or(self.start.seqno, |place| place.seqno)
    }

    fn place_mut(&mut self, index: Index) -> Option<&mut Place> {
        let first = self.places.front()?.point.index;
        let offset = usize::try_from(index.0.checked_sub(first.0)?).ok()?;
        self.places.get_mut(offset)
    }
}

/// The last seqno of a batch; `None` for a mark.
pub fn last_seqno(batch: &[u8]) -> Result<Option<Seqno>, Corrupt> {
    let mut last = None;
    for entry in ledger::split(batch) {
        last = Some(entry?.txid.seqno);
    }
    Ok(last)
}
