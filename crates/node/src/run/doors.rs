//! The node's doors: what listens, and from when on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use adapter::{Adapter, Fault, Listener, Node, Socket, Status};
use base::Seqno;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::hosted::{Named, RETRY_AFTER, Served};
use crate::hosting::Visible;
use crate::http::Shown;

/// What is to be opened, and for how long.
pub(super) struct Doors {
    /// The node's own endpoints.
    pub http: SocketAddr,
    /// Where members reach it.
    pub governance: SocketAddr,
    /// Where it serves hosted ledgers, by their names.
    pub named: Named,
    /// For those who ask for TLS.
    pub tls: TlsAcceptor,
    pub node: Node,
    /// Is told which ledgers are served.
    pub served: watch::Sender<Arc<Vec<Served>>>,
    pub stop: CancellationToken,
}

/// Listeners at work; none ends before it is told to.
pub(super) struct Open {
    serving: JoinSet<()>,
    tls: TlsAcceptor,
    stop: CancellationToken,
}

impl Open {
    pub(super) fn serve(&mut self, listener: Listener, socket: Socket) {
        self.serving.spawn((listener.serve)(socket, self.stop.clone()));
    }

    pub(super) fn socket(&self, listener: &Listener, tcp: TcpListener) -> Socket {
        Socket::new(tcp, listener.secured.then(|| self.tls.clone()))
    }
}

/// Opens the node's own endpoints at once, governance's and the hosted ledgers' once there is something to serve, and nothing older
/// than was served before; and then those of each ledger that opens. Ends when told to, and all that listened has ended.
pub(super) async fn open_doors(
    doors: Doors,
    shown: Shown,
    governance: Arc<dyn Adapter>,
    mut ledgers: watch::Receiver<Arc<Vec<Visible>>>,
    leveled: impl Future<Output = Result<(), Fault>>,
    serving: Arc<AtomicBool>,
) -> Result<(), Fault> {
    let Doors { http, governance: address, named, tls, node, served, stop } = doors;
    let mut open = Open { serving: JoinSet::new(), tls, stop: stop.clone() };
    let own = Socket::new(bind(http).await?, None);
    let limits = adapter::http::Limits::default();
    open.serving.spawn(adapter::http::serve(own, crate::http::router(shown), limits, stop.clone()));
    tokio::select! {
        leveled = leveled => leveled?,
        () = stop.cancelled() => return all_ended(open.serving).await,
    }
    for listener in governance.listeners(node.clone()) {
        let tcp = bind(address).await?;
        let socket = open.socket(&listener, tcp);
        tracing::info!(ledger = "governance", listener = listener.name, %address, "listening");
        open.serve(listener, socket);
    }
    let mut hosted = super::hosted::Doors::new(named, address.ip(), node, served);
    loop {
        let seen = ledgers.borrow_and_update().clone();
        hosted.follow(&seen, &mut open).await;
        serving.store(true, Ordering::Release);
        tokio::select! {
            () = stop.cancelled() => return all_ended(open.serving).await,
            changed = ledgers.changed() => changed.map_err(Fault::new)?,
            () = tokio::time::sleep(RETRY_AFTER), if hosted.waits() => {}
            Some(ended) = open.serving.join_next() => {
                ended.map_err(Fault::new)?;
                return Err(Fault::new("a listener ended by itself"));
            }
        }
    }
}

async fn all_ended(mut serving: JoinSet<()>) -> Result<(), Fault> {
    while let Some(ended) = serving.join_next().await {
        ended.map_err(Fault::new)?;
    }
    Ok(())
}

/// Waits until all that this node may have shown before it was started is visible again, and the first batch of all.
pub(super) async fn level_at(
    mut status: watch::Receiver<Status>,
    mut level: watch::Receiver<Option<Seqno>>,
) -> Result<(), Fault> {
    let due = level.wait_for(Option::is_some).await.map_err(Fault::new)?.unwrap_or_default().max(Seqno(1));
    status.wait_for(|status| status.committed.seqno >= due).await.map(|_| ()).map_err(Fault::new)
}

pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, Fault> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Fault::new(format!("{address} cannot be listened on ({error}): is another program using it?")))
}
