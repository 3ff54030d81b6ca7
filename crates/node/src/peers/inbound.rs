//! Connections that others open to this node.
//!
//! Whoever can reach the port can open connections, so one that has not shown a node's certificate yet is worth little:
//! when many newer ones have come it is let go, long before its time is up. Of those that did show one, each node has
//! one: its newest.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use base::limits::PEER_FRAME_BYTES_MAX;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::{BadFrame, Frame, HANDSHAKE_TIMEOUT, Handler, Known, PeerEvent, tls};

/// Connections without a certificate yet; a node's handshake takes a few milliseconds.
const STRANGERS_MAX: usize = 512;

/// What all inbound connections share.
pub struct Inbound {
    acceptor: TlsAcceptor,
    known: Arc<Known>,
    handler: Handler,
    /// Ends a node's connection when it opens another one.
    newest: Mutex<BTreeMap<u64, CancellationToken>>,
}

/// Accepts for ever.
pub async fn accept_all(inbound: Arc<Inbound>, listener: TcpListener, stop: CancellationToken) {
    let mut strangers: VecDeque<CancellationToken> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, address)) = accepted else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let unwanted = stop.child_token();
        strangers.push_back(unwanted.clone());
        if strangers.len() > STRANGERS_MAX
            && let Some(oldest) = strangers.pop_front()
        {
            // Without effect on one that has shown its certificate meanwhile.
            oldest.cancel();
        }
        let (inbound, stop) = (inbound.clone(), stop.clone());
        tokio::spawn(async move {
            if let Err(error) = inbound.connection(stream, unwanted, stop).await {
                tracing::debug!(%address, %error, "inbound peer connection ended");
            }
        });
    }
}

impl Inbound {
    pub fn new(acceptor: TlsAcceptor, known: Arc<Known>, handler: Handler) -> Self {
        Self { acceptor, known, handler, newest: Mutex::default() }
    }

    /// Ends the connections of nodes that are not known any more.
    pub fn forget(&self, known: impl Fn(u64) -> bool) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.retain(|number, connection| {
            if !known(*number) {
                connection.cancel();
            }
            known(*number)
        });
    }

    async fn connection(
        &self,
        stream: TcpStream,
        unwanted: CancellationToken,
        stop: CancellationToken,
    ) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, self.acceptor.accept(stream));
        let stream = tokio::select! {
            () = unwanted.cancelled() => return Ok(()),
            stream = handshake => stream??,
        };
        let from = self.number_of(&stream)?;
        let replaced = stop.child_token();
        let before = self.newest.lock().unwrap_or_else(PoisonError::into_inner).insert(from, replaced.clone());
        if let Some(before) = before {
            before.cancel();
        }
        let ended = tokio::select! {
            () = replaced.cancelled() => Ok(()),
            received = self.receive_all(from, stream) => received,
        };
        (self.handler)(PeerEvent::Silent { peer: from });
        ended
    }

    fn number_of(&self, stream: &TlsStream<TcpStream>) -> io::Result<u64> {
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let id = shown.map(tls::node_of).transpose().map_err(io::Error::other)?;
        let number = id.and_then(|id| self.known.number(id));
        number.ok_or_else(|| io::ErrorKind::PermissionDenied.into())
    }

    async fn receive_all(&self, from: u64, stream: TlsStream<TcpStream>) -> io::Result<()> {
        let mut stream = BufReader::with_capacity(64 << 10, stream);
        let received = metrics::counter!("coco_peer_received_bytes_total");
        loop {
            let length = stream.read_u32_le().await? as usize;
            if length > PEER_FRAME_BYTES_MAX {
                return Err(io::Error::other(BadFrame));
            }
            let frame = Frame::decode(read_exactly(&mut stream, length).await?).map_err(io::Error::other)?;
            received.increment(4 + length as u64);
            (self.handler)(PeerEvent::Received { from, frame });
        }
    }
}

/// Memory is taken as bytes arrive and not as they are announced.
async fn read_exactly(stream: &mut (impl AsyncReadExt + Unpin), length: usize) -> io::Result<Bytes> {
    let mut bytes = BytesMut::with_capacity(length.min(64 << 10));
    let mut rest = stream.take(length as u64);
    while rest.read_buf(&mut bytes).await? > 0 {}
    if bytes.len() == length { Ok(bytes.freeze()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
