//! A node that needs what is no longer in the primary's log.
//!
//! An offer of the primary says which configuration is in force, and up to where that is known. What the runtime then
//! installs may be later than that: a change may have come between, and a log that restarts behind it with the
//! configuration before it could be elected by those who left. So the log restarts only once an offer knows enough. The
//! primary repeats its offer every election timeout until the log here has moved.

use base::View;
use raft::INVALID_ID;
use raft::eraftpb::{self, MessageType};

use super::{Driver, start};
use crate::message::{Body, Message};
use crate::{CatchUp, HardState, Ignored, Index, Member, Membership, Point, Stored, convert};

/// Where this node stands with it.
#[derive(Default)]
pub struct Missing {
    /// The runtime was asked, and has not answered.
    asked: bool,
    /// It answered with this; the log is not there yet.
    installed: Option<Point>,
    /// The last offer's configuration, and up to where it is known to be the one in force.
    offered: Option<(Index, Membership)>,
}

impl Driver {
    /// The words of an offer, which the library only gives a place.
    pub(super) fn offer(&self, message: &eraftpb::Message) -> Message {
        let metadata = message.get_snapshot().get_metadata();
        let to = Point::new(metadata.index, metadata.term);
        let known = self.followed.max(to.index);
        Message { view: View(message.term), body: Body::CatchUp { to, known, membership: self.membership.clone() } }
    }

    /// A primary says that this node needs more than its log has.
    pub(super) fn offered(
        &mut self,
        from: Member,
        view: View,
        to: Point,
        (known, membership): (Index, Membership),
        catch_up: &mut Option<CatchUp>,
    ) -> Option<Ignored> {
        let raft = &self.node.raft;
        if view.0 < raft.term {
            return Some(Ignored::Stale);
        }
        if view.0 == raft.term && raft.leader_id != INVALID_ID && raft.leader_id != from.0 {
            return Some(Ignored::NotPrimary);
        }
        // The library answers these as it answers any append: with how far the log here reaches.
        let has = if to.index.0 <= raft.raft_log.committed {
            Some(Body::Append { before: Point::default(), commit: Index(0), entries: Vec::new() })
        } else if raft.raft_log.match_term(to.index.0, to.view.0) {
            Some(Body::Append { before: to, commit: to.index, entries: Vec::new() })
        } else {
            None
        };
        let needed = has.is_none();
        let body = has.unwrap_or(Body::Heartbeat { commit: Index(0) });
        self.hand_over(from, Message { view, body });
        if !needed || self.node.raft.leader_id != from.0 {
            return None;
        }
        self.missing.offered = Some((known, membership));
        self.take_up_installed();
        let suffices = self.missing.installed.is_some_and(|installed| installed.index >= to.index);
        let there = self.node.raft.raft_log.committed >= to.index.0;
        if !self.missing.asked && !suffices && !there {
            self.missing.asked = true;
            *catch_up = Some(CatchUp { from, to });
        }
        None
    }

    pub(super) fn catch_up_failed(&mut self) {
        self.missing.asked = false;
    }

    /// The store above now stands at `point`, which it got out of band. The log may have caught up meanwhile, and the
    /// node may even have become primary.
    pub(super) fn installed(&mut self, point: Point) {
        self.missing.asked = false;
        if point.index <= self.handed {
            return;
        }
        self.handed = point.index;
        self.applied = point.index;
        self.missing.installed = Some(point);
    }

    /// Brings the log to what was installed, if it is not there and if it is known who takes part there.
    pub(super) fn take_up_installed(&mut self) {
        let Some(point) = self.missing.installed else { return };
        let raft = &mut self.node.raft;
        if point.index.0 <= raft.raft_log.committed {
            self.missing = Missing { asked: self.missing.asked, ..Missing::default() };
        } else if raft.raft_log.match_term(point.index.0, point.view.0) {
            raft.raft_log.commit_to(point.index.0);
            self.missing = Missing { asked: self.missing.asked, ..Missing::default() };
        } else if let Some((_, membership)) = self.missing.offered.take_if(|(known, _)| *known >= point.index) {
            self.missing.installed = None;
            self.restart_at(point, membership);
            self.report_installed(point);
        }
    }

    /// Tells the primary where the log stands now, so that it need not find out.
    fn report_installed(&mut self, point: Point) {
        let raft = &mut self.node.raft;
        let (to, from, term) = (raft.leader_id, raft.id, raft.term);
        let (index, commit) = (point.index.0, point.index.0);
        let mut report = eraftpb::Message { to, from, term, index, commit, ..eraftpb::Message::default() };
        report.set_msg_type(MessageType::MsgAppendResponse);
        if to != INVALID_ID {
            raft.msgs.push(report);
        }
    }

    /// Replaces the log by one that starts behind `point`. The library starts anew on it, in the same view and with
    /// the same vote.
    fn restart_at(&mut self, point: Point, offered: Membership) {
        if offered.since > self.membership.since {
            self.membership = offered;
        }
        let (view, vote, primary) = (self.node.raft.term, self.node.raft.vote, self.node.raft.leader_id);
        let hard_state = HardState { view: View(view), vote: convert::member_from(vote), commit: point.index };
        let stored = Stored { hard_state, start: point, applied: point.index, ..Stored::default() };
        let stored = stored.settle().expect("a log without entries is in order");
        let node = start(&self.config, &stored, &self.membership.configuration);
        self.node = node.expect("the same settings were accepted before");
        if self.node.raft.term == view && primary != self.config.id.0 {
            self.node.raft.become_follower(view, primary);
        }
        self.outbox.forget_library_numbers();
        self.ready = 0;
        self.followed = point.index;
        self.restart = Some(point);
    }
}
