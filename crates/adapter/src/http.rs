//! Serves HTTP/1.1 to strangers: bounded connections, bounded patience.
//!
//! Past the bound on connections a newcomer takes the place of the one that has kept the node waiting for longest: for
//! a request's head, for its body, or for its next request. So slow clients, however many, only ever push each other
//! out. Where every connection is being worked for, newcomers are told to come again later. What a request may cost is
//! the router's matter.

mod places;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::{Guest, Socket};
use places::{Place, Places, UntilRead};

/// Bounds of one door.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub connections_max: usize,
    /// For a TLS handshake.
    pub handshake_timeout: Duration,
    /// For the head of the next request, from the moment the connection is ready for it: clients keep connections and
    /// come back, so this is long. It is not what holds slow clients off; places are.
    pub idle_timeout: Duration,
    /// For the reply to everything under way when the node stops.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(120),
            drain_timeout: Duration::from_secs(5),
        }
    }
}

/// The certificate (DER) that a client showed in the handshake; an extension of each of its requests. The client has the
/// certificate's key, and nothing else about it was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientCertificate(pub Arc<[u8]>);

/// Who it is that asks for another protocol; an extension of such a request. Whoever takes the connection over keeps this for as
/// long, and ends the connection when the guest must leave.
#[derive(Clone)]
pub struct Upgraded(pub Arc<Guest>);

/// Serves until cancelled, then lets requests under way finish.
pub async fn serve(socket: Socket, router: Router, limits: Limits, stop: CancellationToken) {
    let places = Places::new(limits.connections_max);
    let connections = TaskTracker::new();
    loop {
        let (stream, guest) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = socket.accept() => accepted,
        };
        let (places, router, stop, tls) = (places.clone(), router.clone(), stop.clone(), socket.tls().cloned());
        connections.spawn(async move {
            match (places.take(guest).await, tls) {
                (Some(place), None) => connection(stream, None, router, limits, stop, place).await,
                (Some(place), Some(tls)) => secured(stream, tls, router, limits, stop, place).await,
                (None, None) => turn_away(stream).await,
                // Without a handshake there is no way to tell it.
                (None, Some(_)) => {}
            }
        });
    }
    connections.close();
    if tokio::time::timeout(limits.drain_timeout, connections.wait()).await.is_err() {
        tracing::warn!(left = connections.len(), "stopped before every connection had ended");
    }
}

/// A client that keeps the node waiting in the handshake may lose its place like any other.
async fn secured(
    stream: TcpStream,
    tls: TlsAcceptor,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
    place: Place,
) {
    let wanted = place.wanted();
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(limits.handshake_timeout, tls.accept(stream)) => shaken,
        () = wanted.cancelled() => return,
        () = stop.cancelled() => return,
    };
    match shaken {
        Ok(Ok(stream)) => {
            let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            let client = shown.map(|certificate| ClientCertificate(certificate.as_ref().into()));
            connection(stream, client, router, limits, stop, place).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    client: Option<ClientCertificate>,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
    place: Place,
) {
    let wanted = place.wanted();
    let place = Arc::new(place);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (router, place) = (router.clone(), place.clone());
        if let Some(client) = &client {
            request.extensions_mut().insert(client.clone());
        }
        if request.headers().contains_key(header::UPGRADE) {
            request.extensions_mut().insert(Upgraded(place.guest().clone()));
        }
        async move { Ok::<_, Infallible>(answer(router, request, &place).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = wanted.cancelled() => return,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// The client is waited for until its request is read, the node until the reply is there, and then the client again.
async fn answer(router: Router, request: Request<Incoming>, place: &Arc<Place>) -> Response<Body> {
    let request = request.map(|body| Body::new(UntilRead::new(body, place.clone())));
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(impossible) => match impossible {},
    };
    place.wait();
    response
}

/// Tells a client past the bound to come again. It is not read from: that would be work for strangers.
async fn turn_away(mut stream: TcpStream) {
    let busy = format!(
        "HTTP/1.1 {} Service Unavailable\r\n{}: 1\r\n{}: 0\r\n{}: close\r\n\r\n",
        StatusCode::SERVICE_UNAVAILABLE.as_u16(),
        header::RETRY_AFTER,
        header::CONTENT_LENGTH,
        header::CONNECTION,
    );
    let _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(busy.as_bytes())).await;
}
