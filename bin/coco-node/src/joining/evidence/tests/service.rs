//! A vendor's service with the documents of a mock vendor.

use std::sync::{Arc, Mutex};

use attestation::Bytes;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::mock::amd;
use super::mock::intel;

/// What is to be had, and where.
pub struct Document {
    pub path: String,
    pub chain: Option<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// It ends with the runtime that it was made on.
pub struct Service {
    secure: bool,
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Service {
    pub async fn start(secure: bool, documents: Vec<Document>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tls, documents, asked) = (acceptor(), Arc::new(documents), Arc::<Mutex<Vec<String>>>::default());
        let heard = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, documents, heard) = (tls.clone(), documents.clone(), heard.clone());
                tokio::spawn(async move {
                    if secure {
                        answer(tls.accept(stream).await.unwrap(), &documents, &heard).await;
                    } else {
                        answer(stream, &documents, &heard).await;
                    }
                });
            }
        });
        Self { secure, port, asked }
    }

    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// With a certificate that nobody issued, as caches have; it says so little that libraries refuse to read it.
fn acceptor() -> TlsAcceptor {
    let own = include_bytes!("cache.pem");
    let certificate = CertificateDer::from_pem_slice(own).unwrap();
    let private = PrivateKeyDer::from_pem_slice(own).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let key = provider.key_provider.load_private_key(private).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key))));
    TlsAcceptor::from(Arc::new(config))
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, documents: &[Document], heard: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let found = documents.iter().find(|document| document.path == path);
    heard.lock().unwrap().push(path);
    let answer = match found {
        Some(Document { chain, body, .. }) => {
            let chain = chain.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<String>();
            [format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{chain}\r\n", body.len()).as_bytes(), body].concat()
        }
        None => b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(),
    };
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
}

/// As a header carries it.
fn encoded(text: &str) -> String {
    let byte =
        |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(byte).collect()
}

/// A cache of Intel's service for one platform.
pub fn of_intel(build: &intel::Build, tee: &str) -> Vec<Document> {
    let collateral = build.collateral();
    let signed = |name: &str, text: &str, signature: &Bytes| {
        format!("{{\"{name}\":{text},\"signature\":\"{signature}\"}}").into_bytes()
    };
    let tcb = signed("tcbInfo", &collateral.tcb_info, &collateral.tcb_info_signature);
    let identity = signed("enclaveIdentity", &collateral.qe_identity, &collateral.qe_identity_signature);
    let document = |path: String, chain: Option<(&'static str, &str)>, body: Vec<u8>| {
        let chain = chain.map(|(name, text)| (name, encoded(text)));
        Document { path, chain, body }
    };
    let (signers, authorities) = (&collateral.tcb_info_issuer_chain, intel::pem(&build.pck_chain()[1..]));
    let fmspc = const_hex::encode_upper(build.pck.fmspc);
    vec![
        document(format!("/{tee}/certification/v4/tcb?fmspc={fmspc}"), Some(("TCB-Info-Issuer-Chain", signers)), tcb),
        document(
            format!("/{tee}/certification/v4/qe/identity"),
            Some(("SGX-Enclave-Identity-Issuer-Chain", &collateral.qe_identity_issuer_chain)),
            identity,
        ),
        document(
            "/sgx/certification/v4/pckcrl?ca=platform&encoding=der".into(),
            Some(("SGX-PCK-CRL-Issuer-Chain", &authorities)),
            collateral.pck_crl.0.clone(),
        ),
        document("/sgx/certification/v4/rootcacrl".into(), None, const_hex::encode(&collateral.root_ca_crl.0).into()),
    ]
}

/// AMD's service for one chip.
pub fn of_amd(build: &amd::Build) -> Vec<Document> {
    let endorsements = build.endorsements();
    let document = |path: String, body: Vec<u8>| Document { path, chain: None, body };
    let hwid = const_hex::encode(build.vek.hwid.as_ref().unwrap());
    let [bootloader, tee, snp, microcode] = build.vek.tcb;
    let fmc = build.vek.fmc.map(|fmc| format!("fmcSPL={fmc:02}&")).unwrap_or_default();
    let base = format!("/vcek/v1/{}", build.vek.product.split('-').next().unwrap());
    let chip = format!("{hwid}?{fmc}blSPL={bootloader:02}&teeSPL={tee:02}&snpSPL={snp:02}&ucodeSPL={microcode:02}");
    vec![
        document(format!("{base}/crl"), endorsements.crls[0].clone()),
        document(format!("{base}/{chip}"), endorsements.chain[0].clone()),
        document(format!("{base}/cert_chain"), intel::pem(&endorsements.chain[1..]).into_bytes()),
    ]
}

/// A chain as a host hands it over: each certificate under its own name.
pub fn table(chain: &[Vec<u8>]) -> Vec<u8> {
    let names: [u128; 3] = [
        0x63da758d_e664_4564_adc5_f4b93be8accd,
        0x4ab7b379_bbac_4fe4_a02f_05aef327c782,
        0xc0b406a4_a803_4952_9743_3fb6014cd0ae,
    ];
    let mut at = 24 * (chain.len() + 1);
    let (mut head, mut body) = (vec![], vec![]);
    for (name, certificate) in names.iter().zip(chain) {
        head.extend(name.to_be_bytes());
        head.extend((at as u32).to_le_bytes());
        head.extend((certificate.len() as u32).to_le_bytes());
        body.extend(certificate);
        at += certificate.len();
    }
    [head, vec![0; 24], body].concat()
}
