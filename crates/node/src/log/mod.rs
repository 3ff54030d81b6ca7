//! The consensus log on disk: the only write that anyone waits for.
//!
//! ```text
//!   log/segment_1   Segment │ Entry │ Entry │ HardState │ … │ End │ of an earlier use
//!   log/segment_2   Segment │ Entry │ …                     ◀── write, fdatasync   │ zeros, or of an earlier use
//!   log/spare
//! ```
//!
//! Segments are let go once they are committed and the ledger file is durable past them, so the log stays small however
//! old the network is. The file of one that was let go becomes the next new one: what is written over needs no room on the disk
//! found for it and no length changed, so a sync waits for its bytes alone, and nothing is deleted, which holds up every sync of
//! the file system for tens of milliseconds. For the same reason a new file grows by many zeros at once.
//! A torn record at the very end is what a crash leaves; it was never acknowledged and is cut off. A broken one in front
//! of something that was written after it was synced is damage, and is not cut off: it was acknowledged. After a
//! failed write the log is dead: it refuses everything, and the node stops.

mod record;
pub(crate) mod replay;
#[cfg(test)]
pub mod tests;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use base::Seqno;
use consensus::{Entry, HardState, Index, Membership, Point, Stored};
use ledger::{Directory, Disk};

pub use record::Mark;
use record::{Record, Seed};
use replay::{Read, Replay};

/// A new segment is started past this.
const SEGMENT_BYTES: u64 = 32 << 20;
/// Before it is used again, or for the first time.
const SPARE: &str = "spare";
/// A file grows by this part of a segment.
const GROWS_BY: u64 = 64;
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
/// A buffer that grew larger than this is let go.
const BUFFER_BYTES_KEPT: usize = 8 << 20;

/// The log could not be read or written: this node's disk is at fault.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("the consensus log {path} could not be {doing}", path = .path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("the consensus log {} is damaged at byte {offset}: restore this node from another one", .path.display())]
    Damaged { path: PathBuf, offset: u64 },
    #[error("the consensus log {} does not continue the one before it: restore this node from another one", .path.display())]
    Gap { path: PathBuf },
    #[error("the consensus log is dead: an earlier write failed, so nothing more may be acknowledged")]
    Dead,
}

/// What the log held at start.
pub struct Recovered<D = Disk> {
    pub log: Log<D>,
    pub hard_state: HardState,
    /// What is before the first entry.
    pub start: Mark,
    pub entries: Vec<Entry>,
    pub membership: Option<Membership>,
}

impl<D> Recovered<D> {
    /// The consensus driver's part of it. `applied` is where the store above already is.
    pub fn stored(&self, applied: Index) -> Stored {
        Stored {
            hard_state: self.hard_state,
            start: self.start.point,
            entries: self.entries.clone(),
            applied,
            membership: self.membership.clone(),
        }
    }
}

/// Where the parts of a write go, in terms of the ledger.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Places {
    /// The log starts anew behind this.
    pub restart: Option<Mark>,
    /// Entries behind this give way.
    pub truncate: Option<Mark>,
    /// For each appended entry, the last ledger entry up to it.
    pub seqnos: Vec<Seqno>,
}

/// The open log.
pub struct Log<D = Disk> {
    disk: D,
    /// Where that is, for people.
    dir: PathBuf,
    segment_bytes: u64,
    /// Oldest first, never empty; the last one is written.
    segments: VecDeque<Segment>,
    /// Bytes of the last segment, and how many of them are synced.
    written: u64,
    synced: u64,
    /// Of its file.
    length: u64,
    /// Of its records.
    seed: Seed,
    /// There is a file to use again.
    spare: bool,
    hard_state: HardState,
    membership: Option<Membership>,
    /// The last entry.
    last: Mark,
    buffer: Vec<u8>,
    dead: bool,
}

struct Segment {
    number: u64,
    /// The last entry when it was written last (or the place before it, while it holds none).
    last: Mark,
}

impl Log {
    /// Opens the log in `dir`, or makes it. `seqno_of` reads the last seqno out of a batch.
    pub fn open(dir: &Path, seqno_of: impl Fn(&[u8]) -> Option<Seqno>) -> Result<Recovered, LogError> {
        let new = !dir.exists();
        let disk = Disk::open(dir).and_then(|disk| {
            // What is acknowledged later must not vanish with the folder's own name.
            let parent = dir.parent().filter(|parent| new && !parent.as_os_str().is_empty());
            parent.map_or(Ok(()), |parent| std::fs::File::open(parent)?.sync_all())?;
            Ok(disk)
        });
        let disk = disk.map_err(|source| LogError::Io { doing: "made", path: dir.into(), source })?;
        Self::open_on(disk, dir, SEGMENT_BYTES, seqno_of)
    }
}

impl<D: Directory> Log<D> {
    /// As [`Log::open`], on any disk and with another size of segments.
    fn open_on(
        disk: D,
        dir: &Path,
        segment_bytes: u64,
        seqno_of: impl Fn(&[u8]) -> Option<Seqno>,
    ) -> Result<Recovered<D>, LogError> {
        // A process that was killed may have left names that are not for good, and what is built on them would go with them.
        let names = disk.sync_names().and_then(|()| disk.list());
        let names = names.map_err(|source| LogError::Io { doing: "listed", path: dir.into(), source })?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of(name)).collect();
        numbers.sort_unstable();
        let mut replay = Replay::default();
        let mut segments = VecDeque::new();
        let mut end = Read { whole: 0, ended: false, seed: Seed::opening(0) };
        for (place, &number) in numbers.iter().enumerate() {
            let bytes = read(&disk, &name_of(number)).map_err(|source| LogError::Io {
                doing: "read",
                path: dir.join(name_of(number)),
                source,
            })?;
            let newest = place + 1 == numbers.len();
            let read = replay.segment(number, bytes, newest, &seqno_of);
            end = read.map_err(|error| error.at(dir.join(name_of(number))))?;
            segments.push_back(Segment { number, last: replay.last() });
        }
        let (hard_state, membership, last) = (replay.hard_state, replay.membership.clone(), replay.last());
        let mut log = Self {
            disk,
            dir: dir.into(),
            segment_bytes,
            segments,
            written: end.whole,
            synced: end.whole,
            length: end.whole,
            seed: end.seed,
            spare: names.iter().any(|name| name == SPARE),
            hard_state,
            membership: membership.clone(),
            last,
            buffer: Vec::new(),
            dead: false,
        };
        log.take_up(end)?;
        let Replay { start, entries, .. } = replay;
        Ok(Recovered { log, hard_state, start: start.unwrap_or_default(), entries, membership })
    }

    /// Gets the newest segment, of which so much is there, ready for more.
    fn take_up(&mut self, end: Read) -> Result<(), LogError> {
        match self.segments.back().map(|segment| segment.number) {
            None => {
                // It may be of another first segment, and say so.
                if std::mem::take(&mut self.spare) {
                    self.disk.remove(SPARE).map_err(|source| self.failed("made", source))?;
                }
                self.start_segment(1)
            }
            Some(number) if end.ended => {
                // The end may not be for good either.
                self.disk.sync(&name_of(number)).map_err(|source| self.failed("reopened", source))?;
                self.start_segment(number + 1)
            }
            // What is behind it goes: a part of the last write that a crash left there could be read as what follows.
            Some(number) => {
                let name = name_of(number);
                let cut = self.disk.truncate(&name, end.whole).and_then(|()| self.disk.sync(&name));
                cut.map_err(|source| self.failed("reopened", source))
            }
        }
    }

    /// Writes one of the driver's writes; it is on disk only after [`Log::sync`].
    pub fn write(&mut self, write: &consensus::Write, places: &Places) -> Result<(), LogError> {
        self.dying(|log| {
            let mut bytes = std::mem::take(&mut log.buffer);
            bytes.clear();
            log.put(write, places, &mut bytes);
            log.append(&bytes)?;
            if bytes.capacity() <= BUFFER_BYTES_KEPT {
                log.buffer = bytes;
            }
            if let Some(segment) = log.segments.back_mut() {
                segment.last = log.last;
            }
            Ok(())
        })
    }

    /// Puts records behind what is written.
    fn append(&mut self, bytes: &[u8]) -> Result<(), LogError> {
        self.write_at(self.written, bytes)?;
        self.written += bytes.len() as u64;
        let grown = self.written + self.segment_bytes / GROWS_BY;
        if self.length == self.written && self.written < self.segment_bytes {
            while self.length < grown {
                let zeros = usize::try_from(grown - self.length).map_or(ZEROS.len(), |rest| rest.min(ZEROS.len()));
                self.write_at(self.length, &ZEROS[..zeros])?;
            }
        }
        Ok(())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), LogError> {
        let written = self.disk.write(&self.name(), offset, bytes);
        written.map_err(|source| self.failed("written", source))?;
        self.length = self.length.max(offset + bytes.len() as u64);
        Ok(())
    }

    fn put(&mut self, write: &consensus::Write, places: &Places, bytes: &mut Vec<u8>) {
        let (seed, synced) = (self.seed, self.synced());
        if let Some(membership) = &write.membership {
            Record::Membership(membership.clone()).write(seed, synced, bytes);
            self.membership = Some(membership.clone());
        }
        if let Some(mark) = places.restart {
            Record::Restart(mark).write(seed, synced, bytes);
            self.last = mark;
        }
        if let Some(mark) = places.truncate {
            Record::Truncate(mark).write(seed, synced, bytes);
            self.last = mark;
        }
        for (entry, seqno) in write.append.iter().flat_map(|append| &append.entries).zip(&places.seqnos) {
            Record::Entry(entry.clone()).write(seed, synced, bytes);
            self.last = Mark { point: entry.point(), seqno: *seqno };
        }
        if let Some(hard_state) = write.hard_state {
            Record::HardState(hard_state).write(seed, synced, bytes);
            self.hard_state = hard_state;
        }
    }

    /// Waits until everything written is on disk.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.dying(|log| {
            log.sync_written()?;
            if log.written > log.segment_bytes {
                let mut end = Vec::new();
                Record::End.write(log.seed, log.synced(), &mut end);
                log.append(&end)?;
                log.sync_written()?;
                log.start_segment(log.number() + 1)?;
            }
            Ok(())
        })
    }

    /// Lets go of segments that the ledger file has made needless: it is durable up to `seqno`. Seqnos alone would not do:
    /// what ends a segment may be a mark, or a tail that others replace while the ledger is taken from a peer. What is
    /// before the log counts as committed after a restart, so it must be.
    pub fn compact(&mut self, seqno: Seqno, committed: Index) -> Result<(), LogError> {
        self.dying(|log| {
            let needless = |last: Mark| last.seqno <= seqno && last.point.index <= committed;
            while log.segments.len() > 1 && needless(log.segments[0].last) {
                // The configuration that a deleted entry brought must be on disk behind it.
                if log.synced < log.written {
                    log.sync_written()?;
                }
                let name = name_of(log.segments[0].number);
                // One after the other for good: a crash must not bring back an older one without a younger one.
                let let_go = || {
                    // One that grew far longer than others, by much that was written at once, is not kept at that.
                    let keep = !log.spare && log.disk.len(&name)? <= 2 * log.segment_bytes;
                    if keep { log.disk.rename(&name, SPARE) } else { log.disk.remove(&name) }?;
                    log.disk.sync_names()?;
                    Ok(keep)
                };
                let kept = let_go();
                log.spare |=
                    kept.map_err(|source| LogError::Io { doing: "deleted", path: log.dir.join(&name), source })?;
                log.segments.pop_front();
            }
            Ok(())
        })
    }

    fn sync_written(&mut self) -> Result<(), LogError> {
        self.disk.sync(&self.name()).map_err(|source| self.failed("synced", source))?;
        self.synced = self.written;
        Ok(())
    }

    /// Does something after which the log is dead, unless it succeeds: nobody knows what a failed write left.
    fn dying(&mut self, act: impl FnOnce(&mut Self) -> Result<(), LogError>) -> Result<(), LogError> {
        if self.dead {
            return Err(LogError::Dead);
        }
        self.dead = true;
        act(self)?;
        self.dead = false;
        Ok(())
    }

    /// What is written so far must be synced, with its end: only the newest segment may end torn.
    fn start_segment(&mut self, number: u64) -> Result<(), LogError> {
        self.segments.push_back(Segment { number, last: self.last });
        let mut first = Vec::new();
        let (hard_state, before, membership) = (self.hard_state, self.last, self.membership.clone());
        let salt = crypto::random().map(u64::from_le_bytes);
        let salt = salt.map_err(|source| self.failed("made", io::Error::other(source)))?;
        Record::Segment { salt, hard_state, before, membership }.write(Seed::opening(number), 0, &mut first);
        // It gets its name with its first record in it.
        let make = || {
            self.disk.write(SPARE, 0, &first)?;
            self.disk.sync(SPARE)?;
            self.disk.rename(SPARE, &name_of(number))?;
            self.disk.sync_names()?;
            self.disk.len(&name_of(number))
        };
        self.length = make().map_err(|source| self.failed("made", source))?;
        self.seed = Seed::of(number, salt);
        self.spare = false;
        self.written = first.len() as u64;
        self.synced = self.written;
        Ok(())
    }

    /// Of the segment that is written.
    fn number(&self) -> u64 {
        self.segments.back().map_or(0, |segment| segment.number)
    }

    /// As records say it.
    fn synced(&self) -> u32 {
        u32::try_from(self.synced).expect("a segment and the largest write are far below 4 GiB")
    }

    fn name(&self) -> String {
        name_of(self.number())
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> LogError {
        LogError::Io { doing, path: self.dir.join(self.name()), source }
    }
}

fn name_of(number: u64) -> String {
    format!("segment_{number}")
}

fn number_of(name: &str) -> Option<u64> {
    let number = name.strip_prefix("segment_")?.parse().ok()?;
    (name_of(number) == name).then_some(number)
}

fn read(disk: &impl Directory, name: &str) -> io::Result<Vec<u8>> {
    let length = usize::try_from(disk.len(name)?).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    disk.read(name, 0, &mut bytes)?;
    Ok(bytes)
}

/// The place of the last batch that is in the ledger file: where the store stands that was rebuilt from it.
///
/// A batch is in the ledger if its last entry is there, in the same view. A seqno alone would say nothing: a tail that
/// was never committed has seqnos, too, which others used anew.
#[must_use]
pub fn applied(start: Mark, entries: &[Entry], in_ledger: impl Fn(&[u8]) -> bool) -> Point {
    // Marks and configurations say nothing of their own: whether they are committed is not known here.
    let mut batches = entries.iter().rev().filter(|entry| !entry.batch().is_empty());
    batches.find(|entry| in_ledger(entry.batch())).map_or(start.point, Entry::point)
}
