//! The driver: one function from input to effects.
//!
//! Each step makes at most one call into the library that can change its view or role, then collects what it wants
//! done. Three things the library does otherwise:
//!
//! - **Catching up.** It would throw its log away when a primary offers a snapshot. Here the log stays as it is, and
//!   the node votes and answers heartbeats with it, until the runtime says what was installed; only then does the log
//!   restart at that point.
//! - **Hard state.** A commit index that moves is no reason to write; it rides along with the next write.
//! - **Offers.** The library waits for ever for an answer to a snapshot. Here an offer is repeated every election
//!   timeout.

use std::collections::BTreeMap;

use base::View;
use base::limits::BATCH_BYTES_MAX;
use bytes::Bytes;
use raft::eraftpb::{self, MessageType};
use raft::{INVALID_ID, ProgressState, RawNode, ReadOnlyOption, SnapshotStatus, StateRole};
use slog::{Discard, Logger, o};

use crate::guard::{self, Checked};
use crate::log::MemoryLog;
use crate::message::{Body, Message};
use crate::outbox::{self, Encoder, Outbox};
use crate::timeout::Timeouts;
use crate::{
    Accepted, Append, CatchUp, Config, Effects, HardState, Ignored, Index, Input, Member, PeerStatus, Point, Refusal,
    Role, StartError, Status, Stored, Write, WriteNumber, convert,
};

/// One node's part in the agreement. See the crate's page for the loop around it.
pub struct Driver {
    config: Config,
    node: RawNode<MemoryLog>,
    timeouts: Timeouts,
    outbox: Outbox,
    /// View and role as of the last step.
    seen: (u64, StateRole),
    /// The first entry of the view, on its primary.
    mark: Index,
    /// As last told to the runtime.
    role: Option<Role>,
    /// As last told to the runtime.
    hard_state: HardState,
    /// Committed entries up to here were handed out, or installed.
    handed: Index,
    /// The runtime applied up to here; the library hears of it once it is durable.
    applied: Index,
    /// The library's number of its last batch of work.
    ready: u64,
    /// The log restarts here; the runtime has not been told yet.
    restart: Option<Point>,
    /// A catch-up was asked for and has not ended.
    catching_up: bool,
    /// On the primary: ticks since a backup was told to catch up.
    offers: BTreeMap<u64, u32>,
}

impl Driver {
    /// Starts from what was read from disk. The first step hands out what is committed and not applied.
    pub fn new(config: Config, stored: Stored) -> Result<Self, StartError> {
        config.check()?;
        let stored = stored.settle()?;
        let timeouts = Timeouts::new(&config, stored.hard_state.view);
        let node = start(&config, &stored)?;
        let mut driver = Self {
            seen: (node.raft.term, node.raft.state),
            config,
            node,
            timeouts,
            outbox: Outbox::default(),
            mark: Index(0),
            role: None,
            hard_state: stored.hard_state,
            handed: stored.applied,
            applied: stored.applied,
            ready: 0,
            restart: None,
            catching_up: false,
            offers: BTreeMap::new(),
        };
        driver.set_timeout();
        Ok(driver)
    }

    /// Takes one input and says what is to be done.
    pub fn step(&mut self, input: Input) -> Effects {
        let mut effects = Effects::default();
        match input {
            Input::Tick => self.tick(),
            Input::Receive { from, message } => effects.ignored = self.receive(from, message, &mut effects.catch_up),
            Input::Propose(data) => effects.proposed = Some(self.propose(data)),
            Input::Persisted(number) => self.persisted(number),
            Input::Applied(index) => self.applied = self.applied.max(index.min(self.handed)),
            Input::Compact(index) => {
                let index = index.0.min(self.node.raft.raft_log.applied);
                self.node.mut_store().compact(index);
            }
            Input::Transfer(target) => self.transfer(target),
            Input::Installed(point) => self.installed(point),
            Input::CatchUpFailed => self.catching_up = false,
            Input::Unreachable(member) => self.node.report_unreachable(member.0),
            Input::Campaign => self.campaign(),
        }
        self.settle();
        self.collect(&mut effects);
        effects
    }

    /// A look at the present state.
    #[must_use]
    pub fn status(&self) -> Status {
        let (raft, log) = (&self.node.raft, self.node.store());
        let mut peers = Vec::new();
        if raft.state == StateRole::Leader {
            let others = raft.prs().iter().filter(|(id, _)| **id != raft.id);
            peers.extend(others.map(|(id, progress)| PeerStatus {
                member: Member(*id),
                matched: Index(progress.matched),
                active: progress.recent_active,
                catching_up: progress.state == ProgressState::Snapshot,
            }));
            peers.sort_unstable_by_key(|peer| peer.member);
        }
        Status {
            role: self.present_role(),
            start: log.start(),
            last: log.last(),
            committed: Index(raft.raft_log.committed),
            applied: Index(raft.raft_log.applied),
            log_bytes: log.bytes(),
            peers,
        }
    }

    fn tick(&mut self) {
        self.node.tick();
        let raft = &self.node.raft;
        if raft.state != StateRole::Leader {
            return self.offers.clear();
        }
        let behind =
            |(id, progress): (&u64, &raft::Progress)| (progress.state == ProgressState::Snapshot).then_some(*id);
        let waiting: Vec<u64> = raft.prs().iter().filter_map(behind).collect();
        self.offers.retain(|id, _| waiting.contains(id));
        for id in waiting {
            let ticks = self.offers.entry(id).or_default();
            *ticks += 1;
            if *ticks >= self.config.election_ticks {
                *ticks = 0;
                // Back to probing; the next heartbeat's answer leads to a new offer, or to entries if they suffice.
                self.node.report_snapshot(id, SnapshotStatus::Failure);
            }
        }
    }

    fn receive(&mut self, from: Member, message: Bytes, catch_up: &mut Option<CatchUp>) -> Option<Ignored> {
        if from == self.config.id || !self.config.members.contains(&from) {
            return Some(Ignored::NotAPeer(from));
        }
        let message = match Message::decode(message) {
            Ok(message) => message,
            Err(malformed) => return Some(malformed.into()),
        };
        if let Body::CatchUp { to } = message.body {
            return self.offered(from, message.view, to, catch_up);
        }
        match guard::check(&self.node, from, message, self.outbox.is_writing()) {
            Ok(Checked { message, trimmed }) => {
                self.hand_over(from, message);
                trimmed
            }
            Err(ignored) => Some(ignored),
        }
    }

    /// Steps a checked message. The library's errors say that it ignored it, which is its right.
    fn hand_over(&mut self, from: Member, message: Message) {
        if let Some(message) = convert::message_into(from, self.config.id, message) {
            let _ignored = self.node.step(message);
        }
    }

    /// A primary says that this node needs more than its log has.
    fn offered(&mut self, from: Member, view: View, to: Point, catch_up: &mut Option<CatchUp>) -> Option<Ignored> {
        let raft = &self.node.raft;
        if view.0 < raft.term {
            return Some(Ignored::Stale);
        }
        if view.0 == raft.term && raft.leader_id != INVALID_ID && raft.leader_id != from.0 {
            return Some(Ignored::NotPrimary);
        }
        // The library answers these as it answers any append: with how far the log here reaches.
        let known = if to.index.0 <= raft.raft_log.committed {
            Some(Body::Append { before: Point::default(), commit: Index(0), entries: Vec::new() })
        } else if raft.raft_log.match_term(to.index.0, to.view.0) {
            Some(Body::Append { before: to, commit: to.index, entries: Vec::new() })
        } else {
            None
        };
        let needed = known.is_none();
        let body = known.unwrap_or(Body::Heartbeat { commit: Index(0) });
        self.hand_over(from, Message { view, body });
        if needed && !self.catching_up && self.node.raft.leader_id == from.0 {
            self.catching_up = true;
            *catch_up = Some(CatchUp { from, to });
        }
        None
    }

    fn propose(&mut self, data: Bytes) -> Result<Accepted, Refusal> {
        let raft = &self.node.raft;
        if raft.state != StateRole::Leader {
            return Err(Refusal::NotPrimary);
        }
        if raft.lead_transferee.is_some() {
            return Err(Refusal::Transferring);
        }
        if data.is_empty() {
            return Err(Refusal::Empty);
        }
        if data.len() > BATCH_BYTES_MAX {
            return Err(Refusal::TooLarge { bytes: data.len(), max: BATCH_BYTES_MAX });
        }
        let mut proposal = eraftpb::Message { from: raft.id, ..eraftpb::Message::default() };
        proposal.set_msg_type(MessageType::MsgPropose);
        proposal.set_entries(vec![eraftpb::Entry { data, ..eraftpb::Entry::default() }].into());
        self.node.raft.step(proposal).map_err(|_| Refusal::Full)?;
        let raft = &self.node.raft;
        Ok(Accepted { index: Index(raft.raft_log.last_index()), view: View(raft.term) })
    }

    fn persisted(&mut self, number: WriteNumber) {
        if let Some(ready) = self.outbox.persisted(number) {
            // Later work of the library that wrote nothing is durable with it.
            let ready = if self.outbox.is_writing() { ready } else { self.ready };
            self.node.on_persist_ready(ready);
        }
    }

    fn transfer(&mut self, target: Option<Member>) {
        let raft = &self.node.raft;
        if raft.state != StateRole::Leader {
            return;
        }
        let furthest = || {
            let fit = |(id, progress): &(&u64, &raft::Progress)| {
                **id != raft.id && progress.recent_active && progress.state != ProgressState::Snapshot
            };
            let others = raft.prs().iter().filter(fit);
            others.max_by_key(|(id, progress)| (progress.matched, u64::MAX - **id)).map(|(id, _)| *id)
        };
        let target = target.map(|member| member.0).or_else(furthest);
        if let Some(target) = target.filter(|id| *id != raft.id) {
            self.node.transfer_leader(target);
        }
    }

    fn campaign(&mut self) {
        if self.node.raft.leader_id == INVALID_ID {
            // Fails only where there is nothing to ask for.
            let _refused = self.node.campaign();
        }
    }

    /// The store above now stands at `point`, which it got out of band. The log may have caught up meanwhile, and the
    /// node may even have become primary.
    fn installed(&mut self, point: Point) {
        self.catching_up = false;
        let raft = &mut self.node.raft;
        if point.index <= self.handed {
            return;
        }
        self.handed = point.index;
        self.applied = point.index;
        if point.index.0 <= raft.raft_log.committed {
            return;
        }
        if raft.raft_log.match_term(point.index.0, point.view.0) {
            raft.raft_log.commit_to(point.index.0);
            return;
        }
        self.restart_at(point);
        self.report_installed(point);
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
    fn restart_at(&mut self, point: Point) {
        let (view, vote, primary) = (self.node.raft.term, self.node.raft.vote, self.node.raft.leader_id);
        let hard_state = HardState { view: View(view), vote: convert::member_from(vote), commit: point.index };
        let stored = Stored { hard_state, start: point, entries: Vec::new(), applied: point.index };
        let stored = stored.settle().expect("a log without entries is in order");
        self.node = start(&self.config, &stored).expect("the same settings were accepted before");
        if self.node.raft.term == view && primary != self.config.id.0 {
            self.node.raft.become_follower(view, primary);
        }
        self.outbox.forget_library_numbers();
        self.ready = 0;
        self.restart = Some(point);
    }

    /// What must hold after every call into the library.
    fn settle(&mut self) {
        let raft = &self.node.raft;
        let now = (raft.term, raft.state);
        if now != self.seen {
            self.seen = now;
            self.timeouts.draw();
            if raft.state == StateRole::Leader {
                self.mark = Index(raft.raft_log.last_index());
            }
        }
        self.set_timeout();
        let raft = &mut self.node.raft;
        for (_, progress) in raft.mut_prs().iter_mut() {
            progress.next_idx = progress.next_idx.max(progress.matched + 1);
        }
        let log = &raft.raft_log;
        let applied = self.applied.0.min(log.committed).min(log.persisted);
        if applied > log.applied {
            self.node.advance_apply_to(applied);
        }
    }

    /// Undoes the library's own draw, whether or not it made one.
    fn set_timeout(&mut self) {
        self.node.raft.set_randomized_election_timeout(self.timeouts.current());
    }

    /// Takes what the library wants done.
    fn collect(&mut self, effects: &mut Effects) {
        self.outbox.release(&mut effects.send);
        let mut append = None;
        let mut messages = Vec::new();
        if self.node.has_ready() {
            let mut ready = self.node.ready();
            self.ready = ready.number();
            messages = ready.take_messages();
            messages.extend(ready.take_persisted_messages());
            let committed = ready.take_committed_entries();
            self.hand_out(&committed, effects);
            append = self.append(&ready.take_entries());
            self.node.advance_append_async(ready);
        }
        effects.write = self.write(append);
        if !self.outbox.is_writing() {
            self.node.on_persist_ready(self.ready);
        }
        self.post(messages, effects);
        let role = self.present_role();
        if self.role != Some(role) {
            self.role = Some(role);
            effects.role = Some(role);
        }
    }

    fn hand_out(&mut self, committed: &[eraftpb::Entry], effects: &mut Effects) {
        let new = committed.iter().filter(|entry| entry.index > self.handed.0);
        effects.committed.extend(new.map(convert::entry_from));
        if let Some(last) = effects.committed.last() {
            self.handed = last.index;
        }
    }

    fn append(&mut self, entries: &[eraftpb::Entry]) -> Option<Append> {
        let truncate_from = self.node.mut_store().append(entries).map(Index);
        let entries: Vec<_> = entries.iter().map(convert::entry_from).collect();
        (!entries.is_empty()).then_some(Append { truncate_from, entries })
    }

    /// The write that this step needs, if any: entries, a restart, or a new view or vote.
    fn write(&mut self, append: Option<Append>) -> Option<Write> {
        let raft = &self.node.raft;
        let now = HardState {
            view: View(raft.term),
            vote: convert::member_from(raft.vote),
            commit: Index(raft.raft_log.committed.min(raft.raft_log.persisted)),
        };
        let restart = self.restart.take();
        let promised = (now.view, now.vote) != (self.hard_state.view, self.hard_state.vote);
        if append.is_none() && restart.is_none() && !promised {
            return None;
        }
        let hard_state = (now != self.hard_state).then_some(now);
        self.hard_state = now;
        Some(Write { number: self.outbox.issue(self.ready), restart, append, hard_state })
    }

    fn post(&mut self, mut messages: Vec<eraftpb::Message>, effects: &mut Effects) {
        // The library goes through its peers in an order of its own; what goes to one peer keeps its order.
        messages.sort_by_key(|message| message.to);
        let mut encoder = Encoder::default();
        for message in messages {
            let to = Member(message.to);
            if let Some(message) = convert::message_from(&message) {
                let bytes = encoder.encode(&message);
                self.outbox.post(to, outbox::is_promise(&message), bytes, &mut effects.send);
            }
        }
    }

    fn present_role(&self) -> Role {
        let raft = &self.node.raft;
        let view = View(raft.term);
        match raft.state {
            StateRole::Leader => Role::Primary { view, mark: self.mark },
            StateRole::Follower => Role::Backup { view, primary: convert::member_from(raft.leader_id) },
            StateRole::Candidate | StateRole::PreCandidate => Role::Candidate { view },
        }
    }
}

/// A library node on this state.
fn start(config: &Config, stored: &Stored) -> Result<RawNode<MemoryLog>, StartError> {
    let settings = raft::Config {
        id: config.id.0,
        election_tick: config.election_ticks as usize,
        heartbeat_tick: config.heartbeat_ticks as usize,
        applied: stored.applied.0,
        max_size_per_msg: config.append_bytes_max as u64,
        max_inflight_msgs: config.appends_in_flight_max,
        max_uncommitted_size: config.uncommitted_bytes_max as u64,
        // Committed entries are shared with the log, so handing out many at once takes no memory.
        max_committed_size_per_ready: raft::NO_LIMIT,
        check_quorum: true,
        pre_vote: true,
        read_only_option: ReadOnlyOption::Safe,
        // A backup learns of a commit at once, so that readers there see it without waiting for the next batch.
        skip_bcast_commit: false,
        // Messages leave with every step, so there is never one to join.
        batch_append: false,
        ..raft::Config::default()
    };
    let logger = Logger::root(Discard, o!());
    RawNode::new(&settings, MemoryLog::new(config, stored), &logger)
        .map_err(|error| StartError::Library(error.to_string()))
}
