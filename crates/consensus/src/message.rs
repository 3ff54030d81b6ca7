//! What nodes say to each other, in bytes. Byte tables: docs/formats/peer-messages.md.
//!
//! Every length is checked against the bytes that are there before anything is allocated, every number against its
//! range, and nothing may follow. A decoded message is well formed; whether it can be true here is `guard`'s matter.

use std::fmt;

use base::View;
use base::limits::{BATCH_BYTES_MAX, PEER_FRAME_BYTES_MAX};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use thiserror::Error;

use crate::{BadConfiguration, Configuration, Content, Index, Membership, Point};

/// The first byte of every message.
const FORMAT: u8 = 2;

/// Format, kind and view.
const HEADER_BYTES: usize = 10;

/// What an entry takes in front of its content: its view, its kind and the content's length.
pub const ENTRY_HEADER_BYTES: usize = 13;

/// Kinds of entries.
const MARK: u8 = 1;
const BATCH: u8 = 2;
const CONFIGURATION: u8 = 3;

/// Entries that the log gives for one append, whatever their size; a message may carry twice as many.
pub const APPEND_ENTRIES_MAX: usize = 1 << 14;

/// Ledger entries seal 31 bits of the view.
pub const VIEW_MAX: u64 = (1 << 31) - 1;

/// Far beyond what a log can reach, and far from where adding to an index could overflow.
pub const INDEX_MAX: u64 = 1 << 62;

/// A message between two nodes, of the view of its sender (for the two kinds about a vote that is not yet taken, of
/// the view that is asked for).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    pub view: View,
    pub body: Body,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// The primary's entries behind `before`, and how far it knows the log to be committed.
    Append {
        before: Point,
        commit: Index,
        entries: Vec<Item>,
    },
    /// Everything up to `index` is durable here.
    Appended {
        index: Index,
        commit: Index,
    },
    /// The log here does not have `before`; it may fit behind `hint`.
    Refused {
        before: Index,
        hint: Point,
        commit: Index,
    },
    /// May I be primary? `last` is the end of my log. `handover`: the primary asked me to.
    Vote {
        last: Point,
        handover: bool,
    },
    Voted {
        granted: bool,
    },
    /// Would I get your vote?
    PreVote {
        last: Point,
    },
    PreVoted {
        granted: bool,
    },
    /// The primary is alive. `commit` is what it knows to be both committed and here.
    Heartbeat {
        commit: Index,
    },
    Alive {
        commit: Index,
    },
    /// What you need is no longer in my log: get everything up to here out of band. The configuration in force at
    /// `known`, which is committed, comes along, because the entry that brought it may be gone, too.
    CatchUp {
        to: Point,
        known: Index,
        membership: Membership,
    },
    /// Be primary, now.
    TakeOver,
}

/// One entry of an append; its index follows from its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    pub view: View,
    pub content: Content,
}

impl Item {
    fn encoded_bytes(&self) -> usize {
        ENTRY_HEADER_BYTES
            + match &self.content {
                Content::Mark => 0,
                Content::Batch(data) => data.len(),
                Content::Configuration(configuration) => configuration.encoded_bytes(),
            }
    }
}

/// The kind of a message: its second byte. For counters, traces and fault injection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    Append = 1,
    Appended = 2,
    Refused = 3,
    Vote = 4,
    Voted = 5,
    PreVote = 6,
    PreVoted = 7,
    Heartbeat = 8,
    Alive = 9,
    CatchUp = 10,
    TakeOver = 11,
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::Append,
        Self::Appended,
        Self::Refused,
        Self::Vote,
        Self::Voted,
        Self::PreVote,
        Self::PreVoted,
        Self::Heartbeat,
        Self::Alive,
        Self::CatchUp,
        Self::TakeOver,
    ];

    fn parse(byte: u8) -> Result<Self, Malformed> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte).ok_or(Malformed::Kind(byte))
    }
}

/// Why bytes are not a message. The sender's fault, or that of the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    #[error("{bytes} bytes are over the bound of a frame")]
    TooLong { bytes: usize },
    #[error("it ends early")]
    Short,
    #[error("{bytes} bytes follow its end")]
    Trailing { bytes: usize },
    #[error("format {0} is not known")]
    Format(u8),
    #[error("kind {0} is not known")]
    Kind(u8),
    #[error("a flag is {0}")]
    Flag(u8),
    #[error("view {0} is out of range")]
    View(u64),
    #[error("index {0} is out of range")]
    Index(u64),
    #[error("a batch of {0} bytes is over the bound")]
    Batch(usize),
    #[error("it has too many entries")]
    Entries,
    #[error("the views of its entries, or its indexes, are out of order")]
    Order,
    #[error("entries of kind {0} are not known, or not of this length")]
    EntryKind(u8),
    #[error("it names a configuration that is none: {0}")]
    Configuration(#[from] BadConfiguration),
}

/// The kind of an encoded message.
pub fn kind_of(message: &[u8]) -> Result<Kind, Malformed> {
    match message {
        [FORMAT, kind, ..] => Kind::parse(*kind),
        [format, _, ..] => Err(Malformed::Format(*format)),
        _ => Err(Malformed::Short),
    }
}

impl Message {
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.body {
            Body::Append { .. } => Kind::Append,
            Body::Appended { .. } => Kind::Appended,
            Body::Refused { .. } => Kind::Refused,
            Body::Vote { .. } => Kind::Vote,
            Body::Voted { .. } => Kind::Voted,
            Body::PreVote { .. } => Kind::PreVote,
            Body::PreVoted { .. } => Kind::PreVoted,
            Body::Heartbeat { .. } => Kind::Heartbeat,
            Body::Alive { .. } => Kind::Alive,
            Body::CatchUp { .. } => Kind::CatchUp,
            Body::TakeOver => Kind::TakeOver,
        }
    }

    /// The bytes of this message.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.encoded_bytes());
        out.put_u8(FORMAT);
        out.put_u8(self.kind() as u8);
        out.put_u64_le(self.view.0);
        match &self.body {
            Body::Append { before, commit, entries } => {
                put_point(&mut out, *before);
                out.put_u64_le(commit.0);
                for entry in entries {
                    put_item(&mut out, entry);
                }
            }
            Body::Appended { index, commit } => {
                out.put_u64_le(index.0);
                out.put_u64_le(commit.0);
            }
            Body::Refused { before, hint, commit } => {
                out.put_u64_le(before.0);
                put_point(&mut out, *hint);
                out.put_u64_le(commit.0);
            }
            Body::Vote { last, handover } => {
                put_point(&mut out, *last);
                out.put_u8(u8::from(*handover));
            }
            Body::Voted { granted } | Body::PreVoted { granted } => out.put_u8(u8::from(*granted)),
            Body::PreVote { last } => put_point(&mut out, *last),
            Body::Heartbeat { commit } | Body::Alive { commit } => out.put_u64_le(commit.0),
            Body::CatchUp { to, known, membership } => {
                put_point(&mut out, *to);
                out.put_u64_le(known.0);
                out.put_u64_le(membership.since.0);
                put_configuration(&mut out, &membership.configuration);
            }
            Body::TakeOver => {}
        }
        out.freeze()
    }

    fn encoded_bytes(&self) -> usize {
        let fixed = HEADER_BYTES + 32;
        match &self.body {
            Body::Append { entries, .. } => fixed + entries.iter().map(Item::encoded_bytes).sum::<usize>(),
            Body::CatchUp { membership, .. } => fixed + membership.configuration.encoded_bytes(),
            _ => fixed,
        }
    }

    /// Reads a whole message, or says why it is none. Batches are slices of `bytes`, not copies.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        if bytes.len() > PEER_FRAME_BYTES_MAX {
            return Err(Malformed::TooLong { bytes: bytes.len() });
        }
        let mut rest = Reader(bytes);
        let kind = match (rest.byte()?, rest.byte()?) {
            (FORMAT, kind) => Kind::parse(kind)?,
            (format, _) => return Err(Malformed::Format(format)),
        };
        let view = rest.view()?;
        let body = match kind {
            Kind::Append => rest.append(view)?,
            Kind::Appended => Body::Appended { index: rest.index()?, commit: rest.index()? },
            Kind::Refused => Body::Refused { before: rest.index()?, hint: rest.point()?, commit: rest.index()? },
            Kind::Vote => Body::Vote { last: rest.point()?, handover: rest.flag()? },
            Kind::Voted => Body::Voted { granted: rest.flag()? },
            Kind::PreVote => Body::PreVote { last: rest.point()? },
            Kind::PreVoted => Body::PreVoted { granted: rest.flag()? },
            Kind::Heartbeat => Body::Heartbeat { commit: rest.index()? },
            Kind::Alive => Body::Alive { commit: rest.index()? },
            Kind::CatchUp => rest.catch_up(view)?,
            Kind::TakeOver => Body::TakeOver,
        };
        rest.end()?;
        Ok(Self { view, body })
    }
}

/// Places and sizes, never contents.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[view {}] ", self.view)?;
        match &self.body {
            Body::Append { before, commit, entries } => {
                write!(f, "append behind {before} commit {commit}")?;
                for (index, entry) in (before.index.0 + 1..).zip(entries) {
                    match &entry.content {
                        Content::Configuration(members) => write!(f, " +{index}@{}({members})", entry.view)?,
                        Content::Mark => write!(f, " +{index}@{}(0 bytes)", entry.view)?,
                        Content::Batch(data) => write!(f, " +{index}@{}({} bytes)", entry.view, data.len())?,
                    }
                }
                Ok(())
            }
            Body::Appended { index, commit } => write!(f, "appended to {index} commit {commit}"),
            Body::Refused { before, hint, .. } => write!(f, "refused behind {before}, try {hint}"),
            Body::Vote { last, handover: false } => write!(f, "vote? my log ends at {last}"),
            Body::Vote { last, handover: true } => write!(f, "vote, at the primary's wish? my log ends at {last}"),
            Body::PreVote { last } => write!(f, "would you vote? my log ends at {last}"),
            Body::Voted { granted } => f.write_str(if *granted { "voted" } else { "no vote" }),
            Body::PreVoted { granted } => f.write_str(if *granted { "would vote" } else { "would not vote" }),
            Body::Heartbeat { commit } => write!(f, "heartbeat commit {commit}"),
            Body::Alive { commit } => write!(f, "alive commit {commit}"),
            Body::CatchUp { to, known, membership } => {
                write!(f, "catch up to {to}; {} since {}, known to {known}", membership.configuration, membership.since)
            }
            Body::TakeOver => f.write_str("take over"),
        }
    }
}

fn put_point(out: &mut BytesMut, point: Point) {
    out.put_u64_le(point.index.0);
    out.put_u64_le(point.view.0);
}

fn put_item(out: &mut BytesMut, Item { view, content }: &Item) {
    out.put_u64_le(view.0);
    match content {
        Content::Mark => {
            out.put_u8(MARK);
            out.put_u32_le(0);
        }
        Content::Batch(data) => {
            out.put_u8(BATCH);
            // A batch is bounded when it is proposed and when it is decoded.
            out.put_u32_le(data.len() as u32);
            out.put_slice(data);
        }
        Content::Configuration(configuration) => {
            out.put_u8(CONFIGURATION);
            out.put_u32_le(configuration.encoded_bytes() as u32);
            put_configuration(out, configuration);
        }
    }
}

fn put_configuration(out: &mut BytesMut, configuration: &Configuration) {
    let mut bytes = Vec::with_capacity(configuration.encoded_bytes());
    configuration.encode(&mut bytes);
    out.put_slice(&bytes);
}

/// The bytes that are left. Every read says so when they do not suffice.
struct Reader(Bytes);

impl Reader {
    fn byte(&mut self) -> Result<u8, Malformed> {
        self.0.try_get_u8().map_err(|_| Malformed::Short)
    }

    fn number(&mut self) -> Result<u64, Malformed> {
        self.0.try_get_u64_le().map_err(|_| Malformed::Short)
    }

    fn flag(&mut self) -> Result<bool, Malformed> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(Malformed::Flag(other)),
        }
    }

    fn index(&mut self) -> Result<Index, Malformed> {
        match self.number()? {
            index if index <= INDEX_MAX => Ok(Index(index)),
            index => Err(Malformed::Index(index)),
        }
    }

    /// A view that can have a primary or be asked for; 0 has none.
    fn view(&mut self) -> Result<View, Malformed> {
        match self.number()? {
            view @ 1..=VIEW_MAX => Ok(View(view)),
            view => Err(Malformed::View(view)),
        }
    }

    /// A place in a log; view 0 stands before the first entry and nowhere else.
    fn point(&mut self) -> Result<Point, Malformed> {
        let (index, view) = (self.index()?, self.number()?);
        if view > VIEW_MAX || (index == Index(0)) != (view == 0) {
            return Err(Malformed::View(view));
        }
        Ok(Point { index, view: View(view) })
    }

    /// The place of an entry, of the sender's view or before.
    fn real_point(&mut self, sender: View) -> Result<Point, Malformed> {
        let point = self.point()?;
        if point.index == Index(0) {
            return Err(Malformed::Index(0));
        }
        if point.view > sender {
            return Err(Malformed::Order);
        }
        Ok(point)
    }

    fn append(&mut self, view: View) -> Result<Body, Malformed> {
        let before = self.point()?;
        let commit = self.index()?;
        let mut entries = Vec::new();
        let mut last = before.view;
        while self.0.has_remaining() {
            let entry = self.item()?;
            if entry.view < last {
                return Err(Malformed::Order);
            }
            last = entry.view;
            if entries.len() == 2 * APPEND_ENTRIES_MAX {
                return Err(Malformed::Entries);
            }
            entries.push(entry);
        }
        if last > view {
            return Err(Malformed::Order);
        }
        Ok(Body::Append { before, commit, entries })
    }

    /// An offer: what it knows is not before its place, and the configuration was brought by then.
    fn catch_up(&mut self, sender: View) -> Result<Body, Malformed> {
        let to = self.real_point(sender)?;
        let (known, since) = (self.index()?, self.index()?);
        if known < to.index || since > known {
            return Err(Malformed::Order);
        }
        let configuration = Configuration::decode(&self.0)?;
        self.0.clear();
        Ok(Body::CatchUp { to, known, membership: Membership { since, configuration } })
    }

    fn item(&mut self) -> Result<Item, Malformed> {
        let view = self.view()?;
        let kind = self.byte()?;
        let length = self.0.try_get_u32_le().map_err(|_| Malformed::Short)? as usize;
        if length > BATCH_BYTES_MAX {
            return Err(Malformed::Batch(length));
        }
        if length > self.0.len() {
            return Err(Malformed::Short);
        }
        let data = self.0.split_to(length);
        let content = match (kind, length) {
            (MARK, 0) => Content::Mark,
            (BATCH, 1..) => Content::Batch(data),
            (CONFIGURATION, _) => Content::Configuration(Configuration::decode(&data)?),
            _ => return Err(Malformed::EntryKind(kind)),
        };
        Ok(Item { view, content })
    }

    fn end(&self) -> Result<(), Malformed> {
        match self.0.len() {
            0 => Ok(()),
            bytes => Err(Malformed::Trailing { bytes }),
        }
    }
}

#[cfg(test)]
mod tests;
