//! What a connection runs over: TCP as it is, or TLS 1.3 that trusts one service and nobody else.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Error;

/// The service that a connection must lead to.
#[derive(Clone)]
pub struct Trust(TlsConnector);

impl Trust {
    /// `certificate` is the service's, in PEM.
    pub fn only(certificate: &[u8]) -> Result<Self, Error> {
        let unusable = |why: String| Error::Load(format!("the service's certificate cannot be used: {why}"));
        let certificate = CertificateDer::from_pem_slice(certificate).map_err(|e| unusable(e.to_string()))?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate).map_err(|e| unusable(e.to_string()))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])
            .map_err(|e| unusable(e.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }
}

pub(crate) enum Stream {
    Plain(TcpStream),
    Secured(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// `authority` is a host and a port.
    pub async fn plain(authority: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        Ok(Self::Plain(stream))
    }

    pub async fn secured(address: SocketAddr, Trust(trust): &Trust) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let stream = trust.connect(ServerName::from(address.ip()), stream).await?;
        Ok(Self::Secured(Box::new(stream)))
    }

    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Secured(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }

    pub async fn read_buf(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read_buf(into).await,
            Self::Secured(stream) => stream.read_buf(into).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_not_trusted() {
        for bad in ["", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(matches!(Trust::only(bad.as_bytes()), Err(Error::Load(_))), "{bad}");
        }
    }
}
