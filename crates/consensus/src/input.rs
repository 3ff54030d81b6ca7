//! All that can wake the driver.

use bytes::Bytes;

use crate::{Index, Member, Point, Wanted, WriteNumber};

/// One cause, delivered by the runtime. A new cause is a new variant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A fixed span of time has passed.
    Tick,
    /// Bytes from an authenticated peer. What does not decode, or cannot be true, is dropped and named in
    /// [`crate::Effects::ignored`].
    Receive { from: Member, message: Bytes },
    /// A closed batch, on the primary. The answer is in [`crate::Effects::proposed`] of the same step.
    Propose(Bytes),
    /// This write, and with it every earlier one, is synced. Stepping it early loses acknowledged data in a crash.
    Persisted(WriteNumber),
    /// The store above holds everything up to here.
    Applied(Index),
    /// Entries up to here may leave memory, because the ledger has them. Never drops what was not applied.
    Compact(Index),
    /// Hand the primary's office over before a planned stop: to this member, or to the backup that is furthest.
    /// Proposals are refused until it is done or an election timeout has passed. Ignored on a backup.
    Transfer(Option<Member>),
    /// The catch-up is done: this node got everything up to here out of band, verified and synced, and its log may
    /// restart there. At least the point asked for; a later one is welcome. The restart may wait for the primary's next
    /// offer, which says who takes part by then.
    Installed(Point),
    /// The catch-up failed (the peer went away, its data did not verify): ask again at the next occasion.
    CatchUpFailed,
    /// Who should vote, and who should follow without a vote, for the primary to lead the network there step by step. Volatile: step it at
    /// start and whenever it changes, on every node.
    Want(Wanted),
    /// The connection to this peer broke: what was sent may be lost.
    Unreachable(Member),
    /// Ask for votes now rather than after a timeout: a fresh network's first node, or a single one. Does nothing
    /// while a primary is known to be alive.
    Campaign,
}
