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

mod catch_up;
mod change;

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
    Accepted, Append, CatchUp, Config, Configuration, Effects, HardState, Ignored, Index, Input, Member, Membership,
    PeerStatus, Point, Refusal, Role, StartError, Status, Stored, Write, WriteNumber, convert,
};
use catch_up::Missing;
use change::Way;

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
    /// Configurations up to here are in force, or are past.
    followed: Index,
    membership: Membership,
    /// As last written.
    written: Option<Membership>,
    /// As last told to the runtime.
    told: Option<Configuration>,
    way: Way,
    /// The runtime applied up to here; the library hears of it once it is durable.
    applied: Index,
    /// The library's number of its last batch of work.
    ready: u64,
    /// The log restarts here; the runtime has not been told yet.
    restart: Option<Point>,
    missing: Missing,
    /// On the primary: ticks since a backup was told to catch up.
    offers: BTreeMap<u64, u32>,
}

impl Driver {
    /// Starts from what was read from disk. The first step hands out what is committed and not applied.
    pub fn new(config: Config, stored: Stored) -> Result<Self, StartError> {
        config.check()?;
        let written = stored.membership.clone();
        let mut stored = stored.settle()?;
        let membership = stored.membership.take().unwrap_or_else(|| change::of_the_beginning(&config.members));
        let timeouts = Timeouts::new(&config, stored.hard_state.view);
        let node = start(&config, &stored, &membership.configuration)?;
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
            followed: stored.applied,
            membership,
            written,
            told: None,
            way: Way::default(),
            applied: stored.applied,
            ready: 0,
            restart: None,
            missing: Missing::default(),
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
            Input::CatchUpFailed => self.catch_up_failed(),
            Input::Want(wanted) => effects.ignored = self.want(&wanted),
            Input::Unreachable(member) => self.node.report_unreachable(member.0),
            Input::Campaign => self.campaign(),
        }
        self.take_up_installed();
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
            configuration: self.membership.configuration.clone(),
            start: log.start(),
            last: log.last(),
            committed: Index(raft.raft_log.committed),
            applied: Index(raft.raft_log.applied),
            log_bytes: log.bytes(),
            peers,
        }
    }

    fn tick(&mut self) {
        if !guard::wins_unsynced(&self.node) {
            self.node.tick();
        }
        self.follow_wanted();
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
        // Any other was let in by the runtime. A node that joins does not know its primary yet, nor the other way round.
        if from == self.config.id || from == Member(0) {
            return Some(Ignored::NotAPeer(from));
        }
        let message = match Message::decode(message) {
            Ok(message) => message,
            Err(malformed) => return Some(malformed.into()),
        };
        self.heard(from);
        if let Body::CatchUp { to, known, membership } = message.body {
            return self.offered(from, message.view, to, (known, membership), catch_up);
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
                let votes = raft.prs().conf().voters().contains(**id);
                **id != raft.id && votes && progress.recent_active && progress.state != ProgressState::Snapshot
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
        // Whoever does not vote would win at once: the library asks nobody, and nobody is against it.
        let may_ask = self.node.raft.promotable() && !guard::wins_unsynced(&self.node);
        if self.node.raft.leader_id == INVALID_ID && may_ask {
            // Fails only where there is nothing to ask for.
            let _refused = self.node.campaign();
        }
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
            append = self.append(&ready.take_entries());
            self.node.advance_append_async(ready);
            self.hand_out(&committed, effects);
        }
        effects.write = self.write(append);
        if !self.outbox.is_writing() {
            self.node.on_persist_ready(self.ready);
        }
        self.post(messages, effects);
        if self.told.as_ref() != Some(&self.membership.configuration) {
            self.told = Some(self.membership.configuration.clone());
            effects.configuration.clone_from(&self.told);
        }
        let role = self.present_role();
        if self.role != Some(role) {
            self.role = Some(role);
            effects.role = Some(role);
        }
    }

    fn hand_out(&mut self, committed: &[eraftpb::Entry], effects: &mut Effects) {
        for entry in committed.iter().map(convert::entry_from) {
            self.followed = entry.index;
            if let Some(membership) = Membership::of(&entry) {
                self.put_in_force(membership);
            }
            if entry.index > self.handed {
                self.handed = entry.index;
                effects.committed.push(entry);
            }
        }
    }

    fn append(&mut self, entries: &[eraftpb::Entry]) -> Option<Append> {
        let truncate_from = self.node.mut_store().append(entries).map(Index);
        let entries: Vec<_> = entries.iter().map(convert::entry_from).collect();
        (!entries.is_empty()).then_some(Append { truncate_from, entries })
    }

    /// The write that this step needs, if any: entries, a restart, a new configuration, or a new view or vote.
    fn write(&mut self, append: Option<Append>) -> Option<Write> {
        let raft = &self.node.raft;
        let now = HardState {
            view: View(raft.term),
            vote: convert::member_from(raft.vote),
            commit: Index(raft.raft_log.committed.min(raft.raft_log.persisted)),
        };
        let restart = self.restart.take();
        let promised = (now.view, now.vote) != (self.hard_state.view, self.hard_state.vote);
        let membership = Some(&self.membership).filter(|membership| !membership.configuration.is_empty());
        let membership = membership.filter(|membership| Some(*membership) != self.written.as_ref()).cloned();
        // That of the beginning stands in the settings, too, and comes with the first write that is needed anyway.
        let changed = membership.as_ref().is_some_and(|membership| membership.since > Index(0));
        if append.is_none() && restart.is_none() && !promised && !changed {
            return None;
        }
        let hard_state = (now != self.hard_state).then_some(now);
        self.hard_state = now;
        if membership.is_some() {
            self.written.clone_from(&membership);
        }
        Some(Write { number: self.outbox.issue(self.ready), membership, restart, append, hard_state })
    }

    fn post(&mut self, mut messages: Vec<eraftpb::Message>, effects: &mut Effects) {
        // The library goes through its peers in an order of its own; what goes to one peer keeps its order.
        messages.sort_by_key(|message| message.to);
        let mut encoder = Encoder::default();
        for message in messages {
            let to = Member(message.to);
            let message = match message.get_msg_type() {
                MessageType::MsgSnapshot => Some(self.offer(&message)),
                _ => convert::message_from(&message),
            };
            if let Some(message) = message {
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
fn start(config: &Config, stored: &Stored, members: &Configuration) -> Result<RawNode<MemoryLog>, StartError> {
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
    RawNode::new(&settings, MemoryLog::new(members, stored), &logger)
        .map_err(|error| StartError::Library(error.to_string()))
}
