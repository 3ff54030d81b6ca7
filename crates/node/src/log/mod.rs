//! The consensus log on disk: the only write that anyone waits for.
//!
//! ```text
//!   log/segment_1   Segment │ Entry │ Entry │ HardState │ …
//!   log/segment_2   Segment │ Entry │ …                       ◀── append, fdatasync
//! ```
//!
//! Segments are deleted once the ledger file is durable past them, so the log stays small however old the network is.
//! A torn record at the very end is what a crash leaves; it was never acknowledged and is cut off. After a failed
//! write the log is dead: it refuses everything, and the node stops.

mod record;

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base::Seqno;
use bytes::Bytes;
use consensus::{Entry, HardState, Index, Point, Stored};

pub use record::Mark;
use record::Record;

/// A new segment is started past this.
const SEGMENT_BYTES: u64 = 32 << 20;

/// The log could not be read or written: this node's disk is at fault.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("the consensus log {path} could not be {doing}", path = .path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("the consensus log {} is damaged at byte {offset}: restore this node from another one", .path.display())]
    Damaged { path: PathBuf, offset: u64 },
    #[error("the consensus log is dead: an earlier write failed, so nothing more may be acknowledged")]
    Dead,
}

/// What the log held at start.
pub struct Recovered {
    pub log: Log,
    pub hard_state: HardState,
    /// What is before the first entry.
    pub start: Mark,
    pub entries: Vec<Entry>,
}

impl Recovered {
    /// The consensus driver's part of it. `applied` is where the store above already is.
    pub fn stored(&self, applied: Index) -> Stored {
        Stored { hard_state: self.hard_state, start: self.start.point, entries: self.entries.clone(), applied }
    }
}

/// The open log.
pub struct Log {
    dir: PathBuf,
    /// Oldest first; the last one is written.
    segments: VecDeque<Segment>,
    file: File,
    written: u64,
    hard_state: HardState,
    /// The last entry.
    last: Mark,
    buffer: Vec<u8>,
    dead: bool,
}

struct Segment {
    number: u64,
    /// The last entry it holds (or the place before it, while it holds none).
    last: Mark,
}

impl Log {
    /// Opens the log in `dir`, or makes it. `seqno_of` reads the last seqno out of a batch.
    pub fn open(dir: &Path, seqno_of: impl Fn(&[u8]) -> Option<Seqno>) -> Result<Recovered, LogError> {
        fs::create_dir_all(dir).map_err(|source| LogError::Io { doing: "made", path: dir.into(), source })?;
        let mut numbers = segment_numbers(dir)?;
        numbers.sort_unstable();
        let mut replay = Replay::default();
        let mut segments = VecDeque::new();
        let mut keep = 0;
        for (place, &number) in numbers.iter().enumerate() {
            let newest = place + 1 == numbers.len();
            keep = replay.segment(&path(dir, number), newest, &seqno_of)?;
            segments.push_back(Segment { number, last: replay.last() });
        }
        let Replay { hard_state, start, entries, last } = replay;
        let last = last.unwrap_or_default();
        let (file, written) = match segments.back() {
            // A crash while the newest segment was being made can leave it without its first record.
            Some(newest) if keep > 0 => (reopen(&path(dir, newest.number), keep)?, keep),
            newest => {
                let number = newest.map_or(1, |segment| segment.number);
                segments.pop_back();
                segments.push_back(Segment { number, last });
                create(dir, number, &Record::Segment { hard_state, before: last })?
            }
        };
        let log = Self { dir: dir.into(), segments, file, written, hard_state, last, buffer: Vec::new(), dead: false };
        Ok(Recovered { log, hard_state, start: start.unwrap_or_default(), entries })
    }

    /// Writes one of the driver's writes; it is on disk only after [`Log::sync`]. `seqnos` has, for each appended entry,
    /// the last ledger entry up to it.
    pub fn write(&mut self, write: &consensus::Write, restart: Option<Mark>, seqnos: &[Seqno]) -> Result<(), LogError> {
        if self.dead {
            return Err(LogError::Dead);
        }
        self.dead = true;
        self.buffer.clear();
        if let Some(mark) = restart {
            Record::Restart(mark).write(&mut self.buffer);
            self.last = mark;
        }
        if let Some(append) = &write.append {
            for (entry, seqno) in append.entries.iter().zip(seqnos) {
                Record::Entry(entry.clone()).write(&mut self.buffer);
                self.last = Mark { point: entry.point(), seqno: *seqno };
            }
        }
        if let Some(hard_state) = write.hard_state {
            Record::HardState(hard_state).write(&mut self.buffer);
            self.hard_state = hard_state;
        }
        self.file.write_all(&self.buffer).map_err(|source| self.failed("written", source))?;
        self.written += self.buffer.len() as u64;
        if self.buffer.capacity() > 8 << 20 {
            self.buffer = Vec::new();
        }
        if let Some(segment) = self.segments.back_mut() {
            segment.last = self.last;
        }
        self.dead = false;
        Ok(())
    }

    /// Waits until everything written is on disk.
    pub fn sync(&mut self) -> Result<(), LogError> {
        if self.dead {
            return Err(LogError::Dead);
        }
        self.dead = true;
        self.file.sync_data().map_err(|source| self.failed("synced", source))?;
        if self.written > SEGMENT_BYTES {
            self.start_segment()?;
        }
        self.dead = false;
        Ok(())
    }

    /// Deletes segments that the ledger file has made needless: it is durable up to `seqno`.
    pub fn compact(&mut self, seqno: Seqno) -> Result<(), LogError> {
        if self.dead {
            return Err(LogError::Dead);
        }
        while self.segments.len() > 1 && self.segments[0].last.seqno <= seqno {
            let path = path(&self.dir, self.segments[0].number);
            fs::remove_file(&path).map_err(|source| LogError::Io { doing: "deleted", path, source })?;
            self.segments.pop_front();
        }
        Ok(())
    }

    fn start_segment(&mut self) -> Result<(), LogError> {
        let number = self.segments.back().map_or(1, |segment| segment.number + 1);
        let first = Record::Segment { hard_state: self.hard_state, before: self.last };
        (self.file, self.written) = create(&self.dir, number, &first)?;
        self.segments.push_back(Segment { number, last: self.last });
        Ok(())
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> LogError {
        let number = self.segments.back().map_or(0, |segment| segment.number);
        LogError::Io { doing, path: path(&self.dir, number), source }
    }
}

/// Puts the records of all segments together.
#[derive(Default)]
struct Replay {
    hard_state: HardState,
    start: Option<Mark>,
    entries: Vec<Entry>,
    last: Option<Mark>,
}

impl Replay {
    fn last(&self) -> Mark {
        self.last.unwrap_or_default()
    }

    /// Reads a segment; returns how many of its bytes are whole records.
    fn segment(
        &mut self,
        path: &Path,
        newest: bool,
        seqno_of: &impl Fn(&[u8]) -> Option<Seqno>,
    ) -> Result<u64, LogError> {
        let bytes = fs::read(path).map_err(|source| LogError::Io { doing: "read", path: path.into(), source })?;
        let bytes = Bytes::from(bytes);
        let mut offset = 0;
        while offset < bytes.len() {
            let damaged = || LogError::Damaged { path: path.into(), offset: offset as u64 };
            let (record, length) = match Record::read(&bytes.slice(offset..)) {
                Ok(read) => read,
                Err(_) if newest => break,
                Err(_) => return Err(damaged()),
            };
            if (offset == 0) != matches!(record, Record::Segment { .. }) {
                return Err(damaged());
            }
            self.record(record, seqno_of).ok_or_else(damaged)?;
            offset += length;
        }
        Ok(offset as u64)
    }

    fn record(&mut self, record: Record, seqno_of: &impl Fn(&[u8]) -> Option<Seqno>) -> Option<()> {
        match record {
            Record::Segment { hard_state, before } => {
                // Only the first segment says what is before the log; a later one repeats what was read.
                if self.start.is_none() {
                    self.start = Some(before);
                    self.hard_state = hard_state;
                    self.last = Some(before);
                }
            }
            Record::Entry(entry) => {
                let first = self.start?.point.index.0 + 1;
                let place = usize::try_from(entry.index.0.checked_sub(first)?).ok()?;
                if place > self.entries.len() {
                    return None;
                }
                self.entries.truncate(place);
                let seqno = if entry.data.is_empty() {
                    // A mark keeps the seqno before it.
                    let before = self.entries.iter().rev().find(|entry| !entry.data.is_empty());
                    before.map_or(Some(self.start?.seqno), |entry| seqno_of(&entry.data))?
                } else {
                    seqno_of(&entry.data)?
                };
                self.last = Some(Mark { point: entry.point(), seqno });
                self.entries.push(entry);
            }
            Record::HardState(hard_state) => self.hard_state = hard_state,
            Record::Restart(mark) => {
                self.entries.clear();
                self.start = Some(mark);
                self.last = Some(mark);
            }
        }
        Some(())
    }
}

fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("segment_{number}"))
}

fn segment_numbers(dir: &Path) -> Result<Vec<u64>, LogError> {
    let read = |source| LogError::Io { doing: "listed", path: dir.into(), source };
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).map_err(read)? {
        let name = entry.map_err(read)?.file_name();
        let number =
            name.to_str().and_then(|name| name.strip_prefix("segment_")).and_then(|number| number.parse::<u64>().ok());
        numbers.extend(number);
    }
    Ok(numbers)
}

fn reopen(path: &Path, keep: u64) -> Result<File, LogError> {
    let open = || -> io::Result<File> {
        let file = OpenOptions::new().append(true).open(path)?;
        file.set_len(keep)?;
        file.sync_all()?;
        Ok(file)
    };
    open().map_err(|source| LogError::Io { doing: "reopened", path: path.into(), source })
}

fn create(dir: &Path, number: u64, first: &Record) -> Result<(File, u64), LogError> {
    let path = path(dir, number);
    let mut bytes = Vec::new();
    first.write(&mut bytes);
    let make = || -> io::Result<File> {
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(&path)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        File::open(dir)?.sync_all()?;
        Ok(file)
    };
    let file = make().map_err(|source| LogError::Io { doing: "made", path: path.clone(), source })?;
    Ok((file, bytes.len() as u64))
}

/// The place of the last batch that ends at or before `seqno`: where the store stands that was rebuilt up to it.
#[must_use]
pub fn applied(start: Mark, entries: &[Entry], seqno: Seqno, seqno_of: impl Fn(&[u8]) -> Option<Seqno>) -> Point {
    // A mark says nothing of its own: whether it is committed is not known here.
    let done = entries.iter().filter(|entry| !entry.data.is_empty());
    let done = done.take_while(|entry| seqno_of(&entry.data).is_some_and(|end| end <= seqno));
    done.last().map_or(start.point, Entry::point)
}
