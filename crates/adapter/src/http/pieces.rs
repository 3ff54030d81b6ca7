//! A part of a stored file as the body of an answer: read piece by piece while the client takes it, so that neither the
//! file is in memory nor a thread waits for a slow client.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::spawn_blocking;

use crate::Stored;

/// What is read at once.
const PIECE_BYTES: u64 = 256 << 10;
/// Pieces that wait for the client, beside those in the sockets.
const PIECES_AHEAD: usize = 1;
/// For a client to take a piece; one that is slower than that can go on elsewhere.
const PATIENCE: Duration = Duration::from_secs(30);

/// So much of `file`, from an offset on. `held` is let go when all of it is sent, or the client is gone.
pub fn pieces<H: Send + 'static>(file: Stored, from: u64, bytes: u64, held: H) -> axum::body::Body {
    let (sender, receiver) = channel(PIECES_AHEAD);
    tokio::spawn(async move {
        send(Arc::new(file), from, bytes, &sender).await;
        drop(held);
    });
    axum::body::Body::new(Pieces { receiver, left: bytes })
}

async fn send(file: Arc<Stored>, mut from: u64, mut left: u64, to: &Sender<io::Result<Bytes>>) {
    while left > 0 {
        let (file, length) = (file.clone(), left.min(PIECE_BYTES));
        let read = move || {
            let mut piece = vec![0; usize::try_from(length).unwrap_or_default()];
            (file.read)(from, &mut piece).map(|()| Bytes::from(piece))
        };
        let piece = spawn_blocking(read).await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        if let Err(error) = &piece {
            tracing::warn!(%error, "a file that another node wants could not be read");
        }
        let ends = piece.is_err();
        let taken = tokio::time::timeout(PATIENCE, to.send(piece)).await;
        if ends || !matches!(taken, Ok(Ok(()))) {
            return;
        }
        (from, left) = (from + length, left - length);
    }
}

struct Pieces {
    receiver: Receiver<io::Result<Bytes>>,
    left: u64,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.receiver
            .poll_recv(context)
            .map(|piece| {
                let piece = piece.unwrap_or_else(|| Err(io::Error::other("the client took too long")))?;
                self.left -= piece.len() as u64;
                Ok(Frame::data(piece))
            })
            .map(Some)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: u64, readable: u64) -> Stored {
        let read = move |from: u64, into: &mut [u8]| {
            if from + into.len() as u64 > readable {
                return Err(io::Error::other("a bad sector"));
            }
            for (place, byte) in (from..).zip(into) {
                *byte = (place % 251) as u8;
            }
            Ok(())
        };
        Stored { bytes, fixed: true, read: Box::new(read) }
    }

    #[tokio::test]
    async fn a_part_is_sent_whole_and_what_was_held_is_let_go() {
        let (held, let_go) = tokio::sync::oneshot::channel::<()>();
        let (from, bytes) = (3, 3 * PIECE_BYTES + 7);
        let body = pieces(file(from + bytes, u64::MAX), from, bytes, held);
        let sent = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        assert_eq!(sent.len() as u64, bytes);
        assert!((from..).zip(&sent).all(|(place, byte)| *byte == (place % 251) as u8));
        assert!(let_go.await.is_err());
        assert!(axum::body::to_bytes(pieces(file(9, 9), 9, 0, ()), 9).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_client_that_leaves_holds_nothing_and_a_disk_that_fails_ends_the_answer() {
        let (held, let_go) = tokio::sync::oneshot::channel::<()>();
        drop(pieces(file(u64::MAX, u64::MAX), 0, u64::MAX, held));
        assert!(let_go.await.is_err());
        let body = pieces(file(2 * PIECE_BYTES, PIECE_BYTES), 0, 2 * PIECE_BYTES, ());
        assert!(axum::body::to_bytes(body, usize::MAX).await.is_err());
    }
}
