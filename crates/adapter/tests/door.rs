//! The HTTP door with more clients than places.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

use std::sync::Arc;
use std::time::Duration;

use adapter::Socket;
use adapter::http::{Limits, serve};
use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use crypto::KeyPair;
use crypto::certificate::{self, Validity};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

const PLACES: usize = 4;

struct Door {
    address: std::net::SocketAddr,
    /// A request to `/slow` is being worked for.
    begun: Arc<Semaphore>,
    /// Lets one of them end.
    done: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Door {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (begun, done) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let slow = (begun.clone(), done.clone());
        let router = Router::new().route("/echo", post(|body: Bytes| async move { body })).route(
            "/slow",
            get(move || async move {
                let (begun, done) = slow;
                begun.add_permits(1);
                done.acquire().await.unwrap().forget();
                "slow"
            }),
        );
        // Nobody is thrown out for being slow alone in these tests.
        let limits = Limits { connections_max: PLACES, idle_timeout: Duration::from_secs(3_600), ..Limits::default() };
        let stop = CancellationToken::new();
        tokio::spawn(serve(Socket::new(listener, None), router, limits, stop.clone()));
        Self { address, begun, done, stop }
    }

    /// A client that says this and then nothing.
    async fn client(&self, says: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(says.as_bytes()).await.unwrap();
        stream
    }

    async fn honest(&self) -> String {
        // A connection that is told to go before it was read from may be reset.
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = "POST /echo HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi";
        let _ = stream.write_all(request.as_bytes()).await;
        rest(&mut stream).await
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn slow_clients_push_out_each_other_and_nobody_else() {
    let door = Door::open().await;
    for says in ["", "POST /echo HTTP/1.1\r\nhost", "POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 9\r\n\r\nhal"] {
        let mut slow = Vec::new();
        for _ in 0..10 * PLACES {
            slow.push(door.client(says).await);
        }
        for _ in 0..10 {
            let answer = door.honest().await;
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hi"), "after {says:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_client_that_is_worked_for_keeps_its_place() {
    let door = Door::open().await;
    let mut working = Vec::new();
    for _ in 0..PLACES {
        working.push(door.client("GET /slow HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").await);
        door.begun.acquire().await.unwrap().forget();
    }
    let answer = door.honest().await;
    assert!(answer.starts_with("HTTP/1.1 503 ") || answer.is_empty(), "{answer:?}");
    door.done.add_permits(PLACES);
    for mut client in working {
        let answer = rest(&mut client).await;
        assert!(answer.ends_with("slow"), "{answer:?}");
    }
}

#[tokio::test]
async fn tls_comes_first_where_it_is_asked_for() {
    let (service_key, node_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let always = Validity { from: 0, until: 4_000_000_000 };
    let service = certificate::service(&service_key, "a service", always).unwrap();
    let node = certificate::node(node_key.public(), &service_key, &service, &["127.0.0.1".into()], always).unwrap();
    let chain = vec![node.der().to_vec().into()];
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(node_key.to_pkcs8_der().unwrap().to_vec().into());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = [&rustls::version::TLS13];
    let server = rustls::ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&versions);
    let server = server.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/echo", post(|body: Bytes| async move { body }));
    let limits = Limits { connections_max: 1, ..Limits::default() };
    let socket = Socket::new(listener, Some(Arc::new(server).into()));
    tokio::spawn(serve(socket, router, limits, CancellationToken::new()));

    // Who shakes no hands holds the only place, and loses it to who does.
    let mute = TcpStream::connect(address).await.unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(service.der().to_vec().into()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(&versions).unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = "127.0.0.1".try_into().unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap();
    let request = "POST /echo HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 200") && reply.ends_with("hi"), "{reply}");
    drop(mute);
}
