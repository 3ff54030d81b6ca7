//! A node of the network as a newcomer meets it: TLS, and files. It may lie.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base::{Digest, Seqno};
use crypto::certificate::{self, Validity};
use crypto::{Certificate, KeyPair, Secret};
use development::{Admission, Candidate, Identity, JoinFile, Joined, Neighbour, NodeFile};
use kv::{Kind, Tables};
use ledger::{Disk, Files, Head, LedgerKeys, Signer};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const ALWAYS: Validity = Validity { from: 0, until: 4_000_000_000 };
const CHUNK: u64 = 20_000;

/// A service, and its ledger.
pub struct Service {
    key: Arc<KeyPair>,
    certificate: Certificate,
    secret: Secret,
    pub ledger: tempfile::TempDir,
    pub end: Seqno,
}

impl Service {
    /// Some closed chunks, and one that grows.
    pub fn new() -> Self {
        let (key, secret) = (Arc::new(KeyPair::generate().unwrap()), Secret::random().unwrap());
        let certificate = certificate::service(&key, "a service", ALWAYS).unwrap();
        let ledger = tempfile::tempdir().unwrap();
        let keys = LedgerKeys::new(&secret).unwrap();
        let (files, _) = Files::open_with(Disk::open(ledger.path()).unwrap(), Some(&keys), CHUNK).unwrap();
        let tables = Tables::new();
        let table = tables.add("private", Kind::State).unwrap();
        let signer = Signer { service: key.clone(), node: None };
        let (mut head, view) = (Head::new(), base::View(2));
        for number in 0..40_u64 {
            let (mut batch, mut leaves) = (Vec::new(), Vec::new());
            for entry in 0..=number % 3 {
                let puts = vec![(number.to_be_bytes()[..].into(), vec![entry as u8; 1_000].into())];
                let writes = kv::WriteSet { sections: vec![kv::Section { table, puts, removes: vec![] }] };
                let txid = base::TxId { view, seqno: Seqno(head.seqno().0 + 1 + entry) };
                leaves.push(ledger::seal(txid, &writes, &Digest::ZERO, &tables, &keys, &mut batch).unwrap());
            }
            head = ledger::sign(&head, view, &leaves, &signer, &keys, 1, &mut batch).unwrap();
            files.append(&batch).unwrap();
        }
        files.sync().unwrap();
        Self { key, certificate, secret, ledger, end: head.seqno() }
    }

    /// A node that members just let in, in its directory.
    pub fn newcomer(&self, dir: &Path) -> Identity {
        let candidate = Candidate::open_or_make(dir).unwrap();
        let id = candidate.node_key.public().node_id();
        let own = self.node(candidate.node_key.public());
        let joined = Joined {
            number: 4,
            nodes: vec![Neighbour { number: 4, id, address: "127.0.0.1:1".into() }],
            ledgers: Vec::new(),
            dual_signatures: false,
        };
        let admission = Admission {
            service_key: &self.key,
            service_certificate: &self.certificate.to_pem(),
            ledger_secrets: &[(Seqno(1), self.secret.clone())],
            node_certificate: &own.to_pem(),
            joined: &joined,
        };
        candidate.seal(&admission, dir).unwrap()
    }

    fn node(&self, key: &crypto::PublicKey) -> Certificate {
        certificate::node(key, &self.key, &self.certificate, &["127.0.0.1".to_owned()], ALWAYS).unwrap()
    }

    /// The files of its ledger, by name.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        files(self.ledger.path())
    }
}

/// Every file of a folder, by name.
pub fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(found) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut all: Vec<_> = found
        .map(|file| {
            let path = file.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap())
        })
        .collect();
    all.sort();
    all
}

/// What a node says to a request: its path, where its range begins, and what an honest one would say.
pub type Says = dyn Fn(&str, Option<u64>, Vec<u8>) -> Vec<u8> + Send + Sync;

/// A node. It ends with the runtime that it was made on.
pub struct Giver {
    pub address: SocketAddr,
    pub asked: Arc<Mutex<Vec<String>>>,
}

impl Giver {
    pub async fn start(service: &Service, says: Box<Says>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let key = KeyPair::generate().unwrap();
        let der = |certificate: &Certificate| CertificateDer::from(certificate.der().to_vec());
        let private = PrivatePkcs8KeyDer::from(key.to_pkcs8_der().unwrap().to_vec());
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![der(&service.node(key.public()))], private.into())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (heard, files, end, says) = (asked.clone(), Arc::new(service.files()), service.end, Arc::new(says));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, heard, files, says) = (acceptor.clone(), heard.clone(), files.clone(), says.clone());
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = stream.read_u8().await else { return };
                        head.push(byte);
                    }
                    let head = String::from_utf8(head).unwrap();
                    let path = head.split(' ').nth(1).unwrap().to_owned();
                    let range = head.lines().find_map(|line| {
                        line.to_lowercase().strip_prefix("range: bytes=")?.trim_end_matches('-').parse().ok()
                    });
                    heard.lock().unwrap().push(path.clone());
                    let answer = says(&path, range, honest(&path, range, &files, end));
                    // One answer a connection: whoever takes files finds that it is gone.
                    let _ = stream.write_all(&answer).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self { address, asked }
    }

    pub fn door(&self) -> String {
        format!("https://{}", self.address)
    }
}

/// What a node of the network says that is as it should be, and has no snapshot.
fn honest(path: &str, range: Option<u64>, files: &[(String, Vec<u8>)], end: Seqno) -> Vec<u8> {
    if path == "/node/commit" {
        return answer("200 OK", "", format!(r#"{{"transaction_id": "2.{end}"}}"#).as_bytes());
    }
    if let Some(since) = path.strip_prefix("/node/ledger_chunk?since=") {
        let since: u64 = since.parse().unwrap();
        let numbers = |name: &str| -> Vec<u64> {
            name.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
        };
        let has = |name: &str| numbers(name)[0] <= since && since <= *numbers(name).get(1).unwrap_or(&end.0);
        return match files.iter().find(|(name, _)| has(name)) {
            Some((name, _)) => redirect(&format!("/node/ledger_chunk/{name}")),
            None => answer("404 Not Found", "", b""),
        };
    }
    let name = path.rsplit('/').next().unwrap();
    match files.iter().find(|(known, _)| known == name) {
        Some((_, content)) => file(content, range),
        None => answer("404 Not Found", "", b""),
    }
}

pub fn redirect(to: &str) -> Vec<u8> {
    answer("308 Permanent Redirect", &format!("location: {to}\r\n"), b"")
}

/// A file, or the rest of it.
pub fn file(content: &[u8], range: Option<u64>) -> Vec<u8> {
    let digest = crypto::sha256(content);
    let headers = format!(
        "etag: \"{digest}\"\r\nrepr-digest: sha-256=:{}:\r\n",
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest.0)
    );
    match range {
        None => answer("200 OK", &headers, content),
        Some(from) => {
            let range = format!("content-range: bytes {from}-{}/{}\r\n", content.len() - 1, content.len());
            answer("206 Partial Content", &(headers + &range), &content[from as usize..])
        }
    }
}

pub fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Where the body of an answer begins.
pub fn body_at(answer: &[u8]) -> usize {
    answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4
}

/// A node's files that name these doors.
pub fn told(doors: &[String]) -> (NodeFile, JoinFile) {
    let join = JoinFile {
        network: doors.to_vec(),
        service_certificate: "service_cert.pem".into(),
        constitution: None,
        node_data: None,
        published: None,
    };
    let any: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let file = NodeFile {
        http: any,
        governance: any,
        peer: any,
        archive: false,
        endorsements: development::EndorsementServices::default(),
        ledgers: Vec::new(),
        origin: development::Origin::Joiner(join.clone()),
    };
    (file, join)
}
