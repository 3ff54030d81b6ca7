//! What a listener listens on. The node makes it: an adapter has no key, and does not say who may come.

use std::io;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::{Admission, Guest};

/// Where a listener's connections come from.
pub struct Socket {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
    admission: Admission,
}

impl Socket {
    /// For everybody. TLS comes below the listener's own protocol, if it asked for it.
    #[must_use]
    pub fn new(tcp: TcpListener, tls: Option<TlsAcceptor>) -> Self {
        Self { tcp, tls, admission: Admission::default() }
    }

    /// For those that are admitted alone.
    #[must_use]
    pub fn admitting(self, admission: Admission) -> Self {
        Self { admission, ..self }
    }

    /// What meets callers first.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsAcceptor> {
        self.tls.as_ref()
    }

    /// The next connection of somebody who may connect. Others find theirs closed.
    pub async fn accept(&self) -> (TcpStream, Guest) {
        loop {
            let accepted: io::Result<_> = self.tcp.accept().await;
            match accepted {
                Ok((stream, from)) => match self.admission.admit(from.ip()) {
                    Some(guest) => {
                        // Replies are written whole; waiting for more would only delay them.
                        let _ = stream.set_nodelay(true);
                        return (stream, guest);
                    }
                    None => tracing::debug!("a connection came from where members let nobody connect from"),
                },
                Err(error) => {
                    // Out of descriptors, most likely: let some connections end first.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}
