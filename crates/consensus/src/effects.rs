//! What a step asks of the runtime.

use base::View;
use bytes::Bytes;
use thiserror::Error;

use crate::{Configuration, Entry, HardState, Index, Malformed, Member, Membership, Point};

/// The duties of one step, in this order.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Effects {
    /// To disk in one synced write, behind all earlier ones; then step [`crate::Input::Persisted`] with its number.
    /// The driver may be stepped meanwhile. A write that fails ends the node: nothing after it may be acknowledged.
    pub write: Option<Write>,
    /// Messages to send now. What may leave only once a write is durable is held back by the driver and comes out of
    /// the step that reports the write persisted, so nothing here waits for `write`.
    pub send: Vec<(Member, Bytes)>,
    /// Newly committed entries, consecutive, each handed out once in a driver's life. Apply them in order, then step
    /// [`crate::Input::Applied`].
    pub committed: Vec<Entry>,
    /// Set when it changed, and by the first step.
    pub role: Option<Role>,
    /// Who takes part. Set when it changed, and by the first step; empty while a node that joins has not heard.
    pub configuration: Option<Configuration>,
    /// The log that this node lacks is gone from the primary's memory: fetch it out of band, then step
    /// [`crate::Input::Installed`] or [`crate::Input::CatchUpFailed`]. Asked once until one of them is stepped.
    pub catch_up: Option<CatchUp>,
    /// The answer to [`crate::Input::Propose`], and to it alone.
    pub proposed: Option<Result<Accepted, Refusal>>,
    /// Why a received message, or a wish, was dropped: for a log line and a counter.
    pub ignored: Option<Ignored>,
}

/// The number of a write in this driver's life, ascending.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct WriteNumber(pub u64);

/// One write to the consensus log. Its parts become durable together, or in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Write {
    pub number: WriteNumber,
    /// The configuration in force; replaces the one before. It is committed, so it may stand on disk before the entries
    /// that it belongs to, but must not be lost when those are dropped.
    pub membership: Option<Membership>,
    /// Forget every entry: the log restarts behind this point, which was installed.
    pub restart: Option<Point>,
    pub append: Option<Append>,
    /// Replaces the one before.
    pub hard_state: Option<HardState>,
}

/// Entries for the end of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Append {
    /// Entries from here on were never committed and give way to `entries`. `None`: nothing gives way.
    pub truncate_from: Option<Index>,
    /// Consecutive; never empty.
    pub entries: Vec<Entry>,
}

/// What this node is in the present view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It orders batches. Everything before the view is decided once `mark`, the view's first entry, is committed;
    /// only then may it execute on top.
    Primary { view: View, mark: Index },
    /// It follows. `primary` is unknown until it shows itself.
    Backup { view: View, primary: Option<Member> },
    /// It asks for votes, or asks whether asking has a chance.
    Candidate { view: View },
}

/// A request to fetch what the log no longer gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CatchUp {
    /// The primary, which certainly has it.
    pub from: Member,
    /// The least that is needed.
    pub to: Point,
}

/// A proposal got this place. It is final only when it comes back in [`Effects::committed`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Accepted {
    pub index: Index,
    pub view: View,
}

/// A proposal got no place; no index was used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Refusal {
    #[error("this node is not the primary")]
    NotPrimary,
    #[error("the primary is handing its office over")]
    Transferring,
    #[error("too much is proposed and not yet committed")]
    Full,
    #[error("an empty batch cannot be proposed")]
    Empty,
    #[error("a batch of {bytes} bytes is over the bound of {max}")]
    TooLarge { bytes: usize, max: usize },
}

/// A message that was dropped, and who is to blame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Ignored {
    /// The runtime, or those who decide: these members cannot be reached from where the network is.
    #[error("the wanted members are not followed: {0}")]
    Wanted(&'static str),
    /// The sender speaks another format, or lies.
    #[error("malformed peer message: {0}")]
    Malformed(#[from] Malformed),
    /// The runtime: this node does not talk to itself, and nobody has the number 0.
    #[error("{0} is no peer")]
    NotAPeer(Member),
    /// Nobody: the network delivers late and twice.
    #[error("the message is out of date")]
    Stale,
    /// The sender, or this node's disk: the claim is about entries that this node does not have.
    #[error("the message speaks of {claimed}, but the log ends at {last}")]
    BeyondLog { claimed: Index, last: Index },
    /// The sender: only the primary may say this.
    #[error("only the primary may send this")]
    NotPrimary,
    /// Nobody: the answer came before the question was durable.
    #[error("a vote for a candidacy that is not durable yet")]
    VoteTooEarly,
}

/// A look at the driver, for metrics and tests. Never a base for decisions: act on [`Effects`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    pub role: Role,
    pub configuration: Configuration,
    /// The place before the first entry in memory.
    pub start: Point,
    pub last: Point,
    pub committed: Index,
    pub applied: Index,
    /// Bytes of batches held in memory.
    pub log_bytes: usize,
    /// On the primary: what it knows of the backups, by number.
    pub peers: Vec<PeerStatus>,
}

/// What the primary knows of a backup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerStatus {
    pub member: Member,
    /// It acknowledged everything up to here.
    pub matched: Index,
    /// It was heard since the last election timeout.
    pub active: bool,
    /// It needs what is no longer in the log.
    pub catching_up: bool,
}
