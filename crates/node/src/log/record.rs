//! Records of the consensus log. Byte layout: docs/formats/consensus-log.md.

use base::{Seqno, View};
use bytes::Bytes;
use consensus::{Configuration, Content, Entry, HardState, Index, Member, Membership, Point};

use base::limits::BATCH_BYTES_MAX;

/// `length u32 · crc32c u32 · synced u32`, all little-endian; the checksum covers what tells the segment from all others, and
/// everything behind it.
pub(super) const HEAD_BYTES: usize = 12;
/// Where the checksummed part begins.
const SUMMED_FROM: usize = 8;
/// Everything of an entry record's body but the batch.
const ENTRY_BODY_BYTES: usize = 17;
/// A body longer than this was never written here …
const BODY_BYTES_MAX: usize = BATCH_BYTES_MAX + ENTRY_BODY_BYTES;
/// … and of what is no entry none longer than this.
const SMALL_BODY_BYTES_MAX: usize = 2 << 10;

/// Far beyond any place, view or seqno, and far from where adding to one could overflow.
const NUMBER_MAX: u64 = 1 << 62;

const SEGMENT: u8 = 1;
const ENTRY: u8 = 2;
const HARD_STATE: u8 = 3;
const RESTART: u8 = 4;
const TRUNCATE: u8 = 5;
const CHANGE: u8 = 6;
const MEMBERSHIP: u8 = 7;
const END: u8 = 8;

/// A place in the log and the last ledger entry that was written up to it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Mark {
    pub point: Point,
    pub seqno: Seqno,
}

/// One record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Record {
    /// Opens a segment file: what held when it was started.
    Segment {
        /// Known to nobody before the segment was begun.
        salt: u64,
        hard_state: HardState,
        before: Mark,
        membership: Option<Membership>,
    },
    /// The next one.
    Entry(Entry),
    /// The configuration in force. It is committed, wherever the entry stands that brought it.
    Membership(Membership),
    HardState(HardState),
    /// Every earlier entry is forgotten: the log starts anew behind this.
    Restart(Mark),
    /// Entries behind this place were never committed and give way. It names the whole place, so that a segment can be
    /// read without those before it even if it goes back behind its own beginning.
    Truncate(Mark),
    /// What is behind this in the file is of an earlier use.
    End,
}

/// A record as it was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Found {
    pub(super) record: Record,
    /// Of the whole record.
    pub(super) length: usize,
    /// Bytes of the segment that were synced before this was written: what is broken in front of there is not torn.
    pub(super) synced: u32,
}

/// Why bytes are not a record. At the end of the newest segment this is a torn write; anywhere else it is damage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no whole record at this offset")]
pub(super) struct Torn;

/// What makes a record one of a segment and of no other: files are used again, and what was in them may be anybody's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seed(u32);

impl Seed {
    /// Of its first record.
    pub(super) fn opening(segment: u64) -> Self {
        Self(crc32c::crc32c(&segment.to_le_bytes()))
    }

    /// Of all others.
    pub(super) fn of(segment: u64, salt: u64) -> Self {
        Self(crc32c::crc32c_append(Self::opening(segment).0, &salt.to_le_bytes()))
    }

    fn checksum(self, summed: &[u8]) -> u32 {
        crc32c::crc32c_append(self.0, summed)
    }
}

impl Record {
    /// Appends the record's bytes to `out`. So much of the segment is synced.
    pub(super) fn write(&self, seed: Seed, synced: u32, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; SUMMED_FROM]);
        out.extend_from_slice(&synced.to_le_bytes());
        match self {
            Self::Segment { salt, hard_state, before, membership } => {
                out.push(SEGMENT);
                put(out, *salt);
                put_hard_state(out, hard_state);
                put_mark(out, before);
                if let Some(membership) = membership {
                    put_membership(out, membership);
                }
            }
            Self::Entry(entry) => {
                out.push(if matches!(entry.content, Content::Configuration(_)) { CHANGE } else { ENTRY });
                put(out, entry.index.0);
                put(out, entry.view.0);
                match &entry.content {
                    Content::Mark => {}
                    Content::Batch(batch) => out.extend_from_slice(batch),
                    Content::Configuration(configuration) => configuration.encode(out),
                }
            }
            Self::Membership(membership) => {
                out.push(MEMBERSHIP);
                put_membership(out, membership);
            }
            Self::HardState(hard_state) => {
                out.push(HARD_STATE);
                put_hard_state(out, hard_state);
            }
            Self::Restart(mark) => {
                out.push(RESTART);
                put_mark(out, mark);
            }
            Self::Truncate(mark) => {
                out.push(TRUNCATE);
                put_mark(out, mark);
            }
            Self::End => out.push(END),
        }
        let summed = &out[start + SUMMED_FROM..];
        let length = u32::try_from(out.len() - start - HEAD_BYTES).expect("a batch is bounded far below 4 GiB");
        let checksum = seed.checksum(summed);
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
        out[start + 4..start + SUMMED_FROM].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Reads the record at the start of `bytes`.
    pub(super) fn read(seed: Seed, bytes: &Bytes) -> Result<Found, Torn> {
        let head: &[u8; HEAD_BYTES] = bytes.first_chunk().ok_or(Torn)?;
        let [length, checksum, synced] = numbers(head);
        let body_length = length as usize;
        if body_length > BODY_BYTES_MAX || body_length > bytes.len() - HEAD_BYTES {
            return Err(Torn);
        }
        // Before anything is summed: what only looks like a record may look like a long one.
        let kind = *bytes.get(HEAD_BYTES).ok_or(Torn)?;
        if !(SEGMENT..=END).contains(&kind) || (kind != ENTRY && body_length > SMALL_BODY_BYTES_MAX) {
            return Err(Torn);
        }
        let length = HEAD_BYTES + body_length;
        if seed.checksum(&bytes[SUMMED_FROM..length]) != checksum {
            return Err(Torn);
        }
        let record = Self::body(&bytes.slice(HEAD_BYTES..length))?;
        Ok(Found { record, length, synced })
    }

    fn body(body: &Bytes) -> Result<Self, Torn> {
        let mut fields = Fields(body);
        let record = match fields.byte()? {
            SEGMENT => {
                let (salt, hard_state, before) = (fields.raw()?, fields.hard_state()?, fields.mark()?);
                let membership = if fields.0.is_empty() { None } else { Some(fields.membership()?) };
                Self::Segment { salt, hard_state, before, membership }
            }
            ENTRY => {
                let (index, view) = (Index(fields.number()?), View(fields.number()?));
                let content = Content::batch(body.slice(ENTRY_BODY_BYTES..));
                return Ok(Self::Entry(Entry { index, view, content }));
            }
            CHANGE => {
                let (index, view) = (Index(fields.number()?), View(fields.number()?));
                Self::Entry(Entry { index, view, content: Content::Configuration(fields.configuration()?) })
            }
            MEMBERSHIP => Self::Membership(fields.membership()?),
            HARD_STATE => Self::HardState(fields.hard_state()?),
            RESTART => Self::Restart(fields.mark()?),
            TRUNCATE => Self::Truncate(fields.mark()?),
            END => Self::End,
            _ => return Err(Torn),
        };
        if fields.0.is_empty() { Ok(record) } else { Err(Torn) }
    }

    /// Whether anything behind `broken` in a segment was written after `broken` was synced.
    pub(super) fn follows_synced(seed: Seed, bytes: &Bytes, broken: usize) -> bool {
        let claims = |place: usize| {
            let head = bytes.get(place..).and_then(|rest| rest.first_chunk()).map(numbers);
            head.is_some_and(|[_, _, synced]| (broken + 1..=place).contains(&(synced as usize)))
        };
        // Few places look like a record's head, so few checksums are computed.
        (broken + 1..bytes.len()).any(|place| claims(place) && Self::read(seed, &bytes.slice(place..)).is_ok())
    }
}

fn numbers(head: &[u8; HEAD_BYTES]) -> [u32; 3] {
    let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3] = *head;
    [[a0, a1, a2, a3], [b0, b1, b2, b3], [c0, c1, c2, c3]].map(u32::from_le_bytes)
}

fn put(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_hard_state(out: &mut Vec<u8>, HardState { view, vote, commit }: &HardState) {
    put(out, view.0);
    put(out, vote.map_or(0, |member| member.0));
    put(out, commit.0);
}

fn put_mark(out: &mut Vec<u8>, Mark { point, seqno }: &Mark) {
    put(out, point.index.0);
    put(out, point.view.0);
    put(out, seqno.0);
}

fn put_membership(out: &mut Vec<u8>, Membership { since, configuration }: &Membership) {
    put(out, since.0);
    configuration.encode(out);
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn byte(&mut self) -> Result<u8, Torn> {
        let (first, rest) = self.0.split_first().ok_or(Torn)?;
        self.0 = rest;
        Ok(*first)
    }

    fn raw(&mut self) -> Result<u64, Torn> {
        let (first, rest) = self.0.split_first_chunk().ok_or(Torn)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*first))
    }

    /// A place, view or seqno.
    fn number(&mut self) -> Result<u64, Torn> {
        self.raw().and_then(|number| if number <= NUMBER_MAX { Ok(number) } else { Err(Torn) })
    }

    fn hard_state(&mut self) -> Result<HardState, Torn> {
        let (view, vote, commit) = (View(self.number()?), self.raw()?, Index(self.number()?));
        Ok(HardState { view, vote: (vote != 0).then_some(Member(vote)), commit })
    }

    fn mark(&mut self) -> Result<Mark, Torn> {
        let point = Point { index: Index(self.number()?), view: View(self.number()?) };
        Ok(Mark { point, seqno: Seqno(self.number()?) })
    }

    /// To the end.
    fn configuration(&mut self) -> Result<Configuration, Torn> {
        Configuration::decode(std::mem::take(&mut self.0)).map_err(|_| Torn)
    }

    fn membership(&mut self) -> Result<Membership, Torn> {
        Ok(Membership { since: Index(self.number()?), configuration: self.configuration()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: Seed = Seed(1);

    fn samples() -> Vec<Record> {
        let hard_state = HardState { view: View(3), vote: Some(Member(2)), commit: Index(7) };
        let mark = Mark { point: Point::new(8, 3), seqno: Seqno(90) };
        let configuration = Configuration::new([Member(1), Member(3)], [Member(4)]).unwrap();
        let membership = Membership { since: Index(7), configuration: configuration.clone() };
        vec![
            Record::Segment { salt: u64::MAX, hard_state, before: mark, membership: None },
            Record::Segment { salt: 7, hard_state, before: mark, membership: Some(membership.clone()) },
            Record::Entry(Entry {
                index: Index(9),
                view: View(3),
                content: Content::Batch(Bytes::from_static(b"batch")),
            }),
            Record::Entry(Entry { index: Index(10), view: View(4), content: Content::Mark }),
            Record::Entry(Entry { index: Index(11), view: View(4), content: Content::Configuration(configuration) }),
            Record::Membership(membership),
            Record::HardState(HardState { vote: None, ..hard_state }),
            Record::Restart(mark),
            Record::Truncate(mark),
            Record::End,
        ]
    }

    #[test]
    fn a_record_reads_what_it_writes() {
        for record in samples() {
            let mut bytes = Vec::new();
            record.write(Seed::of(5, 1), 77, &mut bytes);
            let length = bytes.len();
            bytes.push(0xff);
            let bytes = bytes.into();
            for other in [Seed::of(6, 1), Seed::of(5, 2), Seed::opening(5)] {
                assert_eq!(Record::read(other, &bytes), Err(Torn), "it is of another segment");
            }
            assert_eq!(Record::read(Seed::of(5, 1), &bytes), Ok(Found { record, length, synced: 77 }));
        }
    }

    #[test]
    fn a_number_that_cannot_be_added_to_is_torn() {
        let far = Mark { point: Point::new(u64::MAX, 3), seqno: Seqno(90) };
        let entry = Entry { index: Index(u64::MAX), view: View(3), content: consensus::Content::Mark };
        for record in [Record::Restart(far), Record::Truncate(far), Record::Entry(entry)] {
            let mut bytes = Vec::new();
            record.write(SEED, 0, &mut bytes);
            assert_eq!(Record::read(SEED, &bytes.into()), Err(Torn), "{record:?}");
        }
    }

    #[test]
    fn a_cut_or_flipped_record_is_torn() {
        for record in samples() {
            let mut bytes = Vec::new();
            record.write(SEED, 77, &mut bytes);
            for cut in 0..bytes.len() {
                assert_eq!(Record::read(SEED, &bytes[..cut].to_vec().into()), Err(Torn), "{record:?} cut at {cut}");
            }
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Record::read(SEED, &flipped.into()), Err(Torn), "{record:?} bit {bit}");
            }
        }
    }
}
