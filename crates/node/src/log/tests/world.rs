//! The log under use, and what may be read back from it after a crash.

use std::path::Path;

use base::{Seqno, View};
use bytes::Bytes;
use consensus::{
    Append, Configuration, Content as EntryContent, Entry, HardState, Index, Member, Membership, Write, WriteNumber,
};

use super::disk::{ForgetfulDisk, Luck};
use crate::log::{Log, LogError, Mark, Places, Recovered};

/// Small enough that every few writes start a new segment.
pub const SEGMENT_BYTES: u64 = 300;

/// All that the log should hold.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Content {
    start: Mark,
    entries: Vec<(Entry, Mark)>,
    hard_state: HardState,
    membership: Option<Membership>,
}

impl Content {
    fn last(&self) -> Mark {
        self.entries.last().map_or(self.start, |(_, mark)| *mark)
    }

    /// Whether this is what was read back. The front may be missing as far as the ledger file has it.
    fn is(&self, found: &Recovered<ForgetfulDisk>, durable: Seqno) -> bool {
        let skipped = self.entries.iter().take_while(|(_, mark)| mark.point.index <= found.start.point.index).count();
        let start = if skipped == 0 { self.start } else { self.entries[skipped - 1].1 };
        let front = skipped == 0 || start.seqno <= durable;
        front
            && start == found.start
            && self.hard_state == found.hard_state
            && self.membership == found.membership
            && self.entries[skipped..].iter().map(|(entry, _)| entry).eq(&found.entries)
    }
}

/// One write: how many uncommitted entries give way, how long the new ones are (0: a mark, 1: a configuration), whether there
/// is a vote.
#[derive(Clone, Default, Debug)]
pub struct Change {
    pub back: usize,
    pub lengths: Vec<u8>,
    pub vote: bool,
    /// The log starts anew, this far behind its end.
    pub restart: Option<u8>,
}

pub struct World {
    pub disk: ForgetfulDisk,
    pub log: Log<ForgetfulDisk>,
    /// What was synced last, and what it was after each record since.
    possible: Vec<Content>,
    view: u64,
    commit: Index,
    /// The ledger file is durable up to here.
    durable: Seqno,
}

pub fn open(disk: ForgetfulDisk) -> Result<Recovered<ForgetfulDisk>, LogError> {
    Log::open_on(disk, Path::new("log"), SEGMENT_BYTES, seqno_of)
}

/// A batch of these tests begins with its last seqno.
pub fn seqno_of(batch: &[u8]) -> Option<Seqno> {
    batch.first_chunk().map(|bytes| Seqno(u64::from_le_bytes(*bytes)))
}

impl World {
    pub fn new() -> Self {
        let disk = ForgetfulDisk::default();
        let log = open(disk.clone()).unwrap_or_else(|error| panic!("{error}")).log;
        Self { disk, log, possible: vec![Content::default()], view: 2, commit: Index(0), durable: Seqno(0) }
    }

    fn now(&self) -> &Content {
        self.possible.last().unwrap()
    }

    pub fn write(&mut self, change: &Change) -> Result<(), LogError> {
        let mut content = self.now().clone();
        let mut places = Places::default();
        let mut states = Vec::new();
        let membership = self.untold();
        if membership.is_some() {
            content.membership.clone_from(&membership);
            states.push(content.clone());
        }
        let restart = change.restart.map(|far| {
            let last = content.last();
            let point = consensus::Point::new(last.point.index.0 + 1 + u64::from(far), self.view);
            Mark { point, seqno: Seqno(last.seqno.0 + 1 + u64::from(far)) }
        });
        if let Some(mark) = restart {
            content = Content { start: mark, entries: Vec::new(), ..content };
            places.restart = Some(mark);
            states.push(content.clone());
        }
        let committed = content.entries.iter().take_while(|(_, mark)| mark.point.index <= self.commit).count();
        let kept = content.entries.len().saturating_sub(change.back).max(committed);
        let truncate_from = (kept < content.entries.len()).then(|| content.entries[kept].0.index);
        if truncate_from.is_some() {
            self.view += 1;
            content.entries.truncate(kept);
            places.truncate = Some(content.last());
            states.push(content.clone());
        }
        let mut entries = Vec::new();
        // Raft never truncates without putting something in its place.
        let filler = (truncate_from.is_some() && change.lengths.is_empty()).then_some(&0);
        for length in change.lengths.iter().chain(filler) {
            let last = content.last();
            let seqno = Seqno(last.seqno.0 + if *length == 1 { 0 } else { u64::from(*length) });
            let mut data = if *length > 0 { seqno.0.to_le_bytes().to_vec() } else { Vec::new() };
            data.resize(usize::from(*length).max(data.len()), self.view as u8);
            let entry = Entry {
                index: last.point.index.next(),
                view: View(self.view),
                content: match length {
                    1 => EntryContent::Configuration(self.configuration()),
                    _ => EntryContent::batch(Bytes::from(data)),
                },
            };
            content.entries.push((entry.clone(), Mark { point: entry.point(), seqno }));
            places.seqnos.push(seqno);
            entries.push(entry);
            states.push(content.clone());
        }
        let hard_state = change.vote.then(|| {
            self.view += 1;
            HardState { view: View(self.view), vote: Some(Member(self.view % 3 + 1)), commit: self.commit }
        });
        if let Some(hard_state) = hard_state {
            content.hard_state = hard_state;
            states.push(content);
        }
        let append = (!entries.is_empty()).then_some(Append { truncate_from, entries });
        let write =
            Write { number: WriteNumber(1), membership, restart: restart.map(|mark| mark.point), append, hard_state };
        self.possible.extend(states);
        self.log.write(&write, &places)
    }

    pub fn sync(&mut self) -> Result<(), LogError> {
        self.log.sync()?;
        self.possible.drain(..self.possible.len() - 1);
        Ok(())
    }

    fn configuration(&self) -> Configuration {
        Configuration::new((1..=self.view % 5 + 1).map(Member), [Member(9)]).unwrap()
    }

    /// The configuration that is committed, if it is not written: the driver writes it as soon as it knows.
    fn untold(&self) -> Option<Membership> {
        let content = self.now();
        let since = content.membership.as_ref().map_or(Index(0), |membership| membership.since);
        let committed = content.entries.iter().rev().filter(|(entry, _)| entry.index <= self.commit);
        let mut new = committed.filter(|(entry, _)| entry.index > since);
        new.find_map(|(entry, _)| match &entry.content {
            EntryContent::Configuration(configuration) => {
                Some(Membership { since: entry.index, configuration: configuration.clone() })
            }
            EntryContent::Mark | EntryContent::Batch(_) => None,
        })
    }

    fn tell(&mut self) -> Result<(), LogError> {
        if self.untold().is_some() { self.write(&Change::default()) } else { Ok(()) }
    }

    /// A quorum has the oldest uncommitted entries of those that are synced.
    pub fn commit(&mut self, entries: usize) -> Result<(), LogError> {
        let synced = self.possible[0].last().point.index;
        let reached = Index(self.commit.0 + entries as u64).min(synced).max(self.possible[0].start.point.index);
        // What a later write would take back is not committed any more.
        let shared = self.possible.iter().map(|content| content.last().point.index).min().unwrap();
        if self.possible.len() == 1 {
            self.commit = self.commit.max(reached.min(shared));
        }
        self.tell()
    }

    /// What is committed is in the ledger file for good.
    pub fn compact(&mut self) -> Result<(), LogError> {
        self.tell()?;
        let content = &self.possible[0];
        let committed = content.entries.iter().rev().find(|(_, mark)| mark.point.index <= self.commit);
        let seqno = committed.map_or(content.start.seqno, |(_, mark)| mark.seqno);
        self.durable = self.durable.max(seqno);
        self.log.compact(self.durable, self.commit)
    }

    /// A peer's ledger reaches further than the log.
    pub fn ahead(&mut self, far: u8) {
        let seqno = self.now().last().seqno.0 + u64::from(far);
        self.durable = self.durable.max(Seqno(seqno));
    }

    /// The power goes, and the node starts again on what is left.
    pub fn crash(&mut self, seed: u64) {
        self.disk.crash(&mut Luck(seed));
        self.start();
    }

    /// The process ends, and starts again on what it wrote. From then on it may rely on that.
    pub fn kill(&mut self) {
        self.disk.fail_in(None);
        self.start();
    }

    fn start(&mut self) {
        let found = open(self.disk.clone()).unwrap_or_else(|error| panic!("after a crash: {error}"));
        let restarted = self.possible.iter().rposition(|content| content.is(&found, self.durable));
        let Some(place) = restarted else {
            panic!(
                "{:?} {:?} {:?} was read back, which is none of {:#?}",
                found.hard_state, found.start, found.entries, self.possible
            )
        };
        self.possible = vec![self.possible[place].clone()];
        let committed = self.commit.max(self.now().start.point.index);
        assert!(found.start.point.index <= committed, "what is before the log counts as committed");
        self.commit = self.commit.max(self.now().start.point.index);
        assert!(self.now().last().point.index >= self.commit, "what was committed is there");
        self.log = found.log;
    }
}
