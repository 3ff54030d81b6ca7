//! Who may be connected, and who must go when somebody else wants to be.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::Guest;

/// A place that was asked for is free at once, unless the machine has no time at all.
const LEAVING_MAX: Duration = Duration::from_secs(1);

/// The places of one door.
#[derive(Clone)]
pub struct Places {
    room: Arc<Semaphore>,
    queue: Arc<Mutex<Queue>>,
}

/// Connections that the node waits for, the longest waited for first.
#[derive(Default)]
struct Queue {
    next: u64,
    waiting: BTreeMap<u64, CancellationToken>,
}

impl Places {
    pub fn new(places: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(places)), queue: Arc::default() }
    }

    /// A place, taken from another connection if it must be. `None`: the node works for every one of them.
    pub async fn take(&self, guest: Guest) -> Option<Place> {
        let permit = match self.room.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let (_, leaves) = self.lock().waiting.pop_first()?;
                leaves.cancel();
                let left = self.room.clone().acquire_owned();
                tokio::time::timeout(LEAVING_MAX, left).await.ok()?.ok()?
            }
        };
        let wanted = guest.leaves().child_token();
        let (places, guest) = (self.clone(), Arc::new(guest));
        let place = Place { places, guest, wanted, turn: Mutex::new(None), _permit: permit };
        place.wait();
        Some(place)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic while it was held left nothing half done: every change is a single call.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place.
pub struct Place {
    places: Places,
    guest: Arc<Guest>,
    wanted: CancellationToken,
    /// Its turn in the queue, while the client is waited for.
    turn: Mutex<Option<u64>>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// Whose it is.
    pub fn guest(&self) -> &Arc<Guest> {
        &self.guest
    }

    /// Cancelled when the connection must make room, or its client may not be connected any more.
    pub fn wanted(&self) -> CancellationToken {
        self.wanted.clone()
    }

    /// The client is waited for from now on.
    pub fn wait(&self) {
        let mut queue = self.places.lock();
        let mut turn = self.turn();
        if let Some(turn) = turn.take() {
            queue.waiting.remove(&turn);
        }
        queue.next += 1;
        let next = queue.next;
        queue.waiting.insert(next, self.wanted.clone());
        *turn = Some(next);
    }

    /// The node works for the client: it keeps its place.
    pub fn work(&self) {
        let mut queue = self.places.lock();
        if let Some(turn) = self.turn().take() {
            queue.waiting.remove(&turn);
        }
    }

    fn turn(&self) -> MutexGuard<'_, Option<u64>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.work();
    }
}

/// A request's body. Once it is read, or is no longer wanted, the node works for the client.
pub struct UntilRead {
    body: Incoming,
    place: Arc<Place>,
}

impl UntilRead {
    pub fn new(body: Incoming, place: Arc<Place>) -> Self {
        if body.is_end_stream() {
            place.work();
        }
        Self { body, place }
    }
}

impl Body for UntilRead {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.place.work();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
