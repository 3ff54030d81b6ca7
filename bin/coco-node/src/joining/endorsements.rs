//! Fetches what vouches for the platform's evidence, from the vendor's service or a cache of it.
//!
//! Nobody here believes what comes: it is signed by the vendor, and whoever is shown the evidence verifies that. So neither does it matter
//! who answers, and of `https` only the line is wanted: caches of collateral have certificates that nobody issued, and one that lies can do
//! no more than one that is silent.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use attestation::Endorsements;
use attestation::fetch::{Document, Fetched, Vendor, Wanted};
use attestation::gather::Gathered;
use development::EndorsementServices;
use hyper::{Request, Uri, header};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::http::exchange;

/// For each document, connecting included. A cache may have to ask its vendor first.
const DEADLINE: Duration = Duration::from_secs(20);
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);
/// Vendors limit rates, and what they say holds for days.
const KEPT: Duration = Duration::from_secs(60 * 60);

/// Where to fetch, and what was fetched last.
pub struct Services {
    told: EndorsementServices,
    /// Before a document is asked for again.
    pause: Duration,
    last: Mutex<Option<Kept>>,
}

struct Kept {
    at: Instant,
    wanted: Wanted,
    endorsements: Endorsements,
}

impl Services {
    pub fn new(told: EndorsementServices) -> Self {
        Self { told, pause: PAUSE, last: Mutex::new(None) }
    }

    #[cfg(test)]
    pub fn impatient(told: EndorsementServices) -> Self {
        Self { pause: Duration::ZERO, ..Self::new(told) }
    }

    /// What evidence needs beside itself; `None` if nothing, or if its host gave all there is.
    pub async fn endorsements(&self, gathered: &Gathered) -> anyhow::Result<Option<Endorsements>> {
        let Some(vendor) = Vendor::of(gathered.kind) else { return Ok(None) };
        let kind = gathered.kind;
        let service = match vendor {
            Vendor::Intel => self.told.pccs.as_ref().with_context(|| {
                format!(
                    "nothing vouches for this machine's {kind} evidence: say where Intel's provisioning service or a cache of it is \
                     (`pccs` in [endorsements] of node.toml, or `coco node join --pccs URL`)"
                )
            })?,
            Vendor::Amd => match &self.told.kds {
                Some(service) => service,
                None if !gathered.auxiliary.is_empty() => return Ok(None),
                None => bail!(
                    "nothing vouches for this machine's {kind} evidence, and its host hands over no certificates: say where AMD's key \
                     distribution service or a cache of it is (`kds` in [endorsements] of node.toml, or `coco node join --kds URL`)"
                ),
            },
        };
        let wanted = Wanted::of(vendor, gathered)
            .map_err(|refusal| anyhow::anyhow!("this machine's {kind} evidence is of no use: {refusal}"))?;
        if let Some(kept) = self.kept(&wanted) {
            return Ok(Some(kept));
        }
        let mut fetched = Vec::new();
        for document in wanted.documents(service) {
            fetched
                .push(self.patiently(&document).await.with_context(|| format!("{} is not to be had", document.url))?);
        }
        let endorsements = wanted
            .endorsements(fetched)
            .map_err(|refusal| anyhow::anyhow!("what {service} says of this machine is of no use: {refusal}"))?;
        let kept = Kept { at: Instant::now(), wanted, endorsements: endorsements.clone() };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        Ok(Some(endorsements))
    }

    fn kept(&self, wanted: &Wanted) -> Option<Endorsements> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let last = last.as_ref().filter(|last| last.wanted == *wanted && last.at.elapsed() < KEPT);
        last.map(|last| last.endorsements.clone())
    }

    async fn patiently(&self, document: &Document) -> anyhow::Result<Fetched> {
        let mut attempt = 1;
        loop {
            let asked = match tokio::time::timeout(DEADLINE, fetch(document)).await {
                Ok(asked) => asked,
                Err(_) => Err(anyhow::anyhow!("no answer within {} seconds", DEADLINE.as_secs())),
            };
            if asked.is_ok() || attempt == ATTEMPTS {
                return asked;
            }
            attempt += 1;
            tokio::time::sleep(self.pause).await;
        }
    }
}

async fn fetch(document: &Document) -> anyhow::Result<Fetched> {
    let url: Uri = document.url.parse()?;
    let (host, path) = (url.host().context("no host")?, url.path_and_query().context("no path")?);
    let request = Request::get(path.as_str()).header(header::HOST, host).body(String::new())?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let secure = url.scheme_str() == Some("https");
    let line = TcpStream::connect((bare, url.port_u16().unwrap_or(if secure { 443 } else { 80 }))).await?;
    let (answer, body) = if secure {
        let line = connector()?.connect(ServerName::try_from(bare.to_owned())?, line).await?;
        exchange(line, request, document.bytes_max).await?
    } else {
        exchange(line, request, document.bytes_max).await?
    };
    ensure!(answer.status.is_success(), "the answer is {}", answer.status);
    let chain = document.chain.and_then(|name| answer.headers.get(name)?.to_str().ok());
    Ok(Fetched { body: body.to_vec(), chain: chain.map(str::to_owned) })
}

fn connector() -> anyhow::Result<TlsConnector> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Takes whoever answers: see above.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
