//! Where the ledger stands after each entry of the consensus log, and which seqno each place has.

use std::collections::VecDeque;

use base::{Seqno, TxId};
use bytes::{Buf, Bytes};
use consensus::{Entry, Index, Point};
use ledger::{Corrupt, Head, RawEntry};

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
    /// `None` once it is committed, or was known to be when it came: then only the seqno is of use.
    head: Option<Head>,
    seqno: Seqno,
}

impl Heads {
    /// The log as it was recovered. `applied` is the last entry that the ledger file has, which ends at `head`, or even
    /// further: a node that died while it took the ledger from a peer has more of it than its log knows.
    pub fn new(start: Mark, entries: &[Entry], applied: Index, head: Head) -> Result<Self, Corrupt> {
        let mut heads = Self { start, places: VecDeque::new(), committed: applied, head };
        let ahead = heads.head.seqno() > heads.seqno_at(applied, entries)?;
        for entry in entries {
            match heads.append(entry, None) {
                Ok(_) => {}
                // What others committed meanwhile is in the ledger, so this never will be: it gives way some day.
                Err(_) if ahead => heads.put(entry, heads.last().seqno, None),
                Err(error) => return Err(error),
            }
        }
        Ok(heads)
    }

    /// The last seqno of the log up to `index`.
    fn seqno_at(&self, index: Index, entries: &[Entry]) -> Result<Seqno, Corrupt> {
        let before = entries.iter().rev().filter(|entry| entry.index <= index);
        let mut batches = before.filter(|entry| !entry.batch().is_empty());
        let last = batches.next().map_or(Ok(None), |entry| last_seqno(entry.batch()))?;
        Ok(last.unwrap_or(self.start.seqno))
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
        let last = match &own {
            Some(head) => head.seqno(),
            None => last_seqno(entry.batch())?.unwrap_or(self.last().seqno),
        };
        let speculative = self.places.back().and_then(|place| place.head.as_ref());
        let head = match (own, speculative) {
            (Some(head), _) => Some(head),
            // The ledger is already there: it came from a peer, and was checked then.
            (None, None) if last <= self.head.seqno() => None,
            (None, before) if entry.batch().is_empty() => before.cloned(),
            (None, before) => Some(ledger::check_batch(before.unwrap_or(&self.head), entry.batch(), None)?.head),
        };
        self.put(entry, last, head);
        Ok(last)
    }

    fn put(&mut self, entry: &Entry, seqno: Seqno, head: Option<Head>) {
        self.places.push_back(Place { point: entry.point(), bytes: entry.batch().len(), head, seqno });
    }

    /// The end of the log.
    pub fn last(&self) -> Mark {
        self.places.back().map_or(self.start, |place| Mark { point: place.point, seqno: place.seqno })
    }

    /// Entries from here on give way to others. Gives the place before them.
    pub fn truncate(&mut self, from: Index) -> Mark {
        while self.places.pop_back_if(|place| place.point.index >= from).is_some() {}
        self.last()
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

    /// What of a peer's ledger is not here yet. A question that was asked twice is answered twice.
    pub fn beyond(&self, mut batches: Bytes) -> Bytes {
        while let Some((length, last)) = first_batch(&batches)
            && last <= self.head.seqno()
        {
            batches.advance(length);
        }
        batches
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
            if place.bytes > surplus || place.seqno > durable || place.point.index > self.committed {
                break;
            }
            surplus -= place.bytes;
            self.start = Mark { point: place.point, seqno: place.seqno };
            compacted = Some(place.point.index);
            self.places.pop_front();
        }
        compacted
    }

    fn place_mut(&mut self, index: Index) -> Option<&mut Place> {
        let first = self.places.front()?.point.index;
        let offset = usize::try_from(index.0.checked_sub(first.0)?).ok()?;
        self.places.get_mut(offset)
    }
}

/// How long the first batch in `bytes` is, and its last seqno; `None` if it has no end.
pub fn first_batch(bytes: &[u8]) -> Option<(usize, Seqno)> {
    let mut length = 0;
    loop {
        let entry = RawEntry::parse(bytes.get(length..)?).ok()?;
        length += entry.bytes.len();
        if entry.is_signature() {
            return Some((length, entry.txid.seqno));
        }
    }
}

/// The last seqno of a batch; `None` for what carries none.
pub fn last_seqno(batch: &[u8]) -> Result<Option<Seqno>, Corrupt> {
    Ok(last_txid(batch)?.map(|txid| txid.seqno))
}

/// The last entry of a batch; `None` for a mark.
pub fn last_txid(batch: &[u8]) -> Result<Option<TxId>, Corrupt> {
    let mut last = None;
    for entry in ledger::split(batch) {
        last = Some(entry?.txid);
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base::View;
    use consensus::Content;
    use crypto::{KeyPair, Secret};
    use kv::{Kind, Section, TableId, Tables, WriteSet};
    use ledger::{LedgerKeys, Signer};

    use super::*;

    /// A primary that makes batches of one entry.
    struct Maker {
        tables: Tables,
        table: TableId,
        keys: LedgerKeys,
        signer: Signer,
    }

    impl Maker {
        fn new() -> Self {
            let tables = Tables::new();
            let table = tables.add("t", Kind::State).unwrap();
            let keys = LedgerKeys::new(&Secret::from_slice(&[7; 32]).unwrap()).unwrap();
            let signer = Signer { service: Arc::new(KeyPair::generate().unwrap()), node: None };
            Self { tables, table, keys, signer }
        }

        fn batch(&self, head: &Head, view: u64) -> (Bytes, Head) {
            let (view, mut bytes) = (View(view), Vec::new());
            let puts = vec![(b"k"[..].into(), b"v"[..].into())];
            let writes = WriteSet { sections: vec![Section { table: self.table, puts, removes: Vec::new() }] };
            let txid = TxId { view, seqno: head.seqno().next() };
            let leaf = ledger::seal(txid, &writes, &base::Digest::ZERO, &self.tables, &self.keys, &mut bytes).unwrap();
            let head = ledger::sign(head, view, &[leaf], &self.signer, &self.keys, 1, &mut bytes).unwrap();
            (bytes.into(), head)
        }
    }

    fn entry(index: u64, view: u64, data: &Bytes) -> Entry {
        Entry { index: Index(index), view: View(view), content: Content::batch(data.clone()) }
    }

    /// Batches of one view, and where the ledger stands after each.
    fn chain(maker: &Maker, view: u64, from: &Head, batches: usize) -> Vec<(Bytes, Head)> {
        let mut made: Vec<(Bytes, Head)> = Vec::new();
        for _ in 0..batches {
            let head = made.last().map_or(from, |(_, head)| head);
            made.push(maker.batch(head, view));
        }
        made
    }

    #[test]
    fn a_ledger_that_is_ahead_of_the_log_meets_the_log_again() {
        let maker = Maker::new();
        let made = chain(&maker, 2, &Head::new(), 4);
        let log = [entry(1, 2, &Bytes::new()), entry(2, 2, &made[0].0)];
        // It died while it took the ledger from a peer: three batches are there, the log knows of one.
        let mut heads = Heads::new(Mark::default(), &log, Index(2), made[2].1.clone()).unwrap();
        // A primary whose log still has the rest sends it.
        for (place, (batch, head)) in (3..).zip(&made[1..]) {
            let next = entry(place, 2, batch);
            assert_eq!(heads.append(&next, None).unwrap(), head.seqno());
            let handed = heads.commit(Index(place), batch).map(|head| head.txid);
            assert_eq!(handed, (place == 5).then_some(made[3].1.txid), "only what is new is handed over");
        }
        assert_eq!(heads.head().txid, made[3].1.txid);
    }

    #[test]
    fn a_tail_that_others_replaced_gives_way() {
        let maker = Maker::new();
        let shared = chain(&maker, 2, &Head::new(), 1);
        let dead = chain(&maker, 2, &shared[0].1, 3);
        let alive = chain(&maker, 3, &shared[0].1, 2);
        let log: Vec<Entry> = (1..).zip(shared.iter().chain(&dead)).map(|(n, (data, _))| entry(n, 2, data)).collect();
        let mut heads = Heads::new(Mark::default(), &log, Index(1), alive[1].1.clone()).unwrap();
        let before = heads.truncate(Index(2));
        assert_eq!((before.point, before.seqno), (Point::new(1, 2), shared[0].1.seqno()));
        for (place, (batch, _)) in (2..).zip(&alive) {
            heads.append(&entry(place, 3, batch), None).unwrap();
            assert!(heads.commit(Index(place), batch).is_none());
        }
        let (batch, head) = maker.batch(&alive[1].1, 3);
        heads.append(&entry(4, 3, &batch), None).unwrap();
        assert_eq!(heads.commit(Index(4), &batch).map(|head| head.txid), Some(head.txid));
    }

    #[test]
    fn a_batch_that_does_not_continue_the_ledger_is_refused() {
        let maker = Maker::new();
        let made = chain(&maker, 2, &Head::new(), 3);
        let mut heads = Heads::new(Mark::default(), &[], Index(0), Head::new()).unwrap();
        heads.append(&entry(1, 2, &made[0].0), None).unwrap();
        assert!(heads.append(&entry(2, 2, &made[2].0), None).is_err());
        assert!(Heads::new(Mark::default(), &[entry(1, 2, &made[1].0)], Index(0), Head::new()).is_err());
    }

    #[test]
    fn a_part_of_a_peers_ledger_may_come_twice() {
        let maker = Maker::new();
        let made = chain(&maker, 2, &Head::new(), 3);
        let mut heads = Heads::new(Mark::default(), &[], Index(0), Head::new()).unwrap();
        let part: Bytes = [&made[0].0[..], &made[1].0].concat().into();
        assert_eq!(heads.beyond(part.clone()), part);
        heads.advance(made[1].1.clone());
        assert!(heads.beyond(part).is_empty());
        assert_eq!(heads.beyond([&made[1].0[..], &made[2].0].concat().into()), made[2].0);
        assert_eq!(heads.beyond(Bytes::from_static(b"no batch")), "no batch");
    }

    #[test]
    fn only_what_is_committed_and_durable_leaves_memory() {
        let maker = Maker::new();
        let made = chain(&maker, 2, &Head::new(), 4);
        let mut heads = Heads::new(Mark::default(), &[], Index(0), Head::new()).unwrap();
        for (place, (batch, _)) in (1..).zip(&made) {
            heads.append(&entry(place, 2, batch), None).unwrap();
        }
        assert_eq!(heads.compact(Seqno(1_000), 0), None);
        heads.commit(Index(1), &made[0].0);
        heads.commit(Index(2), &made[1].0);
        assert_eq!(heads.compact(made[0].1.seqno(), 0), Some(Index(1)));
        assert_eq!(heads.compact(Seqno(1_000), made[3].0.len() * 4), None, "the newest bytes are kept");
        assert_eq!(heads.compact(Seqno(1_000), 0), Some(Index(2)));
        assert_eq!(heads.find(made[1].1.seqno()).unwrap().point, Point::new(2, 2));
    }
}
