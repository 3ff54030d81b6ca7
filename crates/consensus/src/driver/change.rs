//! Changing who takes part. The plan is made elsewhere (`plan`); here it is proposed, and what was committed is applied.
//!
//! The library applies a configuration when it is committed, not when it is written. That is safe as long as
//!
//! - the primary proposes the next one only after the last is applied, and after an entry of its own view is committed;
//! - nobody campaigns while a committed one is not applied (the library looks for it, by the kind of the entry);
//! - nobody campaigns by a configuration of two steps ago (`Stored::superseded`).

use std::collections::BTreeMap;

use raft::eraftpb::{ConfChangeSingle, ConfChangeType, ConfChangeV2};
use raft::{INVALID_ID, StateRole};

use super::Driver;
use crate::plan::{Next, Situation, Wish};
use crate::{Ignored, Index, Member, Membership, Wanted, convert};

/// A member that was not heard for so many election timeouts counts as gone. One would do, but a few lost messages
/// should not change who leaves first.
const SILENCE: u32 = 2;
/// A learner that is not heard is waited for so many election timeouts before somebody may leave without it.
const PATIENCE: u32 = 20;
/// Election timeouts between two attempts to hand over to somebody who did not take over.
const BETWEEN_HANDOVERS: u32 = 4;

/// What a primary keeps in mind on the way to what is wanted.
#[derive(Default)]
pub struct Way {
    wanted: Option<Wish>,
    /// Ticks since a peer was heard, in this office.
    silent: BTreeMap<Member, u32>,
    /// What was committed a tick ago: new entries always come, so "everything" is never reached.
    reached: Option<u64>,
    /// Ticks since the last step.
    waited: u32,
    /// Ticks until an office may be handed over (again).
    rest: u32,
}

impl Driver {
    /// Takes note of who is wanted.
    pub(super) fn want(&mut self, wanted: &Wanted) -> Option<Ignored> {
        match Wish::new(wanted) {
            Ok(wanted) => {
                let wanted = Some(wanted);
                if self.way.wanted != wanted {
                    (self.way.wanted, self.way.waited, self.way.rest) = (wanted, 0, 0);
                }
                None
            }
            Err(reason) => Some(Ignored::Wanted(reason)),
        }
    }

    pub(super) fn heard(&mut self, from: Member) {
        if self.node.raft.state == StateRole::Leader {
            self.way.silent.insert(from, 0);
        }
    }

    /// Makes at most one step; called once a tick.
    pub(super) fn follow_wanted(&mut self) {
        let raft = &self.node.raft;
        if raft.state != StateRole::Leader {
            self.way = Way { wanted: self.way.wanted.take(), ..Way::default() };
            return;
        }
        let way = &mut self.way;
        way.silent.retain(|member, _| raft.prs().get(member.0).is_some());
        way.silent.values_mut().for_each(|ticks| *ticks += 1);
        let limit = SILENCE * self.config.election_ticks;
        let progress = |(member, silent): (&Member, &u32)| {
            let progress = raft.prs().get(member.0).filter(|_| *silent <= limit)?;
            Some((*member, progress.matched))
        };
        let heard: Vec<_> = way.silent.iter().filter_map(progress).collect();
        (way.waited, way.rest) = (way.waited + 1, way.rest.saturating_sub(1));
        let reached = way.reached.replace(raft.raft_log.committed);
        let (Some(wanted), Some(reached)) = (&way.wanted, reached) else { return };
        if raft.has_pending_conf() || raft.raft_log.applied < self.mark.0 || raft.lead_transferee.is_some() {
            return;
        }
        let patience_ended = way.waited > PATIENCE * self.config.election_ticks;
        let configuration = &self.membership.configuration;
        let situation = Situation { me: self.config.id, configuration, wanted, heard: &heard, reached, patience_ended };
        match situation.next() {
            Next::Change(configuration) => {
                let change = convert::change_into(&configuration);
                let raft = &mut self.node.raft;
                // Refused while too much is uncommitted; the next tick tries again.
                if raft.append_entry(&mut [change]) {
                    raft.pending_conf_index = raft.raft_log.last_index();
                    raft.bcast_append();
                    self.way.waited = 0;
                }
            }
            Next::HandOver(heir) if way.rest == 0 => {
                way.rest = BETWEEN_HANDOVERS * self.config.election_ticks;
                self.node.transfer_leader(heir.0);
            }
            Next::HandOver(_) | Next::Wait => {}
        }
    }

    /// A configuration is committed: it is in force from here on. What this node has may be later already, from the disk
    /// or from an offer.
    pub(super) fn put_in_force(&mut self, membership: Membership) {
        if membership.since <= self.membership.since {
            return;
        }
        for step in steps(&self.membership, &membership) {
            let applied = self.node.apply_conf_change(&step);
            applied.expect("it is one member, and others come before anyone leaves, so voters are never lacking");
        }
        self.membership = membership;
        self.way.waited = 0;
        let raft = &mut self.node.raft;
        if raft.state != StateRole::Follower && !raft.promotable() {
            // The library would go on leading, without a place of its own in what it counts.
            raft.become_follower(raft.term, INVALID_ID);
        }
        self.settle();
    }
}

/// From one configuration to another, one member at a time: a node that joins, or is behind, may have many to take.
fn steps(from: &Membership, to: &Membership) -> impl Iterator<Item = ConfChangeV2> {
    let (from, to) = (&from.configuration, &to.configuration);
    let voters = to.voters().difference(from.voters()).map(|member| (ConfChangeType::AddNode, *member));
    let learners = to.learners().difference(from.learners()).map(|member| (ConfChangeType::AddLearnerNode, *member));
    let before = from.voters().union(from.learners());
    let gone = before.filter(|member| !to.voters().contains(member) && !to.learners().contains(member));
    let gone = gone.map(|member| (ConfChangeType::RemoveNode, *member));
    let steps: Vec<_> = voters.chain(learners).chain(gone).collect();
    steps.into_iter().map(|(kind, Member(node_id))| {
        let mut single = ConfChangeSingle { node_id, ..ConfChangeSingle::default() };
        single.set_change_type(kind);
        let mut change = ConfChangeV2::default();
        change.set_changes(vec![single].into());
        change
    })
}

/// The configuration of the beginning.
pub(super) fn of_the_beginning(members: &[Member]) -> Membership {
    let configuration = crate::Configuration::new(members.iter().copied(), []);
    // None are named by a node that joins; other mistakes were found when the settings were checked.
    Membership { since: Index(0), configuration: configuration.unwrap_or_default() }
}
