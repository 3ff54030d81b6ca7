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
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use base::NodeId;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

pub use frame::{BadFrame, Frame};
use inbound::Inbound;
pub use tls::Credentials;

/// Frames waiting for one peer. Past it consensus messages are dropped and work is answered "busy".
const QUEUE_FRAMES_MAX: usize = 65_536;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// What was sent is acknowledged, and read, within so long, or the connection is dead and another one is tried. Left to itself the
/// system sends again more and more rarely, up to two minutes apart: long after a partition has ended, this node would
/// still not be heard by a peer that everybody else talks with.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(5);
const REDIAL_AFTER_MIN: Duration = Duration::from_millis(10);
const REDIAL_AFTER_MAX: Duration = Duration::from_millis(250);
/// A connection that lasted so long was one. A peer that takes this node for a stranger hangs up right after the handshake.
const STEADY_AFTER: Duration = Duration::from_secs(1);

/// Another node of the network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    pub number: u64,
    pub id: NodeId,
    /// `host:port`.
    pub address: String,
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

/// The nodes that this one talks with, and the sending ends. They change as nodes join and leave.
#[derive(Clone, Default)]
pub struct Peers {
    links: Arc<ArcSwap<BTreeMap<u64, Link>>>,
    connected: Arc<AtomicUsize>,
    dialer: Option<Arc<Dialer>>,
}

#[derive(Clone)]
struct Link {
    peer: Peer,
    queue: mpsc::Sender<Frame>,
    /// Ends the connection.
    end: CancellationToken,
}

/// Whose certificates are believed, and which number each node has.
#[derive(Default)]
pub struct Known(ArcSwap<BTreeMap<NodeId, u64>>);

impl Known {
    fn number(&self, id: NodeId) -> Option<u64> {
        self.0.load().get(&id).copied()
    }
}

/// What it takes to reach others and to be reached.
struct Dialer {
    runtime: Handle,
    credentials: Credentials,
    known: Arc<Known>,
    inbound: Arc<Inbound>,
    handler: Handler,
    stop: CancellationToken,
}

impl Peers {
    /// Starts to listen, on the runtime it is called in. Nobody is known yet.
    pub fn start(
        credentials: Credentials,
        listener: TcpListener,
        handler: Handler,
        stop: CancellationToken,
    ) -> Result<Self, rustls::Error> {
        let known = Arc::<Known>::default();
        let listed = known.clone();
        let server = tls::server(&credentials, Arc::new(move |id| listed.number(id).is_some()))?;
        let inbound = Arc::new(Inbound::new(TlsAcceptor::from(Arc::new(server)), known.clone(), handler.clone()));
        tokio::spawn(inbound::accept_all(inbound.clone(), listener, stop.clone()));
        let dialer = Dialer { runtime: Handle::current(), credentials, known, inbound, handler, stop };
        Ok(Self { dialer: Some(Arc::new(dialer)), ..Self::default() })
    }

    /// From now on these are the nodes that this one talks with. Connections to the others end; those that stay are kept.
    pub fn set(&self, peers: &[Peer]) -> Result<(), rustls::Error> {
        let Some(dialer) = &self.dialer else { return Ok(()) };
        let before = self.links.load_full();
        let mut links = BTreeMap::new();
        for peer in peers {
            let link = match before.get(&peer.number) {
                Some(link) if link.peer == *peer => link.clone(),
                _ => dialer.dial(peer, &self.connected)?,
            };
            links.insert(peer.number, link);
        }
        let stays = |number: &u64, link: &Link| links.get(number).is_some_and(|kept| kept.peer == link.peer);
        before.iter().filter(|(number, link)| !stays(number, link)).for_each(|(_, link)| link.end.cancel());
        dialer.known.0.store(Arc::new(peers.iter().map(|peer| (peer.id, peer.number)).collect()));
        dialer.inbound.forget(|number| before.get(&number).is_some_and(|link| stays(&number, link)));
        self.links.store(Arc::new(links));
        Ok(())
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
        let nobody = Peer { number: peer, id: NodeId(base::Digest::ZERO), address: String::new() };
        let link = Link { peer: nobody, queue, end: CancellationToken::new() };
        (Self { links: Arc::new(ArcSwap::from_pointee([(peer, link)].into())), ..Self::default() }, frames)
    }

    /// Queues a frame. `false`: the queue is full or there is no such peer, and the frame is dropped.
    #[must_use]
    pub fn send(&self, peer: u64, frame: Frame) -> bool {
        self.links.load().get(&peer).is_some_and(|link| link.queue.try_send(frame).is_ok())
    }
}

impl Dialer {
    /// Keeps a connection to a peer from now on.
    fn dial(&self, peer: &Peer, connected: &Arc<AtomicUsize>) -> Result<Link, rustls::Error> {
        let (queue, frames) = mpsc::channel(QUEUE_FRAMES_MAX);
        let connector = TlsConnector::from(Arc::new(tls::client(&self.credentials, peer.id)?));
        let end = self.stop.child_token();
        let link = Link { peer: peer.clone(), queue, end: end.clone() };
        let (peer, handler, connected) = (peer.clone(), self.handler.clone(), connected.clone());
        self.runtime.spawn(async move {
            tokio::select! {
                () = end.cancelled() => handler(PeerEvent::Lost { peer: peer.number }),
                () = send_all(&peer, connector, frames, &handler, &connected) => {}
            }
        });
        Ok(link)
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
                tracing::debug!(peer = peer.number, "connected to peer");
                let begun = Instant::now();
                known_lost = false;
                handler(PeerEvent::Found { peer: peer.number });
                let counted = Counted::new(connected);
                let ended = pump(stream, &mut frames).await;
                drop(counted);
                match ended {
                    Ok(()) => return,
                    Err(error) if begun.elapsed() < STEADY_AFTER => {
                        tracing::debug!(peer = peer.number, %error, "the peer hung up");
                    }
                    Err(error) => {
                        tracing::info!(peer = peer.number, %error, "connection to peer lost");
                        wait = REDIAL_AFTER_MIN;
                    }
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

/// One connection more, until it is dropped.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

type Sending = tokio_rustls::client::TlsStream<TcpStream>;

async fn dial(peer: &Peer, connector: &TlsConnector) -> io::Result<Sending> {
    let stream = TcpStream::connect(&peer.address).await?;
    stream.set_nodelay(true)?;
    rustix::net::sockopt::set_tcp_user_timeout(&stream, ACKNOWLEDGED_WITHIN.as_millis() as u32)?;
    // The peer is known by its key; what it is called plays no part.
    let name = ServerName::try_from("node").map_err(io::Error::other)?;
    connector.connect(name, stream).await
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
