//! Receipts as they appear: the node announces blocks over a WebSocket, and their receipts are read a block at a time.

use alloy_primitives::{B256, U64};
use futures::{FutureExt, SinkExt, StreamExt};
use serde::Deserialize;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use crate::{Endpoint, Error, Rpc};

/// Blocks whose receipts are asked for in one request.
const BLOCKS_MAX: u64 = 32;
const DEADLINE: Duration = Duration::from_secs(60);
const SUBSCRIBE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}"#;

/// A block that has transactions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeenBlock {
    pub number: u64,
    pub hash: B256,
    pub receipts: Vec<SeenReceipt>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SeenReceipt {
    pub transaction: B256,
    /// Whether the transaction did what it was meant to.
    pub succeeded: bool,
}

/// Sees every block from the moment it was started.
pub struct Follower {
    at: String,
    socket: WebSocketStream<TcpStream>,
    rpc: Rpc,
    next: u64,
}

/// The part of a receipt that is looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    transaction_hash: B256,
    block_hash: B256,
    status: U64,
}

/// A message of the subscription; the first is the answer to its making.
#[derive(Deserialize)]
struct Notice {
    params: Option<Params>,
    error: Option<crate::Refusal>,
}

#[derive(Deserialize)]
struct Params {
    result: Head,
}

#[derive(Deserialize)]
struct Head {
    number: U64,
}

impl Follower {
    pub async fn start(endpoint: &Endpoint) -> Result<Self, Error> {
        let at = endpoint.to_string();
        let stream = TcpStream::connect(&endpoint.authority)
            .await
            .map_err(|source| Error::Unreachable { at: at.clone(), source })?;
        let url = format!("ws://{}{}", endpoint.authority, endpoint.path);
        let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.map_err(|e| no_socket(&at, &e))?;
        socket.send(Message::text(SUBSCRIBE)).await.map_err(|e| no_socket(&at, &e))?;
        let mut rpc = Rpc::new(endpoint.clone(), DEADLINE);
        let mut follower = {
            let head: U64 = rpc.call("eth_blockNumber", [(); 0]).await?;
            Self { at, socket, rpc, next: head.to::<u64>() + 1 }
        };
        // The subscription stands once it is answered. A block may come between the two, and is read with the next.
        if follower.head().await?.is_some() {
            return Err(Error::Foreign {
                at: follower.at,
                what: "a block was announced before the subscription".into(),
            });
        }
        Ok(follower)
    }

    /// Waits for blocks that were not given yet, and gives those that have transactions.
    pub async fn blocks(&mut self) -> Result<Vec<SeenBlock>, Error> {
        let mut head = loop {
            match self.head().await? {
                Some(head) if head >= self.next => break head,
                _ => {}
            }
        };
        // What was announced meanwhile is read in the same request.
        while let Some(newer) = self.head().now_or_never().transpose()? {
            head = head.max(newer.unwrap_or(head));
        }
        let mut seen = Vec::new();
        while self.next <= head {
            let numbers = self.next..=head.min(self.next + BLOCKS_MAX - 1);
            let params = numbers.clone().map(|number| [U64::from(number)]);
            let blocks = self.rpc.batch::<Option<Vec<Receipt>>>("eth_getBlockReceipts", params).await?;
            self.next = numbers.end() + 1;
            for (number, receipts) in numbers.zip(blocks) {
                let missing = |why: String| Error::Foreign { at: self.at.clone(), what: why };
                let receipts = receipts
                    .map_err(|refusal| missing(format!("the receipts of block {number}: {refusal}")))?
                    .ok_or_else(|| missing(format!("block {number} was announced and is not there")))?;
                if let Some(first) = receipts.first() {
                    let hash = first.block_hash;
                    let receipts = receipts.iter().map(|receipt| SeenReceipt {
                        transaction: receipt.transaction_hash,
                        succeeded: receipt.status == U64::from(1),
                    });
                    seen.push(SeenBlock { number, hash, receipts: receipts.collect() });
                }
            }
        }
        Ok(seen)
    }

    /// The next announcement; `None` for the answer to the subscription.
    async fn head(&mut self) -> Result<Option<u64>, Error> {
        loop {
            let message = match self.socket.next().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Err(no_socket(&self.at, &error)),
                None => return Err(no_socket(&self.at, &WsError::ConnectionClosed)),
            };
            let Message::Text(text) = message else { continue };
            let foreign = |what: String| Error::Foreign { at: self.at.clone(), what };
            let notice: Notice =
                serde_json::from_str(text.as_str()).map_err(|e| foreign(format!("an announcement of a block: {e}")))?;
            if let Some(refusal) = notice.error {
                return Err(foreign(format!("eth_subscribe: {refusal}")));
            }
            return Ok(notice.params.map(|params| params.result.number.to()));
        }
    }
}

fn no_socket(at: &str, error: &WsError) -> Error {
    Error::Foreign { at: at.into(), what: format!("over WebSocket: {error}") }
}
