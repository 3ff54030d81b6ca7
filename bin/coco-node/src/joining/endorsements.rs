//! Fetches what vouches for the platform's evidence, from the vendor's service or a cache of it.
//!
//! Nobody here believes what comes: it is signed by the vendor, and whoever is shown the evidence verifies that. So neither does it matter
//! who answers, and of `https` only the line is wanted: caches of collateral have certificates that nobody issued, and one that lies can do
//! no more than one that is silent.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use attestation::fetch::{Document, Fetched, Vendor, Wanted};
use attestation::gather::Gathered;
use attestation::{Endorsements, Kind};
use development::EndorsementServices;
use hyper::{Request, Uri, header};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
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
/// Vendors limit rates. What they say holds for days, but when they say something new, others may ask for that.
const KEPT: Duration = Duration::from_secs(10 * 60);

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
            Vendor::Intel => &self.told.pccs,
            Vendor::Amd => &self.told.kds,
        };
        let Some(service) = service else {
            ensure!(!gathered.of_host_is_empty(), "{}", who_vouches(vendor, kind));
            return Ok(None);
        };
        let wanted = Wanted::of(vendor, gathered)
            .map_err(|refusal| anyhow!("this machine's {kind} evidence is of no use: {refusal}"))?;
        if let Some(kept) = self.kept(&wanted) {
            return Ok(Some(kept));
        }
        let endorsements = match self.fetch_all(&wanted, service).await {
            Ok(endorsements) => endorsements,
            Err(error) if wanted.is_optional() => {
                tracing::warn!("{error:#}; shown without a revocation list");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let kept = Kept { at: Instant::now(), wanted, endorsements: endorsements.clone() };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        Ok(Some(endorsements))
    }

    async fn fetch_all(&self, wanted: &Wanted, service: &str) -> anyhow::Result<Endorsements> {
        let mut fetched = Vec::new();
        for document in wanted.documents(service) {
            let asked = self.patiently(&document).await;
            fetched.push(asked.with_context(|| format!("{} is not to be had", document.url))?);
        }
        let endorsements = wanted.endorsements(fetched);
        endorsements.map_err(|refusal| anyhow!("what {service} says of this machine is of no use: {refusal}"))
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
                Err(_) => Err(anyhow!("no answer within {} seconds", DEADLINE.as_secs())),
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
    let (authority, path) = (url.authority().context("no host")?, url.path_and_query().context("no path")?);
    let request = Request::get(path.as_str()).header(header::HOST, authority.as_str()).body(String::new())?;
    let bare = authority.host().trim_start_matches('[').trim_end_matches(']');
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

fn who_vouches(vendor: Vendor, kind: Kind) -> String {
    let (whose, name) = match vendor {
        Vendor::Intel => ("Intel's provisioning service", "pccs"),
        Vendor::Amd => ("AMD's key distribution service", "kds"),
    };
    format!(
        "nothing vouches for this machine's {kind} evidence: say where {whose} or a cache of it is (`{name}` in [endorsements] of node.toml, \
         or `coco node join --{name} URL`)"
    )
}

fn connector() -> anyhow::Result<TlsConnector> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let schemes = provider.signature_verification_algorithms.supported_schemes();
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(schemes)))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Takes whoever answers: see above. Not even the handshake's signature is looked at, since certificates of caches are often of a kind
/// that is not read here (version 1).
#[derive(Debug)]
struct Anybody(Vec<SignatureScheme>);

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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}
