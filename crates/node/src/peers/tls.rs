//! TLS 1.3: mutual between the nodes of a network, and for strangers.
//!
//! A certificate is believed if its key is the one that the network lists for a node: names, dates and issuers say
//! nothing more. The list is what the ledger says: nodes that members, or their rules, trust after they were attested.

use std::fmt;
use std::sync::Arc;

use base::NodeId;
use crypto::{Certificate, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
};

/// What this node shows of itself.
#[derive(Clone)]
pub struct Credentials {
    pub certificate: Certificate,
    pub key: Arc<KeyPair>,
}

/// The node behind a certificate, if it has a key of the right kind.
pub fn node_of(certificate: &CertificateDer<'_>) -> Result<NodeId, Error> {
    let parsed = Certificate::from_der(certificate).and_then(|certificate| certificate.public_key());
    parsed.map(|key| key.node_id()).map_err(|_| CertificateError::BadEncoding.into())
}

/// Which nodes are believed at the moment.
pub type Believed = Arc<dyn Fn(NodeId) -> bool + Send + Sync>;

/// For connections that others open to this node.
pub fn server(credentials: &Credentials, believed: Believed) -> Result<ServerConfig, Error> {
    let provider = provider();
    let verifier = Arc::new(Listed { believed, provider: provider.clone() });
    let (chain, key) = show(credentials)?;
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key.into())
}

/// For strangers, who know the service's certificate. They may show one of their own: whose it is, is for others to say.
pub fn public(credentials: &Credentials) -> Result<ServerConfig, Error> {
    let (chain, key) = show(credentials)?;
    let provider = provider();
    ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(Anybody(provider)))
        .with_single_cert(chain, key.into())
}

/// Asks for a certificate and takes any, or none. Who shows one has its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ClientCertVerifier for Anybody {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        refused()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// For connections that this node opens to `node`.
pub fn client(credentials: &Credentials, node: NodeId) -> Result<ClientConfig, Error> {
    let provider = provider();
    let believed = Arc::new(move |shown| shown == node);
    let verifier = Arc::new(Listed { believed, provider: provider.clone() });
    let (chain, key) = show(credentials)?;
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(chain, key.into())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn show(credentials: &Credentials) -> Result<(Vec<CertificateDer<'static>>, PrivatePkcs8KeyDer<'static>), Error> {
    let key = credentials.key.to_pkcs8_der().map_err(|error| Error::General(error.to_string()))?;
    let chain = vec![CertificateDer::from(credentials.certificate.der().to_vec())];
    Ok((chain, PrivatePkcs8KeyDer::from(key.to_vec())))
}

/// Believes the nodes of a list.
struct Listed {
    believed: Believed,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listed")
    }
}

impl Listed {
    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let node = node_of(certificate)?;
        if (self.believed)(node) { Ok(()) } else { Err(CertificateError::ApplicationVerificationFailure.into()) }
    }

    fn check_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }
}

/// TLS 1.2 is not spoken.
fn refused() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::General("peers speak TLS 1.3".into()))
}

impl ServerCertVerifier for Listed {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(certificate).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        refused()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP384_SHA384]
    }
}

impl ClientCertVerifier for Listed {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(certificate).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        refused()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP384_SHA384]
    }
}
