//! The cluster, its agenda, and the steps by which both go on.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use consensus::{
    CatchUp, Config, Configuration, Driver, Effects, Entry, HardState, Index, Input, Member, Point, Role, Wanted,
    WriteNumber,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::check::{Checker, Violation};
use crate::network::Network;
use crate::node::Node;
use crate::options::{Bug, Options};
use crate::storage::{Double, Surviving, batch};
use crate::trace::Trace;

/// Moments in a tick of a node.
pub const TICK: u64 = 10;

/// Nodes there are where who is wanted changes.
const NODES_MAX: u64 = 7;

/// What will happen.
pub enum Event {
    Deliver {
        from: Member,
        to: Member,
        message: Bytes,
    },
    Synced {
        node: Member,
        life: u64,
        up_to: WriteNumber,
    },
    Applied {
        node: Member,
        life: u64,
        index: Index,
    },
    CaughtUp {
        node: Member,
        life: u64,
        wanted: CatchUp,
    },
    Restart {
        node: Member,
    },
    /// A node hears who is wanted.
    Want {
        node: Member,
    },
    /// Links work again.
    Joined {
        links: Vec<(Member, Member)>,
    },
    /// The network is itself again, but for its cuts.
    Calm,
    FastDisk {
        node: Member,
    },
}

pub struct World {
    pub now: u64,
    pub rng: ChaCha8Rng,
    pub nodes: Vec<Node>,
    pub network: Network,
    pub check: Checker,
    pub trace: Trace,
    pub crashes: u64,
    pub catch_ups: u64,
    /// As the layers above see it.
    pub wanted: BTreeSet<Member>,
    /// Those that are to follow without a vote, where they are not to vote.
    pub followers: BTreeSet<Member>,
    bug: Option<Bug>,
    agenda: BTreeMap<(u64, u64), Event>,
    planned: u64,
    batches: u64,
}

impl World {
    pub fn new(options: &Options) -> Result<Self, Violation> {
        let members: Vec<_> = (1..=options.nodes).map(Member).collect();
        let most = if options.changes { options.nodes.max(NODES_MAX) } else { options.nodes };
        let all: Vec<_> = (1..=most).map(Member).collect();
        let node = |id: &Member| {
            // Those that are not of the beginning know nobody.
            let known = if members.contains(id) { members.clone() } else { Vec::new() };
            // Small bounds, so that short runs meet them.
            let bounds = Config {
                append_bytes_max: 200,
                uncommitted_bytes_max: 2000,
                appends_in_flight_max: 4,
                ..Config::new(*id, known, options.seed)
            };
            let disk = Double::new(options.bug == Some(Bug::KeepTail));
            Node::new(bounds, Box::new(disk))
        };
        let beginning = Configuration::new(members.iter().copied(), []).expect("a run has nodes, and few");
        let mut world = Self {
            now: 0,
            rng: ChaCha8Rng::seed_from_u64(options.seed),
            nodes: all.iter().map(node).collect(),
            network: Network::calm(),
            check: Checker::new(beginning),
            wanted: members.iter().copied().collect(),
            followers: BTreeSet::new(),
            trace: Trace::default(),
            crashes: 0,
            catch_ups: 0,
            bug: options.bug,
            agenda: BTreeMap::new(),
            planned: 0,
            batches: 0,
        };
        for member in all {
            world.restart(member)?;
        }
        Ok(world)
    }

    pub fn node(&mut self, member: Member) -> &mut Node {
        &mut self.nodes[member.0 as usize - 1]
    }

    pub fn members(&self) -> Vec<Member> {
        self.nodes.iter().map(Node::member).collect()
    }

    pub fn any_member(&mut self) -> Member {
        Member(self.rng.random_range(1..=self.nodes.len() as u64))
    }

    /// Puts an event on the agenda, so many moments from now.
    pub fn plan(&mut self, after: u64, event: Event) {
        self.planned += 1;
        self.agenda.insert((self.now + after, self.planned), event);
    }

    /// Lets one moment pass: what is due happens, nodes tick, ledgers are written, logs are compacted.
    pub fn pass(&mut self) -> Result<(), Violation> {
        self.now += 1;
        self.check.at(self.now);
        while let Some(first) = self.agenda.first_entry().filter(|first| first.key().0 <= self.now) {
            let event = first.remove();
            self.happen(event)?;
        }
        for member in self.members() {
            // Nodes do not tick in the same moment.
            if self.now % TICK == member.0 % TICK {
                self.step(member, Input::Tick)?;
            }
            self.upkeep(member)?;
        }
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        let current = |world: &mut Self, node: Member, life: u64| world.node(node).life == life;
        match event {
            Event::Deliver { from, to, message } => self.step(to, Input::Receive { from, message }),
            Event::Synced { node, life, up_to } if current(self, node, life) => self.synced(node, up_to),
            Event::Applied { node, life, index } if current(self, node, life) => {
                self.node(node).reported = index;
                self.step(node, Input::Applied(index))
            }
            Event::CaughtUp { node, life, wanted } if current(self, node, life) => self.caught_up(node, wanted),
            Event::Synced { .. } | Event::Applied { .. } | Event::CaughtUp { .. } => Ok(()),
            Event::Restart { node } => self.restart(node),
            Event::Want { node } => self.want(node),
            Event::Joined { links } => {
                for (from, to) in links {
                    self.network.cut.remove(&(from, to));
                    self.step(from, Input::Unreachable(to))?;
                }
                Ok(())
            }
            Event::Calm => {
                self.network = Network { cut: std::mem::take(&mut self.network.cut), ..Network::calm() };
                Ok(())
            }
            Event::FastDisk { node } => {
                self.node(node).sync_delay = Node::SYNC_DELAY;
                Ok(())
            }
        }
    }

    /// A client's batch for a node. The place it got, if it got one.
    pub fn propose(&mut self, member: Member) -> Result<Option<Point>, Violation> {
        self.batches += 1;
        let bytes = self.rng.random_range(0..150);
        let data = batch(self.batches, bytes);
        let Some(effects) = self.effects(member, Input::Propose(data.clone())) else {
            return Ok(None);
        };
        let place = match effects.proposed {
            Some(Ok(accepted)) => Some(Point { index: accepted.index, view: accepted.view }),
            _ => None,
        };
        if let Some(place) = place {
            self.check.accepted(member, place, data)?;
        }
        self.carry_out(member, effects)?;
        Ok(place)
    }

    /// Steps a node, if it lives and is not stopped, and carries out what it wants.
    pub fn step(&mut self, member: Member, input: Input) -> Result<(), Violation> {
        match self.effects(member, input) {
            Some(effects) => self.carry_out(member, effects),
            None => Ok(()),
        }
    }

    fn effects(&mut self, member: Member, input: Input) -> Option<Effects> {
        let now = self.now;
        let node = self.node(member);
        if node.stopped_until > now {
            self.wait_for(member, input);
            return None;
        }
        let effects = node.driver.as_mut()?.step(input.clone());
        self.trace.step(now, member, &input, &effects);
        Some(effects)
    }

    /// What reaches a stopped process waits in its buffers; time does not.
    fn wait_for(&mut self, member: Member, input: Input) {
        let (life, stop) = (self.node(member).life, self.node(member).stopped_until);
        let event = match input {
            Input::Receive { from, message } => Event::Deliver { from, to: member, message },
            Input::Persisted(up_to) => Event::Synced { node: member, life, up_to },
            Input::Applied(index) => Event::Applied { node: member, life, index },
            Input::Want(_) => Event::Want { node: member },
            _ => return,
        };
        self.plan(stop - self.now, event);
    }

    fn carry_out(&mut self, member: Member, effects: Effects) -> Result<(), Violation> {
        let Effects { write, send, committed, role, configuration, catch_up, proposed: _, ignored: _ } = effects;
        if let Some(write) = write {
            let number = write.number;
            self.node(member).disk.write(write);
            if self.bug == Some(Bug::AcknowledgeBeforeSync) {
                self.step(member, Input::Persisted(number))?;
            }
            self.start_sync(member);
        }
        for (to, message) in send {
            for after in self.network.route(member, to, &mut self.rng) {
                self.plan(after, Event::Deliver { from: member, to, message: message.clone() });
            }
        }
        if let Some(last) = committed.last() {
            let (nodes, applied) = (&self.nodes, self.nodes[member.0 as usize - 1].applied);
            let holds = |holder: Member, point: Point| {
                let node = &nodes[holder.0 as usize - 1];
                node.ledger >= point.index || node.disk.holds(point)
            };
            self.check.committed(member, applied, &committed, holds)?;
            let index = last.index;
            self.node(member).applied = index;
            let after = self.rng.random_range(0..20);
            let life = self.node(member).life;
            self.plan(after, Event::Applied { node: member, life, index });
        }
        if let Some(configuration) = configuration {
            self.check.configured(member, &configuration)?;
        }
        if let Some(Role::Primary { view, .. }) = role {
            let disk = &self.nodes[member.0 as usize - 1].disk;
            let start = disk.read().start.index;
            self.check.primary(member, view.0, start, |index| disk.view_of(index))?;
        }
        if let Some(wanted) = catch_up {
            let after = self.rng.random_range(20..1500);
            let life = self.node(member).life;
            self.plan(after, Event::CaughtUp { node: member, life, wanted });
        }
        if let Some(driver) = &self.nodes[member.0 as usize - 1].driver {
            self.check.status(member, &driver.status())?;
        }
        Ok(())
    }

    fn start_sync(&mut self, member: Member) {
        let node = self.node(member);
        let (life, most) = (node.life, node.sync_delay);
        let Some(up_to) = node.disk.queued().filter(|_| !node.syncing) else {
            return;
        };
        node.syncing = true;
        let after = self.rng.random_range(1..=most);
        self.plan(after, Event::Synced { node: member, life, up_to });
    }

    fn synced(&mut self, member: Member, up_to: WriteNumber) -> Result<(), Violation> {
        let node = self.node(member);
        node.disk.sync(up_to);
        node.syncing = false;
        self.step(member, Input::Persisted(up_to))?;
        self.start_sync(member);
        Ok(())
    }

    /// The ledger is written in the background, and now and then the log drops what the ledger has.
    fn upkeep(&mut self, member: Member) -> Result<(), Violation> {
        if self.rng.random_ratio(1, 60) {
            let node = self.node(member);
            node.ledger = node.ledger.max(node.reported);
        }
        let keep = self.rng.random_range(0..30);
        if self.rng.random_ratio(1, 400) && self.nodes[member.0 as usize - 1].runs(self.now) {
            let node = self.node(member);
            // The log may end in what was never committed, however far the ledger is.
            let applied = node.driver.as_ref().map_or(Index(0), |driver| driver.status().applied);
            let up_to = Index(node.ledger.0.saturating_sub(keep)).min(applied);
            node.disk.compact(up_to);
            self.step(member, Input::Compact(up_to))?;
        }
        Ok(())
    }

    /// The stream from the peer has ended, well or not.
    fn caught_up(&mut self, member: Member, wanted: CatchUp) -> Result<(), Violation> {
        let (life, stop) = (self.node(member).life, self.node(member).stopped_until);
        if stop > self.now {
            self.plan(stop - self.now, Event::CaughtUp { node: member, life, wanted });
            return Ok(());
        }
        let failed = self.rng.random_ratio(1, 5);
        let peer = self.node(wanted.from);
        let has = peer.driver.as_ref().map_or(Index(0), |_| peer.applied);
        let point = self.check.point(has).filter(|point| !failed && point.index >= wanted.to.index);
        let Some(point) = point else {
            return self.step(member, Input::CatchUpFailed);
        };
        self.catch_ups += 1;
        let node = self.node(member);
        if point.index > node.applied {
            // The ledger is synced first; a crash may come before the log knows.
            (node.applied, node.reported, node.ledger) = (point.index, point.index, point.index);
        }
        self.step(member, Input::Installed(point))
    }

    /// Ends a node's process.
    pub fn crash(&mut self, member: Member, surviving: Surviving) {
        let node = self.node(member);
        if node.driver.take().is_none() {
            return;
        }
        node.life += 1;
        node.disk.crash(surviving);
        (node.syncing, node.stopped_until) = (false, 0);
        self.crashes += 1;
        self.check.crashed(member);
    }

    /// Starts a node's process, unless it runs.
    pub fn restart(&mut self, member: Member) -> Result<(), Violation> {
        let bug = self.bug;
        let node = self.node(member);
        if node.driver.is_some() {
            return Ok(());
        }
        let mut stored = node.disk.read();
        match bug {
            Some(Bug::ForgetVote) => {
                stored.hard_state = HardState { view: stored.last().view, vote: None, commit: Index(0) };
            }
            Some(Bug::ForgetConfiguration) => stored.membership = None,
            Some(Bug::AcknowledgeBeforeSync | Bug::KeepTail) | None => {}
        }
        let ledger = node.ledger;
        (node.applied, node.reported) = (ledger, ledger);
        // The end of the log may be what others replaced while the ledger was taken from a peer.
        let in_ledger = |entry: &&Entry| entry.index <= ledger && self.check.point(entry.index) == Some(entry.point());
        stored.applied = stored.entries.iter().rev().find(in_ledger).map_or(stored.start.index, |entry| entry.index);
        let applied = stored.applied;
        let node = &mut self.nodes[member.0 as usize - 1];
        match Driver::new(node.config.clone(), stored) {
            Ok(driver) => node.driver = Some(driver),
            Err(error) => return self.check.refused_start(member, &error.to_string()),
        }
        // A crash cut off the end of a catch-up.
        if let Some(point) = self.check.point(ledger).filter(|_| ledger > applied) {
            self.step(member, Input::Installed(point))?;
        }
        self.want(member)
    }

    fn want(&mut self, member: Member) -> Result<(), Violation> {
        let voters = self.wanted.iter().copied().collect();
        let followers = self.followers.difference(&self.wanted).copied().collect();
        self.step(member, Input::Want(Wanted { voters, followers }))
    }

    /// Those who decide want others; each node hears of it in its own time.
    pub fn wish(&mut self, wanted: BTreeSet<Member>, followers: BTreeSet<Member>, within: u64) {
        self.wanted = wanted;
        self.followers = followers;
        for node in self.members() {
            let after = self.rng.random_range(0..within);
            self.plan(after, Event::Want { node });
        }
    }

    /// Ends all faults.
    pub fn heal(&mut self) -> Result<(), Violation> {
        self.network = Network::calm();
        for member in self.members() {
            let node = self.node(member);
            (node.stopped_until, node.sync_delay) = (0, Node::SYNC_DELAY);
            self.restart(member)?;
        }
        Ok(())
    }
}
