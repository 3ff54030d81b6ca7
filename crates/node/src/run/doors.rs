//! The node's doors: what listens, and from when on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use adapter::{Fault, Plumbing, Socket, Status};
use base::Seqno;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::Hosted;
use crate::http::Shown;

/// What is to be opened.
pub(super) struct Doors {
    /// The node's own endpoints.
    pub http: SocketAddr,
    pub hosted: Vec<Hosted>,
    /// For those who ask for TLS.
    pub tls: TlsAcceptor,
}

/// Opens the node's own endpoints at once, and the adapters' once there is something to serve, and nothing older than was
/// served before.
pub(super) async fn open_doors(
    Doors { http, hosted, tls }: Doors,
    shown: Shown,
    plumbing: Arc<Plumbing>,
    leveled: impl Future<Output = Result<(), Fault>>,
    serving: Arc<AtomicBool>,
    stop: CancellationToken,
) -> Result<(), Fault> {
    let listener = bind(http).await?;
    let own = tokio::spawn(adapter::http::serve(
        Socket { tcp: listener, tls: None },
        crate::http::router(shown),
        adapter::http::Limits::default(),
        stop.clone(),
    ));
    tokio::select! {
        leveled = leveled => leveled?,
        () = stop.cancelled() => return own.await.map_err(Fault::new),
    }
    let mut doors = vec![own];
    for Hosted { adapter, listen, .. } in hosted {
        let name = adapter.name().to_owned();
        let listeners = adapter.listeners(plumbing.node.clone());
        if listeners.len() != listen.len() {
            return Err(Fault::new(format!(
                "{name} has {} listeners, but {} addresses",
                listeners.len(),
                listen.len()
            )));
        }
        for (listener, address) in listeners.into_iter().zip(listen) {
            let tls = listener.secured.then(|| tls.clone());
            let socket = Socket { tcp: bind(address).await?, tls };
            tracing::info!(ledger = name, listener = listener.name, %address, "listening");
            doors.push(tokio::spawn((listener.serve)(socket, stop.clone())));
        }
    }
    serving.store(true, std::sync::atomic::Ordering::Release);
    for door in doors {
        door.await.map_err(Fault::new)?;
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
