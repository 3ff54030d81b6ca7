//! A WebSocket connection: calls as over HTTP, and subscriptions.
//!
//! One task serves a connection. It reads, lets calls run at the same time up to a bound, and writes what is ready.
//! While the client does not take what is written nothing more is read, and new blocks queue up for all connections
//! together; a client too far behind is dropped.

use std::sync::Arc;
use std::time::Duration;

use adapter::Guest;
use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::dispatch::Begun;
use super::errors::Error;
use super::room::Taken;
use super::subscriptions::{Lagged, Subscriptions};
use super::{Rpc, dispatch};

/// Larger messages end the connection.
pub(super) const MESSAGE_MAX: usize = 32 * 1024 * 1024;
const SESSIONS_MAX: usize = 4_096;
/// Messages of one connection that are worked on at the same time.
const CALLS_MAX: usize = 256;
/// For a client to take what is written to it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// A client that is silent is asked whether it is there; one that stays silent that long again is let go.
const PING_EVERY: Duration = Duration::from_secs(30);

/// How many connections there may be.
pub(super) struct Sessions(Arc<Semaphore>);

impl Default for Sessions {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(SESSIONS_MAX)))
    }
}

impl Sessions {
    pub(super) fn enter(&self) -> Option<OwnedSemaphorePermit> {
        self.0.clone().try_acquire_owned().ok()
    }
}

/// A connection's place, and whose it is.
pub(super) struct Seat {
    pub(super) _place: OwnedSemaphorePermit,
    pub(super) guest: Option<Arc<Guest>>,
}

/// Why a connection ends before the client ends it.
enum End {
    /// The client is gone, or does not speak WebSocket.
    Gone,
    Behind,
    Stopping,
    /// Members have decided that it may not be connected.
    Unwanted,
}

pub(super) async fn serve(rpc: Arc<Rpc>, mut socket: WebSocket, seat: Seat, stop: CancellationToken) {
    let unwanted = async {
        match &seat.guest {
            Some(guest) => guest.leaves().cancelled().await,
            None => std::future::pending().await,
        }
    };
    let end = tokio::select! {
        end = session(&rpc, &mut socket, stop) => end,
        () = unwanted => End::Unwanted,
    };
    let (code, reason) = match end {
        End::Gone => return,
        End::Behind => (close_code::POLICY, "too many notifications are waiting to be read"),
        End::Stopping => (close_code::AWAY, "the node is stopping"),
        End::Unwanted => (close_code::POLICY, "members do not let this address connect"),
    };
    let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    let _ = tokio::time::timeout(Duration::from_secs(1), socket.send(close)).await;
}

async fn session(rpc: &Arc<Rpc>, socket: &mut WebSocket, stop: CancellationToken) -> End {
    let mut subscriptions = Subscriptions::new(&rpc.ethereum);
    let mut calls = FuturesUnordered::new();
    let mut ping = tokio::time::interval(PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return End::Stopping,
            Some((reply, fresh)) = calls.next(), if !calls.is_empty() => {
                if let Some(reply) = reply && write(socket, Bytes::from_owner(reply)).await.is_err() {
                    return End::Gone;
                }
                // The answer that names a subscription goes before its first notification.
                subscriptions.begin(fresh);
            }
            notes = subscriptions.next() => match notes {
                Ok(notes) => {
                    for note in notes {
                        if write(socket, note.into()).await.is_err() {
                            return End::Gone;
                        }
                    }
                }
                Err(Lagged) => return End::Behind,
            },
            message = socket.recv(), if calls.len() < CALLS_MAX => {
                heard = Instant::now();
                let body = match message {
                    Some(Ok(Message::Text(text))) => Bytes::from(text),
                    Some(Ok(Message::Binary(bytes))) => bytes,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Gone,
                };
                let mut taken = Taken::default();
                let begun = match rpc.room.grow(&mut taken, body.len()) {
                    Some(()) => dispatch::begin(rpc, &body, Some(&mut subscriptions)),
                    None => Begun::Wrong(Error::busy()),
                };
                let fresh = subscriptions.take_fresh();
                calls.push(async move {
                    let reply = dispatch::finish(rpc.clone(), begun).await;
                    drop(taken);
                    (reply, fresh)
                });
            }
            _ = ping.tick() => {
                if heard.elapsed() > 2 * PING_EVERY {
                    return End::Gone;
                }
                if timed(socket.send(Message::Ping(Bytes::new()))).await.is_err() {
                    return End::Gone;
                }
            }
        }
    }
}

async fn write(socket: &mut WebSocket, text: Bytes) -> Result<(), ()> {
    // What is written here is JSON that this node wrote.
    let text = Utf8Bytes::try_from(text).map_err(drop)?;
    timed(socket.send(Message::Text(text))).await
}

async fn timed<E>(send: impl Future<Output = Result<(), E>>) -> Result<(), ()> {
    match tokio::time::timeout(WRITE_TIMEOUT, send).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(()),
    }
}
