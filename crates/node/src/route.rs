//! Where work goes from here: to this node's executor, to the primary, or on hold until there is one.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use adapter::{Fault, Reject, Submission, Submitted, Work};
use base::limits::QUEUE_WORK_MAX;
use crossbeam_channel::Sender;
use tokio::sync::oneshot;

use crate::peers::{Frame, Peers};
use crate::publisher::{Answer, Publication};
use crate::work::{Pending, ReplyTo, Room, Rooms};

/// Work held while there is no primary. An election lasts about a second.
const HELD_MAX: usize = 8_192;
/// After this long without a primary, or without its answer, the caller is told.
const PATIENCE: Duration = Duration::from_secs(8);

/// Where work goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Destination {
    /// To the executor: this node is the primary, and ready.
    Here,
    /// To the primary.
    Peer(u64),
    /// There is no primary, or it is not known.
    Nowhere,
}

/// The crossing that all work passes.
pub struct Route {
    executor: Sender<Pending>,
    publisher: Sender<Publication>,
    peers: Peers,
    state: Mutex<State>,
    next_id: AtomicU64,
    rooms: Rooms,
}

struct State {
    destination: Destination,
    held: Vec<(Instant, Pending)>,
    /// Forwarded to the primary, by this node's number for it.
    forwarded: BTreeMap<u64, Forwarded>,
    /// Peers that cannot be reached now.
    lost: BTreeSet<u64>,
}

struct Forwarded {
    since: Instant,
    to: u64,
    answer: Answering,
    _room: Room,
}

type Answering = oneshot::Sender<Result<Submitted, Reject>>;

impl Route {
    pub fn new(executor: Sender<Pending>, publisher: Sender<Publication>, peers: Peers) -> Result<Self, Fault> {
        // Numbers of the process that was this node before must not come again: the primary may still have its work,
        // and would answer it to whoever has the number now.
        let first_id = u64::from_le_bytes(crypto::random::<8>().map_err(Fault::new)?);
        let state = State {
            destination: Destination::Nowhere,
            held: Vec::new(),
            forwarded: BTreeMap::new(),
            lost: BTreeSet::new(),
        };
        Ok(Self {
            executor,
            publisher,
            peers,
            state: Mutex::new(state),
            next_id: AtomicU64::new(first_id),
            rooms: Rooms::default(),
        })
    }

    /// Work of this node's listeners.
    pub fn submit(&self, Submission { work, answer }: Submission) {
        self.admit(work, ReplyTo::Here(answer));
    }

    /// Work that a backup forwarded to this node. It is not forwarded again: two nodes that each take the other for
    /// the primary would play ball with it.
    pub fn receive(&self, from: u64, id: u64, work: Work) {
        self.admit(work, ReplyTo::Peer { number: from, id });
    }

    fn admit(&self, work: Work, reply: ReplyTo) {
        match self.rooms.take(&work) {
            Some(room) => self.send(Pending { work, reply, room }),
            None => self.refuse(reply),
        }
    }

    /// Sends work where it goes now. All of it happens under the lock, so that once [`Route::set`] is through nothing is
    /// on its way to where work went before.
    pub fn send(&self, Pending { work, reply, room }: Pending) {
        let mut state = self.lock();
        match (state.destination, reply) {
            (Destination::Here, reply) => self.execute(Pending { work, reply, room }),
            // It died, most likely: there will be another primary, or a new connection.
            (Destination::Peer(to), reply @ ReplyTo::Here(_)) if state.lost.contains(&to) => {
                self.hold(&mut state, Pending { work, reply, room });
            }
            (Destination::Peer(to), ReplyTo::Here(answer)) => self.forward(&mut state, to, work, answer, room),
            (Destination::Peer(_), reply @ ReplyTo::Peer { .. }) => {
                reply.answer(&self.peers, Err(Reject::unavailable()));
            }
            (Destination::Peer(_), ReplyTo::Nobody) => {}
            (Destination::Nowhere, reply) => self.hold(&mut state, Pending { work, reply, room }),
        }
    }

    fn execute(&self, pending: Pending) {
        if let Err(refused) = self.executor.try_send(pending) {
            self.refuse(refused.into_inner().reply);
        }
    }

    fn refuse(&self, reply: ReplyTo) {
        metrics::counter!("coco_work_refused_busy_total").increment(1);
        reply.answer(&self.peers, Err(Reject::busy()));
    }

    fn forward(&self, state: &mut State, to: u64, work: Work, answer: Answering, room: Room) {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        if state.forwarded.len() < QUEUE_WORK_MAX && self.peers.send(to, Frame::Work { id, work }) {
            state.forwarded.insert(id, Forwarded { since: Instant::now(), to, answer, _room: room });
        } else {
            self.refuse(ReplyTo::Here(answer));
        }
    }

    fn hold(&self, state: &mut State, pending: Pending) {
        if state.held.len() < HELD_MAX {
            state.held.push((Instant::now(), pending));
        } else {
            pending.reply.answer(&self.peers, Err(Reject::unavailable()));
        }
    }

    /// The peer answered. What it committed is told only once this node shows it.
    pub fn answered(&self, from: u64, id: u64, answer: Result<Submitted, Reject>) {
        let mut state = self.lock();
        let forwarded = match state.forwarded.entry(id) {
            Entry::Occupied(entry) if entry.get().to == from => entry.remove(),
            // It was given up, or another process asked.
            _ => return,
        };
        drop(state);
        match answer {
            Ok(Submitted::Committed { txid, reply }) => {
                let due = Answer { txid, reply: Ok(reply), to: ReplyTo::Here(forwarded.answer) };
                // Full or gone: the caller learns that the outcome is unknown.
                let _ = self.publisher.try_send(Publication::Answer(due));
            }
            other => drop(forwarded.answer.send(other)),
        }
    }

    /// The destination changes; what was on hold goes there.
    pub fn set(&self, destination: Destination) {
        let held = {
            let mut state = self.lock();
            if state.destination == destination {
                return;
            }
            state.destination = destination;
            // Whoever was primary before may or may not have done it; only callers can find out.
            state.forwarded.retain(|_, forwarded| Destination::Peer(forwarded.to) == destination);
            if destination == Destination::Nowhere { Vec::new() } else { std::mem::take(&mut state.held) }
        };
        tracing::debug!(?destination, held = held.len(), "route changed");
        held.into_iter().for_each(|(_, pending)| self.send(pending));
    }

    /// The connection to a peer broke: what was forwarded to it may be lost.
    pub fn lost(&self, peer: u64) {
        let mut state = self.lock();
        state.lost.insert(peer);
        state.forwarded.retain(|_, forwarded| forwarded.to != peer);
    }

    /// The connection from a peer ended: answers to what was forwarded to it may be lost.
    pub fn silent(&self, peer: u64) {
        self.lock().forwarded.retain(|_, forwarded| forwarded.to != peer);
    }

    /// There is a connection to a peer; what was on hold for it goes there.
    pub fn found(&self, peer: u64) {
        let held = {
            let mut state = self.lock();
            state.lost.remove(&peer);
            if state.destination == Destination::Peer(peer) { std::mem::take(&mut state.held) } else { Vec::new() }
        };
        held.into_iter().for_each(|(_, pending)| self.send(pending));
    }

    /// Lets go of what waited too long. Called now and then.
    pub fn expire(&self) {
        let now = Instant::now();
        let mut state = self.lock();
        state.forwarded.retain(|_, forwarded| now - forwarded.since < PATIENCE * 4);
        let late = state.held.partition_point(|(since, _)| now - *since >= PATIENCE);
        let late: Vec<_> = state.held.drain(..late).collect();
        drop(state);
        for (_, pending) in late {
            pending.reply.answer(&self.peers, Err(Reject::unavailable()));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic while it was held left nothing half done: every change is a single call.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use adapter::LedgerId;
    use bytes::Bytes;
    use crossbeam_channel::{Receiver, unbounded};

    use super::*;

    fn route() -> (Route, Receiver<Pending>, Receiver<Publication>) {
        let ((work, queue), (publisher, publications)) = (unbounded(), unbounded());
        (Route::new(work, publisher, Peers::default()).unwrap(), queue, publications)
    }

    /// A backup of primary 2, with one piece of work forwarded, and that work's number.
    fn forwarding() -> (Route, oneshot::Receiver<Result<Submitted, Reject>>, u64) {
        let (peers, mut frames) = Peers::to_nowhere(2);
        let route = Route::new(unbounded().0, unbounded().0, peers).unwrap();
        route.set(Destination::Peer(2));
        let answered = submit(&route);
        match frames.try_recv() {
            Ok(Frame::Work { id, .. }) => (route, answered, id),
            other => panic!("{other:?}"),
        }
    }

    fn submit(route: &Route) -> oneshot::Receiver<Result<Submitted, Reject>> {
        let (answer, answered) = oneshot::channel();
        route.submit(Submission { work: Work { ledger: LedgerId(0), body: Bytes::from_static(b"w") }, answer });
        answered
    }

    #[test]
    fn an_answer_to_the_process_that_was_this_node_before_is_nobodys() {
        let (_before, _, old) = forwarding();
        let (route, mut answered, new) = forwarding();
        route.answered(2, old, Ok(Submitted::Waiting));
        assert!(answered.try_recv().is_err());
        route.answered(2, new, Ok(Submitted::Waiting));
        assert_eq!(answered.try_recv().unwrap(), Ok(Submitted::Waiting));
    }

    #[test]
    fn whoever_waits_for_an_answer_that_may_be_lost_is_told() {
        let (route, mut answered, id) = forwarding();
        route.silent(3);
        assert_eq!(answered.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        route.silent(2);
        assert_eq!(answered.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        route.answered(2, id, Ok(Submitted::Waiting));
    }

    #[test]
    fn what_is_on_hold_goes_to_the_first_primary() {
        let (route, queue, _publications) = route();
        let mut answered = submit(&route);
        assert!(queue.is_empty() && answered.try_recv().is_err());
        route.set(Destination::Here);
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn work_that_cannot_be_forwarded_is_answered_at_once() {
        let (route, ..) = route();
        route.set(Destination::Peer(2));
        assert_eq!(submit(&route).try_recv().unwrap().unwrap_err().blame, adapter::Blame::Busy);
    }

    #[test]
    fn work_for_a_primary_that_was_lost_waits_for_the_next() {
        let (route, queue, _publications) = route();
        route.set(Destination::Peer(2));
        route.lost(2);
        let mut answered = submit(&route);
        assert!(answered.try_recv().is_err(), "it is on hold");
        route.set(Destination::Here);
        assert_eq!(queue.len(), 1);
        route.set(Destination::Peer(2));
        let mut answered = submit(&route);
        assert!(answered.try_recv().is_err());
        // There is no connection in this test, so it comes back at once.
        route.found(2);
        assert_eq!(answered.try_recv().unwrap().unwrap_err().blame, adapter::Blame::Busy);
    }

    #[test]
    fn nothing_is_left_behind_when_work_goes_elsewhere() {
        let (route, queue, _publications) = route();
        std::thread::scope(|scope| {
            let submitting = [(); 2].map(|()| scope.spawn(|| (0..20_000).for_each(|_| drop(submit(&route)))));
            while !submitting.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                route.set(Destination::Here);
                route.set(Destination::Peer(2));
                // What the executor does when it ceases to be the primary's.
                queue.try_iter().for_each(drop);
                assert!(queue.is_empty(), "work was queued where nobody will look for it");
            }
        });
    }
}
