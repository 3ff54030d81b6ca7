//! Work inside a node, and where its answer goes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use adapter::{Blame, Reject, Submitted, Wait, Work};
use base::limits::{QUEUE_WORK_BYTES_MAX, WAITING_WORK_MAX};
use bytes::Bytes;
use tokio::sync::oneshot;

use crate::peers::{Frame, Peers};

/// Work of one owner that may wait for its turn: more than that is a defect or an attack.
const WAITING_PER_OWNER_MAX: usize = 256;

/// Work and where its answer goes.
pub struct Pending {
    pub work: Work,
    pub reply: ReplyTo,
    pub room: Room,
}

/// The bytes that work on its way may take in all.
#[derive(Clone, Default)]
pub struct Rooms(Arc<AtomicUsize>);

/// The bytes that one piece of work takes; given back when dropped.
pub struct Room {
    rooms: Rooms,
    bytes: usize,
}

impl Rooms {
    /// Room for a piece of work; `None` if there is none left.
    pub fn take(&self, work: &Work) -> Option<Room> {
        let bytes = work.body.len();
        let taken = self.0.fetch_add(bytes, Ordering::Relaxed);
        // Dropped at once if it does not fit, which gives the bytes back.
        let room = Room { rooms: self.clone(), bytes };
        (taken + bytes <= QUEUE_WORK_BYTES_MAX).then_some(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.rooms.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Where an answer goes.
pub enum ReplyTo {
    /// To a listener of this node.
    Here(oneshot::Sender<Result<Submitted, Reject>>),
    /// To the backup that forwarded the work, under its own number for it.
    Peer { number: u64, id: u64 },
    /// To nobody: the caller was answered when the work was put aside.
    Nobody,
}

impl ReplyTo {
    pub fn answer(self, peers: &Peers, answer: Result<Submitted, Reject>) {
        match self {
            // A caller who went away is no failure.
            Self::Here(sender) => drop(sender.send(answer)),
            Self::Peer { number, id } => {
                if !peers.send(number, Frame::Answer { id, answer }) {
                    tracing::warn!(peer = number, "an answer could not be sent");
                }
            }
            Self::Nobody => {}
        }
    }
}

/// Work of one hosted ledger that waits for other work to happen first. Bounded in all and for each owner.
#[derive(Default)]
pub struct Waiting {
    by_key: BTreeMap<Bytes, (Wait, Work, Room)>,
    by_owner: BTreeMap<Bytes, usize>,
}

impl Waiting {
    /// Puts work aside.
    pub fn put(&mut self, wait: Wait, work: Work, room: Room) -> Result<(), Reject> {
        if let Some((known, same, _)) = self.by_key.get(&wait.key) {
            if *same == work {
                // Sent again by a caller who did not hear the first answer: it waits as it did.
                return Ok(());
            }
            if known.owner == wait.owner && wait.rank < known.rank.saturating_add(known.rank / 10).saturating_add(1) {
                return Err(Reject::new(
                    Blame::Conflict,
                    0,
                    "other work already waits in this place, and this does not outbid it by a tenth",
                ));
            }
            self.take(&wait.key);
        }
        let owned = self.by_owner.get(&wait.owner).copied().unwrap_or_default();
        if owned >= WAITING_PER_OWNER_MAX || self.by_key.len() >= WAITING_WORK_MAX {
            return Err(Reject::new(
                Blame::Busy,
                0,
                "too much work waits for its turn: send what it waits for first, or send it again later",
            ));
        }
        self.by_owner.insert(wait.owner.clone(), owned + 1);
        self.by_key.insert(wait.key.clone(), (wait, work, room));
        Ok(())
    }

    /// Takes out the work that waits under `key`.
    pub fn take(&mut self, key: &Bytes) -> Option<(Work, Room)> {
        let (wait, work, room) = self.by_key.remove(key)?;
        if let Some(owned) = self.by_owner.get_mut(&wait.owner) {
            *owned -= 1;
            if *owned == 0 {
                self.by_owner.remove(&wait.owner);
            }
        }
        Some((work, room))
    }

    pub fn len(&self) -> usize {
        self.by_key.len()
    }
}

/// Takes work in the order in which it may run: what was put back, then what was woken, then what arrives.
#[derive(Default)]
pub struct Ready(VecDeque<Pending>);

impl Ready {
    pub fn put_back(&mut self, pending: Pending) {
        self.0.push_front(pending);
    }

    pub fn wake(&mut self, work: Work, room: Room) {
        self.0.push_back(Pending { work, reply: ReplyTo::Nobody, room });
    }

    pub fn next(&mut self) -> Option<Pending> {
        self.0.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use adapter::LedgerId;

    use super::*;

    fn wait(owner: u8, key: u32, rank: u128) -> Wait {
        Wait { key: key.to_be_bytes().to_vec().into(), owner: vec![owner].into(), rank }
    }

    fn work(body: &'static [u8]) -> Work {
        Work { ledger: LedgerId(0), body: Bytes::from_static(body) }
    }

    fn put(waiting: &mut Waiting, wait: Wait, body: &'static [u8]) -> Result<(), Reject> {
        let work = work(body);
        let room = Rooms::default().take(&work).unwrap();
        waiting.put(wait, work, room)
    }

    #[test]
    fn bytes_on_their_way_are_bounded_and_given_back() {
        let rooms = Rooms::default();
        let half = Work { ledger: LedgerId(0), body: vec![0; QUEUE_WORK_BYTES_MAX / 2].into() };
        let first = rooms.take(&half).unwrap();
        let second = rooms.take(&half).unwrap();
        assert!(rooms.take(&work(b"x")).is_none());
        drop(first);
        assert!(rooms.take(&work(b"x")).is_some());
        drop(second);
    }

    #[test]
    fn a_place_is_taken_over_only_by_a_higher_bid() {
        let mut waiting = Waiting::default();
        put(&mut waiting, wait(1, 5, 100), b"first").unwrap();
        assert_eq!(put(&mut waiting, wait(1, 5, 110), b"low").unwrap_err().blame, Blame::Conflict);
        put(&mut waiting, wait(1, 5, 111), b"high").unwrap();
        assert_eq!(waiting.len(), 1);
        assert_eq!(waiting.take(&wait(1, 5, 0).key).map(|(work, _)| work), Some(work(b"high")));
        assert!(waiting.take(&wait(1, 5, 0).key).is_none());
    }

    #[test]
    fn work_that_waits_already_may_be_sent_again() {
        let mut waiting = Waiting::default();
        put(&mut waiting, wait(1, 5, 100), b"same").unwrap();
        put(&mut waiting, wait(1, 5, 100), b"same").unwrap();
        assert_eq!(waiting.len(), 1);
    }

    #[test]
    fn one_owner_cannot_take_all_the_room() {
        let mut waiting = Waiting::default();
        for key in 0..WAITING_PER_OWNER_MAX as u32 {
            put(&mut waiting, wait(1, key, 1), b"x").unwrap();
        }
        assert_eq!(put(&mut waiting, wait(1, 100_000, 1), b"x").unwrap_err().blame, Blame::Busy);
        put(&mut waiting, wait(2, 100_001, 1), b"x").unwrap();
        waiting.take(&wait(1, 0, 1).key).unwrap();
        put(&mut waiting, wait(1, 100_000, 1), b"x").unwrap();
    }

    #[test]
    fn all_owners_together_are_bounded() {
        let mut waiting = Waiting::default();
        let refused = (0..).find(|n| put(&mut waiting, wait((n / 200) as u8, *n, 1), b"x").is_err());
        assert_eq!(refused, Some(WAITING_WORK_MAX as u32));
        // Who is refused leaves no trace either.
        let owners = waiting.by_owner.len();
        put(&mut waiting, wait(255, u32::MAX, 1), b"x").unwrap_err();
        assert_eq!(waiting.by_owner.len(), owners);
    }
}
