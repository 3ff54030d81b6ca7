//! The body of a snapshot: a stream of bytes in sealed parts, so that none of it is ever in memory as a whole.

use std::thread;
use std::time::Instant;

use crypto::{IV_BYTES, SealingKey, TAG_BYTES};
use ledger::{Directory, LedgerKeys};

use super::header::{HEADER_BYTES, Header};
use super::{SnapshotError, io_error};

/// Plain bytes in a part; the last one has fewer, or none.
pub const PART_BYTES: usize = 1 << 20;
/// Length, whether it is the last, tag.
const PREFIX_BYTES: usize = 4 + 1 + TAG_BYTES;
/// Synced this often, so that the log's own sync never waits for much of a snapshot.
const SYNC_BYTES: u64 = 8 << 20;
/// A gentle writer rests so many times as long as it works.
const REST: u32 = 3;

/// How a snapshot is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    /// Others want the disk: most of the time is theirs.
    Gentle,
    /// Nobody else does.
    Quick,
}

/// What the tag of a part covers beside its content: its file, its place, and whether another one follows.
struct Frame {
    header: [u8; HEADER_BYTES],
    number: u64,
    last: bool,
    length: u32,
}

impl Frame {
    fn iv(&self) -> [u8; IV_BYTES] {
        let mut iv = [0; IV_BYTES];
        iv[..8].copy_from_slice(&self.number.to_le_bytes());
        iv[8] = u8::from(self.last);
        iv
    }

    fn public(&self) -> [u8; HEADER_BYTES + 13] {
        let mut public = [0; HEADER_BYTES + 13];
        public[..HEADER_BYTES].copy_from_slice(&self.header);
        public[HEADER_BYTES..HEADER_BYTES + 8].copy_from_slice(&self.number.to_le_bytes());
        public[HEADER_BYTES + 8..HEADER_BYTES + 12].copy_from_slice(&self.length.to_le_bytes());
        public[HEADER_BYTES + 12] = u8::from(self.last);
        public
    }
}

/// Writes a snapshot's file.
pub struct Sealer<'a, D> {
    disk: &'a D,
    name: &'a str,
    header: [u8; HEADER_BYTES],
    key: SealingKey,
    number: u64,
    /// A part in the making, behind the room for its prefix.
    part: Vec<u8>,
    written: u64,
    synced: u64,
    pace: Pace,
    /// When it began, or rested last.
    worked_since: Instant,
}

impl<'a, D: Directory> Sealer<'a, D> {
    pub fn new(
        disk: &'a D,
        name: &'a str,
        header: &Header,
        keys: &LedgerKeys,
        pace: Pace,
    ) -> Result<Self, SnapshotError> {
        let (key, header) = (header.key(keys)?, header.write());
        // Whatever an earlier attempt left under this name goes.
        disk.write(name, 0, &header)
            .and_then(|()| disk.truncate(name, HEADER_BYTES as u64))
            .map_err(io_error("written"))?;
        let mut part = Vec::with_capacity(PREFIX_BYTES + PART_BYTES);
        part.resize(PREFIX_BYTES, 0);
        let (written, worked_since) = (HEADER_BYTES as u64, Instant::now());
        Ok(Self { disk, name, header, key, number: 0, part, written, synced: 0, pace, worked_since })
    }

    pub fn put(&mut self, mut bytes: &[u8]) -> Result<(), SnapshotError> {
        loop {
            let (now, rest) = bytes.split_at(bytes.len().min(PREFIX_BYTES + PART_BYTES - self.part.len()));
            self.part.extend_from_slice(now);
            if rest.is_empty() {
                return Ok(());
            }
            self.seal(false)?;
            bytes = rest;
        }
    }

    /// Writes the last part and makes the file durable. Gives its length.
    pub fn finish(mut self) -> Result<u64, SnapshotError> {
        self.seal(true)?;
        self.disk.sync(self.name).map_err(io_error("synced"))?;
        Ok(self.written)
    }

    fn seal(&mut self, last: bool) -> Result<(), SnapshotError> {
        let (prefix, plain) = self.part.split_at_mut(PREFIX_BYTES);
        let length = u32::try_from(plain.len()).map_err(|_| SnapshotError::Content("a part is too long"))?;
        let frame = Frame { header: self.header, number: self.number, last, length };
        let tag = self.key.seal(frame.iv(), &frame.public(), plain)?;
        prefix[..4].copy_from_slice(&length.to_le_bytes());
        prefix[4] = u8::from(last);
        prefix[5..].copy_from_slice(&tag);
        self.disk.write(self.name, self.written, &self.part).map_err(io_error("written"))?;
        self.written += self.part.len() as u64;
        self.number += 1;
        self.part.truncate(PREFIX_BYTES);
        if self.written - self.synced >= SYNC_BYTES {
            self.disk.sync(self.name).map_err(io_error("synced"))?;
            self.synced = self.written;
            if self.pace == Pace::Gentle {
                thread::sleep(REST * self.worked_since.elapsed());
            }
            self.worked_since = Instant::now();
        }
        Ok(())
    }
}

/// Reads a snapshot's file.
pub struct Opener<'a, D> {
    disk: &'a D,
    name: &'a str,
    header: [u8; HEADER_BYTES],
    key: SealingKey,
    number: u64,
    /// What was read of the file, and its length.
    read: u64,
    length: u64,
    /// The present part, and what of it was taken.
    plain: Vec<u8>,
    taken: usize,
    last: bool,
}

impl<'a, D: Directory> Opener<'a, D> {
    /// Only the header is read: whether it says the truth is known once a part opens.
    pub fn header(disk: &D, name: &str) -> Result<Header, SnapshotError> {
        let mut bytes = [0; HEADER_BYTES];
        disk.read(name, 0, &mut bytes).map_err(io_error("read"))?;
        Header::read(&bytes)
    }

    pub fn new(disk: &'a D, name: &'a str, header: &Header, keys: &LedgerKeys) -> Result<Self, SnapshotError> {
        let length = disk.len(name).map_err(io_error("read"))?;
        let (key, header) = (header.key(keys)?, header.write());
        let (number, read) = (0, HEADER_BYTES as u64);
        Ok(Self { disk, name, header, key, number, read, length, plain: Vec::new(), taken: 0, last: false })
    }

    /// The next bytes, appended to `out`.
    pub fn take(&mut self, mut count: usize, out: &mut Vec<u8>) -> Result<(), SnapshotError> {
        while count > 0 {
            if self.taken == self.plain.len() {
                if self.last {
                    return Err(SnapshotError::Content("it ends too early"));
                }
                self.open()?;
                continue;
            }
            let now = count.min(self.plain.len() - self.taken);
            out.extend_from_slice(&self.plain[self.taken..self.taken + now]);
            self.taken += now;
            count -= now;
        }
        Ok(())
    }

    /// Opens all parts that there are, and keeps nothing of them.
    pub fn skip(&mut self) -> Result<(), SnapshotError> {
        while !self.last {
            self.open()?;
        }
        self.taken = self.plain.len();
        Ok(())
    }

    /// Nothing may follow. Gives the file's length.
    pub fn finish(mut self) -> Result<u64, SnapshotError> {
        if self.taken == self.plain.len() && !self.last {
            self.open()?;
        }
        match self.taken == self.plain.len() && self.last && self.read == self.length {
            true => Ok(self.length),
            false => Err(SnapshotError::Content("it goes on behind its end")),
        }
    }

    fn open(&mut self) -> Result<(), SnapshotError> {
        let mut prefix = [0; PREFIX_BYTES];
        self.fill(&mut prefix)?;
        let [a, b, c, d, last, tag @ ..] = prefix;
        let length = u32::from_le_bytes([a, b, c, d]);
        let bytes = usize::try_from(length).unwrap_or(usize::MAX);
        // Every part but the last is full, so that there is one file for each content.
        if last > 1 || bytes > PART_BYTES || (last == 0 && bytes < PART_BYTES) {
            return Err(SnapshotError::Format("a part has a length or a mark that it cannot have"));
        }
        let mut sealed = vec![0; bytes];
        self.fill(&mut sealed)?;
        self.plain.resize(bytes, 0);
        self.taken = 0;
        self.last = last == 1;
        let frame = Frame { header: self.header, number: self.number, last: self.last, length };
        self.key
            .open(frame.iv(), &frame.public(), &sealed, &tag, &mut self.plain)
            .map_err(|_| SnapshotError::Sealed(self.number))?;
        self.number += 1;
        Ok(())
    }

    fn fill(&mut self, into: &mut [u8]) -> Result<(), SnapshotError> {
        self.disk.read(self.name, self.read, into).map_err(io_error("read to its end"))?;
        self.read += into.len() as u64;
        Ok(())
    }
}
