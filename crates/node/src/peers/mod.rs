//! Connections between nodes.
//!
//! Each node opens one connection to every other and sends on it; it receives on those that others opened. So a
//! connection has one direction and nobody argues who opens it. What cannot be sent now is dropped if it is
//! consensus' (it sends again) and reported if it is anyone else's.

mod frame;
mod inbound;
pub mod tls;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base::NodeId;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

pub use frame::{BadFrame, Frame};
pub use tls::Credentials;

/// Frames waiting for one peer. Past it consensus messages are dropped and work is answered "busy".
const QUEUE_FRAMES_MAX: usize = 65_536;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
const REDIAL_AFTER_MIN: Duration = Duration::from_millis(10);
const REDIAL_AFTER_MAX: Duration = Duration::from_millis(250);

/// Another node of the network.
#[derive(Clone, Debug)]
pub struct Peer {
    pub number: u64,
    pub id: NodeId,
    pub address: SocketAddr,
}

/// What happens on the connections.
#[derive(Debug)]
pub enum PeerEvent {
    Received {
        from: u64,
        frame: Frame,
    },
    /// There is a connection to this peer.
    Found {
        peer: u64,
    },
    /// The connection to this peer broke, or could not be made: what was queued may be lost.
    Lost {
        peer: u64,
    },
    /// The connection from this peer ended: what it said last may be lost.
    Silent {
        peer: u64,
    },
}

/// Takes events; called on the peers' thread, must not block for long.
pub type Handler = Arc<dyn Fn(PeerEvent) + Send + Sync>;

/// The sending ends.
#[derive(Clone, Default)]
pub struct Peers {
    queues: Arc<BTreeMap<u64, mpsc::Sender<Frame>>>,
    connected: Arc<AtomicUsize>,
}

impl Peers {
    /// Starts to dial and to listen, on the runtime it is called in.
    pub fn start(
        credentials: &Credentials<'_>,
        peers: &[Peer],
        listener: TcpListener,
        handler: Handler,
        stop: &CancellationToken,
    ) -> Result<Self, rustls::Error> {
        let mut queues = BTreeMap::new();
        let connected = Arc::<AtomicUsize>::default();
        for peer in peers {
            let (queue, frames) = mpsc::channel(QUEUE_FRAMES_MAX);
            queues.insert(peer.number, queue);
            let connector = TlsConnector::from(Arc::new(tls::client(credentials, peer.id)?));
            let (peer, handler, stop, connected) = (peer.clone(), handler.clone(), stop.clone(), connected.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = send_all(&peer, connector, frames, &handler, &connected) => {}
                }
            });
        }
        let numbers: BTreeMap<NodeId, u64> = peers.iter().map(|peer| (peer.id, peer.number)).collect();
        let acceptor = TlsAcceptor::from(Arc::new(tls::server(credentials, numbers.keys().copied().collect())?));
        tokio::spawn(inbound::accept_all(listener, acceptor, Arc::new(numbers), handler, stop.clone()));
        Ok(Self { queues: Arc::new(queues), connected })
    }

    /// To how many peers there is a connection now.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.connected.load(Ordering::Relaxed)
    }

    /// Peers of a test: what is sent to this one can be looked at.
    #[cfg(test)]
    pub fn to_nowhere(peer: u64) -> (Self, mpsc::Receiver<Frame>) {
        let (queue, frames) = mpsc::channel(QUEUE_FRAMES_MAX);
        (Self { queues: Arc::new([(peer, queue)].into()), ..Self::default() }, frames)
    }

    /// Queues a frame. `false`: the queue is full or there is no such peer, and the frame is dropped.
    #[must_use]
    pub fn send(&self, peer: u64, frame: Frame) -> bool {
        self.queues.get(&peer).is_some_and(|queue| queue.try_send(frame).is_ok())
    }
}

/// Keeps one connection to `peer` and sends what is queued, for ever.
async fn send_all(
    peer: &Peer,
    connector: TlsConnector,
    mut frames: mpsc::Receiver<Frame>,
    handler: &Handler,
    connected: &AtomicUsize,
) {
    let mut wait = REDIAL_AFTER_MIN;
    let mut known_lost = false;
    loop {
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, dial(peer, &connector)).await {
            Ok(Ok(stream)) => {
                tracing::info!(peer = peer.number, "connected to peer");
                (wait, known_lost) = (REDIAL_AFTER_MIN, false);
                handler(PeerEvent::Found { peer: peer.number });
                connected.fetch_add(1, Ordering::Relaxed);
                let ended = pump(stream, &mut frames).await;
                connected.fetch_sub(1, Ordering::Relaxed);
                match ended {
                    Ok(()) => return,
                    Err(error) => tracing::info!(peer = peer.number, %error, "connection to peer lost"),
                }
            }
            Ok(Err(error)) => tracing::debug!(peer = peer.number, %error, "peer cannot be reached"),
            Err(_) => tracing::debug!(peer = peer.number, "peer does not answer"),
        }
        // Consensus repeats what matters; old news would only delay the new. Whoever else sent something is told.
        let dropped = std::iter::from_fn(|| frames.try_recv().ok()).filter(|frame| !frame.is_consensus()).count();
        if !known_lost || dropped > 0 {
            handler(PeerEvent::Lost { peer: peer.number });
            known_lost = true;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(REDIAL_AFTER_MAX);
    }
}

type Sending = tokio_rustls::client::TlsStream<TcpStream>;

async fn dial(peer: &Peer, connector: &TlsConnector) -> io::Result<Sending> {
    let stream = TcpStream::connect(peer.address).await?;
    stream.set_nodelay(true)?;
    connector.connect(peer.address.ip().into(), stream).await
}

/// Sends frames until the connection breaks (an error) or nobody sends any more.
async fn pump(stream: Sending, frames: &mut mpsc::Receiver<Frame>) -> io::Result<()> {
    // The peer never speaks on this connection, so reading ends only when it is gone: without this a dead
    // connection would be noticed only at the next frame but one.
    let (mut silence, stream) = tokio::io::split(stream);
    let mut out = BufWriter::with_capacity(64 << 10, stream);
    let mut nothing = [0; 1];
    let sent = metrics::counter!("coco_peer_sent_bytes_total");
    loop {
        let frame = tokio::select! {
            frame = frames.recv() => frame,
            read = silence.read(&mut nothing) => {
                return Err(read.err().unwrap_or_else(|| io::ErrorKind::ConnectionAborted.into()));
            }
        };
        let Some(mut frame) = frame else { return out.shutdown().await };
        loop {
            let (head, bulk) = frame.encode();
            let length = u32::try_from(head.len() + bulk.len()).map_err(io::Error::other)?;
            out.write_u32_le(length).await?;
            out.write_all(&head).await?;
            out.write_all(&bulk).await?;
            // As TLS gets them: what it adds is not counted.
            sent.increment(4 + u64::from(length));
            match frames.try_recv() {
                Ok(next) => frame = next,
                Err(_) => break,
            }
        }
        out.flush().await?;
    }
}
