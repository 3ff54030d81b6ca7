//! The HTTP door with more clients than places.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

use std::sync::Arc;
use std::time::Duration;

use adapter::http::{Limits, serve};
use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
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
        tokio::spawn(serve(listener, router, limits, stop.clone()));
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
