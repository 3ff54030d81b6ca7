//! A cluster that moves only when it is told to: every message, sync and tick is a command.

mod command;
mod disk;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use bytes::Bytes;
use consensus::{Config, Content, Driver, Effects, Entry, Index, Input, Member, Message, Role, Wanted, Write};

use disk::Disk;

#[derive(Default)]
pub struct Cluster {
    nodes: BTreeMap<u64, Node>,
    /// Messages on their way, in the order sent.
    wires: BTreeMap<(u64, u64), Vec<Bytes>>,
    /// Pairs between which nothing passes.
    cut: BTreeSet<(u64, u64)>,
    detail: Detail,
    /// Configurations are worth a line, too.
    changes: bool,
    out: String,
}

/// What is worth a line now.
#[derive(Default, Clone, Copy, PartialEq, PartialOrd)]
enum Detail {
    /// Who is primary.
    Least,
    /// All but writes and messages.
    Brief,
    #[default]
    Full,
}

struct Node {
    config: Config,
    disk: Disk,
    /// `None`: crashed.
    driver: Option<Driver>,
    /// What the runtime tells it at every start.
    wanted: Option<Wanted>,
}

impl Cluster {
    /// Runs one command and returns the lines it gave.
    pub fn run(&mut self, line: &str) -> Result<String, String> {
        command::run(self, line)?;
        Ok(std::mem::take(&mut self.out))
    }

    fn node(&mut self, id: u64) -> Result<&mut Node, String> {
        self.nodes.get_mut(&id).ok_or_else(|| format!("there is no node {id}"))
    }

    fn live(&self) -> Vec<u64> {
        self.nodes.iter().filter(|(_, node)| node.driver.is_some()).map(|(id, _)| *id).collect()
    }

    /// Steps a node and does what it wants done, short of syncing and delivering.
    fn step(&mut self, id: u64, input: Input) -> Result<(), String> {
        let node = self.node(id)?;
        let driver = node.driver.as_mut().ok_or_else(|| format!("node {id} is down"))?;
        let effects = driver.step(input);
        let Effects { write, send, committed, role, configuration, catch_up, proposed, ignored } = effects;
        if let Some(answer) = proposed {
            match answer {
                Ok(accepted) => {
                    self.say(Detail::Brief, id, &format!("accepted as {}@{}", accepted.index, accepted.view))
                }
                Err(refusal) => self.say(Detail::Brief, id, &format!("refused: {refusal}")),
            }
        }
        if let Some(ignored) = ignored {
            self.say(Detail::Brief, id, &format!("ignored: {ignored}"));
        }
        if let Some(write) = write {
            self.say(Detail::Full, id, &describe_write(&write));
            self.node(id)?.disk.queue(write);
        }
        for (to, bytes) in send {
            let message = Message::decode(bytes.clone()).expect("the driver speaks its own format");
            self.say(Detail::Full, id, &format!("-> n{to} {message}"));
            if !self.cut.contains(&(id, to.0)) {
                self.wires.entry((id, to.0)).or_default().push(bytes);
            }
        }
        if let (Some(first), Some(last)) = (committed.first(), committed.last()) {
            let texts: Vec<_> = committed.iter().map(describe_entry).collect();
            self.say(Detail::Brief, id, &format!("commits {}", texts.join(" ")));
            let (first, last) = (first.index, last.index);
            self.node(id)?.disk.apply(first, last);
        }
        if let Some(role) = role {
            let least = if matches!(role, Role::Primary { .. }) { Detail::Least } else { Detail::Brief };
            self.say(least, id, &describe_role(role));
        }
        if let Some(configuration) = configuration.filter(|_| self.changes) {
            self.say(Detail::Least, id, &format!("knows of {configuration}"));
        }
        if let Some(wanted) = catch_up {
            self.say(Detail::Brief, id, &format!("must catch up to {} from n{}", wanted.to, wanted.from));
        }
        match committed.last() {
            Some(last) => self.step(id, Input::Applied(last.index)),
            None => Ok(()),
        }
    }

    /// Syncs what a node has queued.
    fn persist(&mut self, id: u64) -> Result<bool, String> {
        match self.node(id)?.disk.sync() {
            Some(number) => self.step(id, Input::Persisted(number)).map(|()| true),
            None => Ok(false),
        }
    }

    /// Delivers the first messages of a wire.
    fn deliver(&mut self, from: u64, to: u64, most: usize) -> Result<bool, String> {
        let wire = self.wires.entry((from, to)).or_default();
        let messages: Vec<_> = wire.drain(..most.min(wire.len())).collect();
        let any = !messages.is_empty();
        for message in messages {
            if self.node(to)?.driver.is_some() {
                self.step(to, Input::Receive { from: Member(from), message })?;
            }
        }
        Ok(any)
    }

    /// Syncs and delivers until nothing is on its way.
    fn settle(&mut self) -> Result<(), String> {
        loop {
            let mut any = false;
            for id in self.live() {
                any |= self.persist(id)?;
            }
            let wires: Vec<_> = self.wires.keys().copied().collect();
            for (from, to) in wires {
                any |= self.deliver(from, to, usize::MAX)?;
            }
            if !any {
                return Ok(());
            }
        }
    }

    fn say(&mut self, least: Detail, id: u64, what: &str) {
        if self.detail >= least {
            writeln!(self.out, "n{id} {what}").unwrap();
        }
    }
}

fn describe_write(write: &Write) -> String {
    let mut text = format!("writes #{}", write.number.0);
    if let Some(membership) = write.membership.as_ref().filter(|membership| membership.since > Index(0)) {
        write!(text, " {} since {}", membership.configuration, membership.since).unwrap();
    }
    if let Some(point) = write.restart {
        write!(text, " restart behind {point}").unwrap();
    }
    if let Some(append) = &write.append {
        if let Some(from) = append.truncate_from {
            write!(text, " cut from {from}").unwrap();
        }
        for entry in &append.entries {
            write!(text, " +{}", describe_entry(entry)).unwrap();
        }
    }
    if let Some(hard) = write.hard_state {
        let vote = hard.vote.map_or("none".to_owned(), |member| format!("n{member}"));
        write!(text, " view={} vote={vote} commit={}", hard.view, hard.commit).unwrap();
    }
    text
}

fn describe_entry(entry: &Entry) -> String {
    match &entry.content {
        Content::Mark => format!("{}:mark", entry.point()),
        Content::Batch(data) => format!("{}:{}", entry.point(), String::from_utf8_lossy(data)),
        Content::Configuration(configuration) => format!("{}:({configuration})", entry.point()),
    }
}

fn describe_role(role: Role) -> String {
    match role {
        Role::Primary { view, mark } => format!("is primary of view {view}, mark {mark}"),
        Role::Backup { view, primary: Some(primary) } => format!("is backup of n{primary} in view {view}"),
        Role::Backup { view, primary: None } => format!("is backup in view {view}, primary unknown"),
        Role::Candidate { view } => format!("is candidate in view {view}"),
    }
}
