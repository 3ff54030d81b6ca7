//! Reading the log back.

use std::path::PathBuf;

use base::Seqno;
use bytes::Bytes;
use consensus::{Entry, HardState, Membership};

use super::LogError;
use super::record::{Mark, Record, Seed};

/// Puts the records of all segments together.
#[derive(Default)]
pub struct Replay {
    pub hard_state: HardState,
    pub membership: Option<Membership>,
    /// What is before the first entry, once a segment was read.
    pub start: Option<Mark>,
    pub entries: Vec<Entry>,
    last: Option<Mark>,
}

/// What there is of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Read {
    /// Its first bytes, which are whole records.
    pub whole: u64,
    /// Whether its end is among them.
    pub ended: bool,
    /// Of its records.
    pub(super) seed: Seed,
}

/// Why a segment cannot be believed.
pub enum Broken {
    /// What is at this byte was not written there.
    Damaged(usize),
    /// It begins where the one before it does not end.
    Gap,
}

impl Broken {
    pub fn at(self, path: PathBuf) -> LogError {
        match self {
            Self::Damaged(offset) => LogError::Damaged { path, offset: offset as u64 },
            Self::Gap => LogError::Gap { path },
        }
    }
}

impl Replay {
    /// The last entry.
    pub fn last(&self) -> Mark {
        self.last.unwrap_or_default()
    }

    /// Reads the segment with this number.
    pub fn segment(
        &mut self,
        number: u64,
        bytes: Vec<u8>,
        newest: bool,
        seqno_of: &impl Fn(&[u8]) -> Option<Seqno>,
    ) -> Result<Read, Broken> {
        let bytes = Bytes::from(bytes);
        let (mut offset, mut ended, mut seed) = (0, false, Seed::opening(number));
        while !ended {
            let found = match Record::read(seed, &bytes.slice(offset..)) {
                Ok(found) => found,
                // Its name came with its first record.
                Err(_) if newest && offset > 0 && !Record::follows_synced(seed, &bytes, offset) => break,
                Err(_) => return Err(Broken::Damaged(offset)),
            };
            if (offset == 0) != matches!(found.record, Record::Segment { .. }) {
                return Err(Broken::Damaged(offset));
            }
            match found.record {
                Record::Segment { salt, hard_state, before, membership } => {
                    seed = Seed::of(number, salt);
                    self.begin(hard_state, before, membership)?;
                }
                Record::End => ended = true,
                record => self.record(record, seqno_of).ok_or(Broken::Damaged(offset))?,
            }
            offset += found.length;
        }
        Ok(Read { whole: offset as u64, ended, seed })
    }

    /// The first segment says what is before the log; a later one must repeat what was read.
    fn begin(&mut self, hard_state: HardState, before: Mark, membership: Option<Membership>) -> Result<(), Broken> {
        if self.start.is_none() {
            self.start = Some(before);
            self.last = Some(before);
            self.hard_state = hard_state;
            self.membership.clone_from(&membership);
        }
        let continues = self.last() == before && self.hard_state == hard_state && self.membership == membership;
        if continues { Ok(()) } else { Err(Broken::Gap) }
    }

    /// `None`: the record cannot stand where it does.
    fn record(&mut self, record: Record, seqno_of: &impl Fn(&[u8]) -> Option<Seqno>) -> Option<()> {
        match record {
            Record::Segment { .. } | Record::End => return None,
            Record::Entry(entry) => {
                if entry.index != self.last().point.index.next() {
                    return None;
                }
                // What carries no batch keeps the seqno before it.
                let seqno = if entry.batch().is_empty() { self.last().seqno } else { seqno_of(entry.batch())? };
                self.last = Some(Mark { point: entry.point(), seqno });
                self.entries.push(entry);
            }
            Record::HardState(hard_state) => self.hard_state = hard_state,
            Record::Membership(membership) => self.membership = Some(membership),
            Record::Restart(mark) => self.restart(mark),
            Record::Truncate(mark) => {
                let start = self.start?.point.index.0;
                match mark.point.index.0.checked_sub(start) {
                    Some(kept) => self.entries.truncate(usize::try_from(kept).ok()?),
                    // It goes back behind what is left of the log: all that is left gives way.
                    None => self.restart(mark),
                }
                if self.entries.last().is_some_and(|entry| entry.point() != mark.point) {
                    return None;
                }
                self.last = Some(mark);
            }
        }
        Some(())
    }

    fn restart(&mut self, mark: Mark) {
        self.entries.clear();
        self.start = Some(mark);
        self.last = Some(mark);
    }
}
