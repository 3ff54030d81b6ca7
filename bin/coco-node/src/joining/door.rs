//! Asking a node of the network: TLS 1.3 with the service's certificate as the only root, HTTP/1.1, one question a connection.
//!
//! Every answer has a deadline and a bound. What is wrong with the line, or with a node that has no primary, passes; what the
//! network says about this node is final.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use base::NodeId;
use crypto::{Certificate, KeyPair};
use development::Door;
use governance::join::{Answer, REQUEST_BYTES_MAX};
use governance::nodes::Lease;
use hyper::http::response::Parts;
use hyper::{Request, StatusCode, header};
use ledger::genesis::NodeStatus;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use zeroize::Zeroizing;

use super::http::exchange;

/// To find a node at all.
const CONNECT: Duration = Duration::from_secs(5);
/// A node answers within a minute, or says that it could not.
const DEADLINE: Duration = Duration::from_secs(70);
/// Secrets, neighbours and the rows of the ledgers, each with its genesis.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// A constitution has a mebibyte at most.
const CONSTITUTION_BYTES_MAX: usize = 2 << 20;
/// What a node showed when it joined is in it.
const STANDING_BYTES_MAX: usize = 2 * REQUEST_BYTES_MAX;
const VERSION: &str = "api-version=2024-07-01";

/// What came of a question.
pub enum Asked<T> {
    Answered(T),
    /// Another node has to be asked: the primary.
    Elsewhere(Door),
    /// Ask again, or ask another one.
    Later(String),
    /// Asking again is of no use.
    Refused(Refusal),
}

/// How a node stands with the network.
#[derive(Deserialize)]
pub struct Standing {
    pub status: NodeStatus,
    pub lease: Option<Lease>,
}

/// The network's own words.
#[derive(Debug)]
pub struct Refusal {
    pub status: u16,
    pub code: String,
    pub message: String,
}

#[derive(Clone)]
pub struct Client(TlsConnector);

impl Client {
    pub fn new(service: &Certificate, own: &Certificate, key: &KeyPair) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(der(service)).context("the service's certificate cannot be a root")?;
        let pkcs8 = key.to_pkcs8_der()?;
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![der(own)], PrivatePkcs8KeyDer::from(pkcs8.to_vec()).into())?;
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// The script of the network's constitution.
    pub async fn constitution(&self, door: &Door) -> Asked<Vec<u8>> {
        let path = format!("/gov/service/constitution?{VERSION}");
        self.get(door, &path, CONSTITUTION_BYTES_MAX).await
    }

    /// A node as the network has it; `None` if it is not known there.
    pub async fn standing(&self, door: &Door, id: NodeId) -> Asked<Option<Standing>> {
        let path = format!("/gov/service/nodes/{id}?{VERSION}");
        match self.whole(door, "GET", &path, "", STANDING_BYTES_MAX).await {
            Ok((answer, _)) if answer.status == StatusCode::NOT_FOUND => Asked::Answered(None),
            Ok((answer, body)) => judge(&answer, body).map(|body| read(&body).map(Some)),
            Err(why) => Asked::Later(why),
        }
    }

    /// Asks to be let in.
    pub async fn join(&self, door: &Door, body: &str) -> Asked<Answer> {
        let asked = self.ask(door, "POST", "/node/join", body, ANSWER_BYTES_MAX).await;
        asked.map(|body| read(&body))
    }

    /// What is at a path.
    pub async fn get(&self, door: &Door, path: &str, bytes_max: usize) -> Asked<Vec<u8>> {
        self.ask(door, "GET", path, "", bytes_max).await.map(|body| Ok(body.to_vec()))
    }

    /// A connection to a node that the service certified.
    pub async fn connect(&self, door: &Door) -> anyhow::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(door.host.clone())?;
        let at = door.authority();
        let connect = async {
            let tcp = TcpStream::connect((door.host.as_str(), door.port)).await?;
            self.0.connect(name, tcp).await
        };
        let stream = tokio::time::timeout(CONNECT, connect).await.with_context(|| format!("{at} does not answer"))?;
        stream.map_err(|error| not_believed(&at, error))
    }

    async fn ask(
        &self,
        door: &Door,
        method: &str,
        path: &str,
        body: &str,
        bytes_max: usize,
    ) -> Asked<Zeroizing<Vec<u8>>> {
        match self.whole(door, method, path, body, bytes_max).await {
            Ok((answer, body)) => judge(&answer, body),
            Err(why) => Asked::Later(why),
        }
    }

    /// An answer with all of its body, in time, or why there is none.
    async fn whole(
        &self,
        door: &Door,
        method: &str,
        path: &str,
        body: &str,
        bytes_max: usize,
    ) -> Result<(Parts, Zeroizing<Vec<u8>>), String> {
        let at = door.authority();
        let asked = async {
            let stream = self.connect(door).await?;
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(header::HOST, &at)
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.to_owned())?;
            exchange(stream, request, bytes_max).await.with_context(|| format!("{at} gave no whole answer"))
        };
        match tokio::time::timeout(DEADLINE, asked).await {
            Ok(answered) => answered.map_err(|error| format!("{error:#}")),
            Err(_) => Err(format!("{at} does not answer")),
        }
    }
}

impl<T> Asked<T> {
    fn map<U>(self, read: impl FnOnce(T) -> Result<U, String>) -> Asked<U> {
        match self {
            Self::Answered(body) => match read(body) {
                Ok(answer) => Asked::Answered(answer),
                Err(why) => Asked::Later(why),
            },
            Self::Elsewhere(door) => Asked::Elsewhere(door),
            Self::Later(why) => Asked::Later(why),
            Self::Refused(refusal) => Asked::Refused(refusal),
        }
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("an answer that is not understood: {error}"))
}

/// What an answer means for this node.
fn judge(answer: &Parts, body: Zeroizing<Vec<u8>>) -> Asked<Zeroizing<Vec<u8>>> {
    let status = answer.status.as_u16();
    let location = answer.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    #[derive(Deserialize)]
    struct Problem {
        error: Text,
    }
    #[derive(Deserialize)]
    struct Text {
        code: String,
        message: String,
    }
    if status == 200 {
        return Asked::Answered(body);
    }
    if matches!(status, 307 | 308) {
        let door = location.and_then(|url| {
            let rest = url.strip_prefix("https://")?;
            Door::parse(&format!("https://{}", rest.split('/').next()?))
        });
        return door.map_or_else(|| Asked::Later("it names a primary that cannot be asked".into()), Asked::Elsewhere);
    }
    let (code, message) = match serde_json::from_slice::<Problem>(&body) {
        Ok(Problem { error: Text { code, message } }) => (printable(&code), printable(&message)),
        Err(_) => (String::new(), format!("HTTP status {status} and no reason")),
    };
    // What is said of this node, its evidence or its request stays true; anything else may pass, as the state of who was asked.
    let passes = matches!(status, 404 | 408 | 409 | 425 | 429) || matches!(code.as_str(), "" | "InvalidNodeState");
    let is_final = (400..500).contains(&status) && !passes;
    if is_final {
        Asked::Refused(Refusal { status, code, message })
    } else {
        Asked::Later(format!("{message} ({code} {status})"))
    }
}

/// One line that steers no terminal, of bounded length.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(2_000).collect()
}

fn not_believed(at: &str, error: std::io::Error) -> anyhow::Error {
    let strange = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match strange {
        Some(rustls::Error::InvalidCertificate(why)) => anyhow::anyhow!(
            "{at} is not a node of the service whose certificate this node was given ({why}): compare the certificates, and the address"
        ),
        _ => anyhow::Error::new(error).context(format!("{at} cannot be reached")),
    }
}

fn der(certificate: &Certificate) -> CertificateDer<'static> {
    CertificateDer::from(certificate.der().to_vec())
}

#[cfg(test)]
mod tests {
    use hyper::Response;

    use super::*;

    fn judged(status: u16, location: Option<&str>, body: &str) -> Asked<Zeroizing<Vec<u8>>> {
        let mut answer = Response::builder().status(status);
        if let Some(location) = location {
            answer = answer.header(header::LOCATION, location);
        }
        let (parts, ()) = answer.body(()).unwrap().into_parts();
        judge(&parts, Zeroizing::new(body.as_bytes().to_vec()))
    }

    #[test]
    fn what_is_said_of_the_node_is_final_and_anything_else_passes() {
        let problem = |code: &str| format!(r#"{{"error": {{"code": "{code}", "message": "No\u0007."}}}}"#);
        assert!(matches!(judged(200, None, "{}"), Asked::Answered(_)));
        for (status, code) in [(400, "InvalidQuote"), (403, "InvalidQuote"), (400, "CSRPublicKeyInvalid")] {
            let Asked::Refused(refusal) = judged(status, None, &problem(code)) else { panic!("{status} {code}") };
            assert_eq!((refusal.status, refusal.code.as_str(), refusal.message.as_str()), (status, code, "No ."));
        }
        for (status, body) in [
            (503, problem("PrimaryNotFound")),
            (404, problem("ResourceNotFound")),
            (429, problem("Busy")),
            (500, problem("InternalError")),
            (400, "<html>".into()),
            (302, String::new()),
        ] {
            assert!(matches!(judged(status, None, &body), Asked::Later(_)), "{status} {body}");
        }
    }

    #[test]
    fn a_backup_says_where_the_primary_is() {
        let Asked::Elsewhere(door) = judged(308, Some("https://10.0.0.2:8443/node/join"), "") else {
            panic!("it says where")
        };
        assert_eq!(door.authority(), "10.0.0.2:8443");
        for nowhere in [None, Some("http://10.0.0.2/node/join"), Some("https://"), Some("/node/join")] {
            assert!(matches!(judged(308, nowhere, ""), Asked::Later(_)), "{nowhere:?}");
        }
    }
}
