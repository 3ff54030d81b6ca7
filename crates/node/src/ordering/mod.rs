//! The ordering thread: it carries out what the driver asks for.
//!
//! ```text
//!   ticks · peers · proposals ─▶ driver.step ─▶ send │ log.write … log.sync │ committed ─▶ executor
//! ```
//!
//! Inputs that are there already are stepped before the disk is waited for, so one fsync serves them all. Messages
//! that need no durability leave before it.
//!
//! A batch is checked before it is acknowledged: it must continue the ledger and carry the root that is computed here.

mod catch_up;
mod heads;
mod membership;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapter::{Fault, Plumbing, Role as NodeRole};
use base::{Seqno, View};
use bytes::Bytes;
use consensus::{Content, Driver, Effects, Index, Input, Member, Refusal, Role, Wanted, Write, WriteNumber};
use crossbeam_channel::{Receiver, Sender, after, select};
use ledger::Head;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::executor::Command;
use crate::log::{Log, Mark, Places};
use crate::peers::{Frame, Peers};

use catch_up::CatchingUp;
pub use heads::{Heads, last_seqno, last_txid};
pub use membership::Membership;

/// The driver's unit of time.
pub const TICK: Duration = Duration::from_millis(50);
/// Inputs stepped before the disk is waited for.
const INPUTS_PER_SYNC: usize = 64;
/// Bytes of entries kept in memory for backups that lag a little; a slower one is served from the ledger file.
const LOG_BYTES_KEPT: usize = 32 << 20;
/// How long a planned stop waits for another primary.
const HANDOVER: Duration = Duration::from_millis(1_500);

/// A batch that this node's executor closed.
pub struct Proposal {
    pub batch: Bytes,
    /// Where the ledger stands after it.
    pub head: Head,
}

/// What wakes the thread, beside time and proposals.
pub enum Event {
    Message {
        from: u64,
        message: Bytes,
    },
    /// The connection to a peer broke.
    Lost {
        peer: u64,
    },
    /// The ledger file is durable up to here.
    LedgerDurable(Seqno),
    /// A peer asked for the ledger and has everything up to `last`, which is all that the file has.
    LedgerServed {
        peer: u64,
        last: Seqno,
    },
    /// What this node asked a peer for.
    LedgerPart {
        from: u64,
        batches: Bytes,
    },
    LedgerEnd {
        from: u64,
        end: Mark,
    },
    /// A planned stop.
    Stop,
}

/// What the thread works with.
pub struct Tools {
    pub driver: Driver,
    pub log: Log,
    pub peers: Peers,
    pub plumbing: Arc<Plumbing>,
    pub membership: Membership,
    pub service: crypto::PublicKey,
    pub executor: Sender<Command>,
    /// Ends the node.
    pub stop: CancellationToken,
    /// Told once where the ledger must be visible up to before anyone is served.
    pub level: watch::Sender<Option<Seqno>>,
}

pub struct Orderer {
    tools: Tools,
    heads: Heads,
    /// Not accepted yet.
    proposals: VecDeque<Proposal>,
    /// The write that the next sync makes durable.
    unsynced: Option<WriteNumber>,
    leading: Option<Leading>,
    role: Role,
    catching_up: Option<CatchingUp>,
    ledger_durable: Seqno,
    /// The end of what the log brought from before the start, as far as others have not replaced it. Callers may have
    /// seen it: it was committed, or will be replaced.
    undecided: Seqno,
}

/// This node's office as primary.
struct Leading {
    view: View,
    /// The view's first entry; the executor begins once it is committed.
    mark: Index,
    told: bool,
    /// Where the ledger stood when it was told: what was decided before is to be seen by then.
    begun_at: Seqno,
    /// Whom consensus was last told to have as voters.
    wanted: Option<Wanted>,
}

impl Orderer {
    pub fn new(tools: Tools, heads: Heads, ledger_durable: Seqno) -> Self {
        let undecided = heads.last().seqno;
        Self {
            tools,
            heads,
            undecided,
            proposals: VecDeque::new(),
            unsynced: None,
            leading: None,
            role: Role::Backup { view: View(0), primary: None },
            catching_up: None,
            ledger_durable,
        }
    }

    /// Runs until a planned stop is through, or until something is wrong that this node must not go on with.
    pub fn run(mut self, events: &Receiver<Event>, proposals: &Receiver<Proposal>) -> Result<(), Fault> {
        let mut next_tick = Instant::now() + TICK;
        let mut stop_at: Option<Instant> = None;
        self.tell_that_it_is_level();
        self.meet()?;
        if self.tools.membership.voters() == 1 {
            self.step(Input::Campaign)?;
        }
        loop {
            self.sync()?;
            self.propose()?;
            self.sync()?;
            if let Some(at) = stop_at
                && (self.leading.is_none() || self.has_no_heir() || Instant::now() >= at)
            {
                break;
            }
            let wait = next_tick.saturating_duration_since(Instant::now());
            select! {
                recv(events) -> event => match event {
                    Ok(Event::Stop) => stop_at = stop_at.or(self.hand_over()?),
                    Ok(event) => self.event(event)?,
                    Err(_) => break,
                },
                recv(proposals) -> proposal => self.proposals.extend(proposal),
                recv(after(wait)) -> _ => {}
            }
            for _ in 0..INPUTS_PER_SYNC {
                match events.try_recv() {
                    Ok(Event::Stop) => stop_at = stop_at.or(self.hand_over()?),
                    Ok(event) => self.event(event)?,
                    Err(_) => break,
                }
            }
            let now = Instant::now();
            if now >= next_tick {
                self.step(Input::Tick)?;
                self.tick_catch_up()?;
                self.look_at_nodes()?;
                if self.was_let_go() {
                    tracing::info!("this node is retired and was let go: it ends");
                    self.tools.stop.cancel();
                }
                // A thread that was held up does not make up for lost time: that would look like silence to it.
                next_tick = now + TICK;
            }
        }
        let _ = self.tools.executor.send(Command::Stop);
        Ok(())
    }

    /// A planned stop begins: when it must be over at the latest.
    fn hand_over(&mut self) -> Result<Option<Instant>, Fault> {
        if self.leading.is_some() && self.tools.membership.voters() > 1 {
            self.step(Input::Transfer(None))?;
            return Ok(Some(Instant::now() + HANDOVER));
        }
        Ok(Some(Instant::now()))
    }

    /// Whether nobody could take the office over: all nodes stop at once, most likely.
    fn has_no_heir(&self) -> bool {
        !can_elect(self.tools.membership.voters(), self.tools.peers.connected())
    }

    fn event(&mut self, event: Event) -> Result<(), Fault> {
        match event {
            Event::Message { from, message } => self.step(Input::Receive { from: Member(from), message }),
            Event::Lost { peer } => {
                self.lost_while_catching_up(peer)?;
                self.step(Input::Unreachable(Member(peer)))
            }
            Event::LedgerDurable(seqno) => self.ledger_durable(seqno),
            Event::LedgerServed { peer, last } => {
                self.serve_end(peer, last);
                Ok(())
            }
            Event::LedgerPart { from, batches } => self.ledger_part(from, batches),
            Event::LedgerEnd { from, end } => self.ledger_end(from, end),
            Event::Stop => Ok(()),
        }
    }

    /// Steps the driver and carries out what it asks for, but for the fsync.
    fn step(&mut self, input: Input) -> Result<(), Fault> {
        let effects = self.tools.driver.step(input);
        self.carry_out(effects, None)
    }

    /// `own` is the head after a batch that this node proposed, and its place in the log.
    fn carry_out(&mut self, effects: Effects, own: Option<(Index, Head)>) -> Result<(), Fault> {
        let Effects { write, send, committed, role, configuration, catch_up, proposed: _, ignored } = effects;
        for (to, message) in send {
            // Consensus sends again what is lost.
            let _ = self.tools.peers.send(to.0, Frame::Consensus(message));
        }
        if let Some(ignored) = ignored {
            metrics::counter!("coco_consensus_messages_ignored_total").increment(1);
            tracing::debug!(%ignored, "a consensus message was dropped");
        }
        if let Some(write) = write {
            self.write(&write, own)?;
        }
        if let Some(configuration) = configuration {
            self.reconfigured(configuration)?;
        }
        if let Some(role) = role {
            self.role(role);
        }
        if let Some(last) = committed.last().map(|entry| entry.index) {
            for entry in committed {
                if entry.content == Content::Mark {
                    self.command(Command::Opened { view: entry.view });
                }
                if let Some(head) = self.heads.commit(entry.index, entry.batch()) {
                    self.command(Command::Committed { batch: entry.batch().clone(), head });
                }
            }
            let effects = self.tools.driver.step(Input::Applied(last));
            self.carry_out(effects, None)?;
        }
        if let Some(catch_up) = catch_up {
            self.begin_catch_up(catch_up);
        }
        self.tell_executor_to_lead();
        self.tell_that_it_is_level();
        Ok(())
    }

    fn write(&mut self, write: &Write, own: Option<(Index, Head)>) -> Result<(), Fault> {
        let restart = write.restart.map(|point| Mark { point, seqno: self.heads.restart(point) });
        if let Some(start) = restart {
            self.undecided = self.undecided.min(start.seqno);
        }
        let mut places = Places { restart, ..Places::default() };
        if let Some(append) = &write.append {
            places.truncate = append.truncate_from.map(|from| self.heads.truncate(from));
            if let Some(before) = places.truncate {
                self.undecided = self.undecided.min(before.seqno);
            }
            for entry in &append.entries {
                let own = own.as_ref().filter(|(index, _)| *index == entry.index).map(|(_, head)| head.clone());
                places.seqnos.push(self.heads.append(entry, own).map_err(Fault::new)?);
            }
        }
        self.tools.log.write(write, &places).map_err(Fault::new)?;
        self.unsynced = Some(write.number);
        Ok(())
    }

    /// Makes everything written durable and tells the driver, until nothing is left to write.
    fn sync(&mut self) -> Result<(), Fault> {
        while let Some(number) = self.unsynced.take() {
            let started = Instant::now();
            self.tools.log.sync().map_err(Fault::new)?;
            metrics::histogram!("coco_log_sync_seconds").record(started.elapsed().as_secs_f64());
            self.step(Input::Persisted(number))?;
        }
        Ok(())
    }

    /// Proposes what the executor closed. A batch that finds no room now is kept as it is: it was sealed, and its
    /// seqnos must not be sealed again in this view.
    fn propose(&mut self) -> Result<(), Fault> {
        while let Some(Proposal { batch, head }) = self.proposals.pop_front() {
            if self.leading.as_ref().is_none_or(|leading| leading.view != head.txid.view) {
                continue;
            }
            let effects = self.tools.driver.step(Input::Propose(batch.clone()));
            match effects.proposed {
                Some(Ok(accepted)) => self.carry_out(effects, Some((accepted.index, head)))?,
                Some(Err(refusal @ (Refusal::Empty | Refusal::TooLarge { .. }))) => {
                    return Err(Fault::new(refusal));
                }
                Some(Err(Refusal::Transferring | Refusal::Full)) => {
                    self.proposals.push_front(Proposal { batch, head });
                    return self.carry_out(effects, None);
                }
                Some(Err(Refusal::NotPrimary)) | None => self.carry_out(effects, None)?,
            }
        }
        Ok(())
    }

    fn role(&mut self, role: Role) {
        if role == self.role {
            return;
        }
        self.role = role;
        let (view, primary) = match role {
            Role::Primary { view, mark } => {
                self.leading = Some(Leading { view, mark, told: false, begun_at: Seqno(0), wanted: None });
                (view, None)
            }
            Role::Backup { view, primary } => (view, primary),
            Role::Candidate { view } => (view, None),
        };
        tracing::info!(?role, "consensus role");
        metrics::counter!("coco_role_changes_total").increment(1);
        if !matches!(role, Role::Primary { .. }) {
            self.leading = None;
            self.proposals.clear();
        }
        let id = primary.and_then(|member| self.tools.membership.id_of(member.0));
        let shown = match role {
            Role::Primary { .. } => NodeRole::Primary,
            _ => NodeRole::Backup { primary: id },
        };
        self.tools.plumbing.status.send_modify(|status| {
            status.view = view;
            status.role = shown;
        });
        self.command(Command::Follow { primary: primary.map(|member| member.0) });
    }

    /// Once the view's first entry is committed, all that came before it is decided and handed over.
    fn tell_executor_to_lead(&mut self) {
        let committed = self.heads.committed();
        let Some(leading) = self.leading.as_mut().filter(|leading| !leading.told && committed >= leading.mark) else {
            return;
        };
        leading.told = true;
        leading.begun_at = self.heads.head().seqno();
        let view = leading.view;
        self.command(Command::Lead { view });
    }

    /// A node that just started has the ledger file to show, but its log may have more that was committed, and seen, before
    /// it stopped. Only a primary can say; until then nobody is served an older state than this node has shown already.
    fn tell_that_it_is_level(&self) {
        if self.heads.head().seqno() >= self.undecided && self.tools.level.borrow().is_none() {
            self.tools.level.send_replace(Some(self.undecided));
        }
    }

    fn ledger_durable(&mut self, seqno: Seqno) -> Result<(), Fault> {
        self.ledger_durable = seqno;
        self.tools.log.compact(seqno, self.heads.committed()).map_err(Fault::new)?;
        if let Some(index) = self.heads.compact(seqno, LOG_BYTES_KEPT) {
            self.step(Input::Compact(index))?;
        }
        self.finish_catch_up()
    }

    fn command(&self, command: Command) {
        // Fails only once the executor is gone, and then the node is stopping.
        let _ = self.tools.executor.send(command);
    }
}

/// Whether a majority of the nodes can vote: this one and those that it is connected to.
fn can_elect(nodes: usize, connected: usize) -> bool {
    connected + 1 > nodes / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_elects() {
        assert!(can_elect(1, 0) && !can_elect(2, 0) && can_elect(2, 1));
        assert!(!can_elect(3, 0) && can_elect(3, 1));
        assert!(!can_elect(5, 1) && can_elect(5, 2));
    }
}
