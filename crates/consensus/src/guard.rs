//! Which well-formed messages may reach the library in its present state.
//!
//! The library trusts its peers: a commit index beyond the log, a vote out of season or a refusal that is out of date
//! would make it panic or go wrong. A panic here ends the node, so no peer may be able to cause one. What cannot be
//! true is dropped; what is merely out of date is dropped or trimmed to what is still true.

use raft::{RawNode, StateRole};

use crate::log::MemoryLog;
use crate::message::{Body, Message};
use crate::{Ignored, Index, Member, Point};

/// What may be stepped, and what was wrong with what was left out of it.
pub struct Checked {
    pub message: Message,
    pub trimmed: Option<Ignored>,
}

/// Checks one message of a peer. `writing`: a write is on its way to disk.
pub fn check(node: &RawNode<MemoryLog>, from: Member, message: Message, writing: bool) -> Result<Checked, Ignored> {
    let raft = &node.raft;
    let last = Index(raft.raft_log.last_index());
    let (here, leads) = (message.view.0 == raft.term, raft.state == StateRole::Leader);
    let pass = |body| Ok(Checked { message: Message { view: message.view, body }, trimmed: None });
    match message.body {
        Body::Appended { index, .. } if here && leads && index > last => {
            Err(Ignored::BeyondLog { claimed: index, last })
        }
        Body::Refused { before, hint, commit } if here && leads => {
            if before > last {
                return Err(Ignored::BeyondLog { claimed: before, last });
            }
            let matched = node.raft.prs().get(from.0).map_or(Index(0), |progress| Index(progress.matched));
            pass(Body::Refused { before, hint: fresh_hint(before, hint, matched)?, commit })
        }
        Body::Voted { .. } if here && raft.state == StateRole::Candidate && writing => Err(Ignored::VoteTooEarly),
        Body::TakeOver if wins_unsynced(node) => Err(Ignored::VoteTooEarly),
        Body::TakeOver if !here || raft.leader_id != from.0 => Err(Ignored::NotPrimary),
        Body::Heartbeat { commit } if message.view.0 >= raft.term && commit > last => Ok(Checked {
            // The primary is alive, but it remembers an acknowledgement that this node does not.
            message: Message { view: message.view, body: Body::Heartbeat { commit: Index(0) } },
            trimmed: Some(Ignored::BeyondLog { claimed: commit, last }),
        }),
        body => pass(body),
    }
}

/// A node that votes alone wins as soon as it asks, and the library wants all of its log to be synced when it wins.
pub fn wins_unsynced(node: &RawNode<MemoryLog>) -> bool {
    let raft = &node.raft;
    let alone = raft.promotable() && raft.prs().conf().voters().ids().len() == 1;
    alone && raft.state != StateRole::Leader && raft.raft_log.persisted < raft.raft_log.last_index()
}

/// A peer never forgets what it acknowledged, so a refusal can only lower the guess down to that (the library lets it
/// go below: its issue 555). A hint without a view makes the library take the index as it is.
fn fresh_hint(before: Index, hint: Point, matched: Index) -> Result<Point, Ignored> {
    if before <= matched {
        return Err(Ignored::Stale);
    }
    if hint.index < matched {
        return Ok(Point::new(matched.0, 0));
    }
    Ok(hint)
}
