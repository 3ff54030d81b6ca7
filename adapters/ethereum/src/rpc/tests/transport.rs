//! HTTP and WebSocket over real sockets.

use std::net::SocketAddr;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::Network;
use crate::rpc::listen;

struct Served {
    network: Network,
    address: SocketAddr,
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

async fn serve() -> Served {
    let network = Network::development();
    let door = listen(network.ethereum.clone(), network.node.clone()).pop().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let task = AbortOnDropHandle::new(tokio::spawn((door.serve)(adapter::Socket::new(listener, None), stop.clone())));
    Served { network, address, stop, task }
}

impl Served {
    /// Sends a request and reads the reply to its end: status line and headers, and the body.
    async fn http(&self, head: &str, body: &[u8]) -> (String, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!("{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        // A server that refuses does not read on.
        let _ = stream.write_all(body).await;
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply).await;
        let reply = String::from_utf8(reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        (head.to_lowercase(), body.to_owned())
    }

    async fn status(&self, head: &str, body: &[u8]) -> u16 {
        self.http(head, body).await.0.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

const JSON: &str = "POST / HTTP/1.1\r\nContent-Type: application/json";
const CHAIN_ID: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#;

#[tokio::test]
async fn http_is_as_strict_as_geth() {
    let served = serve().await;
    let (head, body) = served.http(JSON, CHAIN_ID).await;
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: application/json"), "{head}");
    assert_eq!(body, r#"{"jsonrpc":"2.0","id":1,"result":"0x539"}"#);
    let with = |kind: &str| format!("POST / HTTP/1.1\r\nContent-Type: {kind}");
    for kind in ["application/json; charset=utf-8", "application/json-rpc", "application/jsonrequest"] {
        assert_eq!(served.status(&with(kind), CHAIN_ID).await, 200, "{kind}");
    }
    assert_eq!(served.status(&with("text/plain"), CHAIN_ID).await, 415);
    assert_eq!(served.status("POST / HTTP/1.1", CHAIN_ID).await, 415);
    assert_eq!(served.status("GET / HTTP/1.1", b"").await, 200);
    assert_eq!(served.status("PUT / HTTP/1.1", CHAIN_ID).await, 405);
    assert_eq!(served.status("DELETE / HTTP/1.1", b"").await, 405);
    let (_, body) = served.http(JSON, b"{").await;
    assert!(body.contains("-32700"), "{body}");
}

#[tokio::test]
async fn bodies_are_bounded() {
    let served = serve().await;
    let padded = |size: usize| [CHAIN_ID, &vec![b' '; size - CHAIN_ID.len()]].concat();
    let most = crate::rpc::server::BODY_MAX;
    assert_eq!(served.status(JSON, &padded(most)).await, 200);
    assert_eq!(served.status(JSON, &padded(most + 1)).await, 413);
}

#[tokio::test]
async fn bodies_that_are_announced_and_do_not_come_take_no_room() {
    let served = serve().await;
    let mut idle = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let head = format!("{JSON}\r\nHost: x\r\nContent-Length: {}\r\n\r\n", crate::rpc::server::BODY_MAX);
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(b"{").await.unwrap();
        idle.push(stream);
    }
    assert_eq!(served.status(JSON, CHAIN_ID).await, 200);
    // And not because the others had to go.
    assert!(idle.iter().all(|stream| stream.try_read(&mut [0]).is_err()));
}

#[tokio::test]
async fn browsers_may_ask() {
    let served = serve().await;
    let asked = "OPTIONS / HTTP/1.1\r\nOrigin: http://x\r\nAccess-Control-Request-Headers: content-type,x-y";
    let (head, _) = served.http(asked, b"").await;
    assert!(head.starts_with("http/1.1 204"), "{head}");
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
    assert!(head.contains("access-control-allow-headers: content-type,x-y"), "{head}");
    let (head, _) = served.http(JSON, CHAIN_ID).await;
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
}

struct Socket(tokio_tungstenite::WebSocketStream<TcpStream>);

impl Socket {
    async fn open(served: &Served) -> Self {
        let stream = TcpStream::connect(served.address).await.unwrap();
        let url = format!("ws://{}/", served.address);
        Self(tokio_tungstenite::client_async(url, stream).await.unwrap().0)
    }

    async fn send(&mut self, value: Value) {
        self.0.send(Message::text(value.to_string())).await.unwrap();
    }

    async fn next(&mut self) -> Value {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.send(json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})).await;
        self.next().await["result"].take()
    }
}

#[tokio::test]
async fn a_websocket_is_told_of_blocks_logs_and_transactions() {
    let served = serve().await;
    let mut socket = Socket::open(&served).await;
    assert_eq!(socket.call("eth_chainId", json!([])).await, "0x539");
    let heads = socket.call("eth_subscribe", json!(["newHeads"])).await;
    let hashes = socket.call("eth_subscribe", json!(["newPendingTransactions"])).await;
    let logs = socket.call("eth_subscribe", json!(["logs", {"topics": []}])).await;
    let from = served.network.ask("eth_accounts", json!([])).await.unwrap()[0].clone();
    // Its constructor writes a log.
    let send = json!([{"from": from, "data": "0x60006000a0"}]);
    let hash = served.network.ask("eth_sendTransaction", send).await.unwrap();
    let mut notes = Vec::new();
    for _ in 0..3 {
        let note = socket.next().await;
        assert_eq!(note["method"], "eth_subscription");
        notes.push(note["params"].clone());
    }
    let of = |id: &Value| &notes.iter().find(|note| note["subscription"] == *id).unwrap()["result"];
    assert_eq!(of(&heads)["number"], "0x1");
    assert_eq!(*of(&hashes), hash);
    assert_eq!(of(&logs)["transactionHash"], hash);
    for id in [&heads, &hashes, &logs] {
        assert_eq!(socket.call("eth_unsubscribe", json!([id])).await, json!(true));
    }
    served.network.ask("eth_sendTransaction", json!([{"from": from, "to": from}])).await.unwrap();
    assert_eq!(socket.call("eth_blockNumber", json!([])).await, "0x2", "and nothing before that answer");
}

#[tokio::test]
async fn a_stopping_node_says_so_and_ends() {
    let served = serve().await;
    let mut socket = Socket::open(&served).await;
    assert_eq!(socket.call("eth_chainId", json!([])).await, "0x539");
    served.stop.cancel();
    let close = loop {
        if let Message::Close(frame) = socket.0.next().await.unwrap().unwrap() {
            break frame.unwrap();
        }
    };
    assert_eq!(u16::from(close.code), 1001);
    served.task.await.unwrap();
}
