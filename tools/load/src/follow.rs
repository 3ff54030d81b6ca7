//! A node's blocks as they appear: it announces them over a WebSocket, and their receipts are read a block at a time.
//!
//! Nothing is polled. A block's announcement is when its receipts can be read from that node; [`Receipts`] does read them.

use std::ops::RangeInclusive;
use std::time::Duration;

use alloy_primitives::{B256, U64};
use futures::{FutureExt, SinkExt, StreamExt};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use crate::{Endpoint, Error, Rpc};

const DEADLINE: Duration = Duration::from_secs(60);
const SUBSCRIBE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}"#;

/// What a node announces, from the moment it was asked.
pub struct Heads {
    at: String,
    socket: WebSocketStream<TcpStream>,
    next: u64,
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

impl Heads {
    pub async fn subscribe(endpoint: &Endpoint) -> Result<Self, Error> {
        let at = endpoint.to_string();
        let stream = TcpStream::connect(&endpoint.authority)
            .await
            .map_err(|source| Error::Unreachable { at: at.clone(), source })?;
        let url = format!("ws://{}{}", endpoint.authority, endpoint.path);
        let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.map_err(|e| no_socket(&at, &e))?;
        socket.send(Message::text(SUBSCRIBE)).await.map_err(|e| no_socket(&at, &e))?;
        let mut rpc = Rpc::new(endpoint.clone(), DEADLINE);
        let head: U64 = rpc.call("eth_blockNumber", [(); 0]).await?;
        let mut heads = Self { at, socket, next: head.to::<u64>() + 1 };
        // The subscription stands once it is answered. A block may come between the two, and is announced with the next.
        if heads.one().await?.is_some() {
            return Err(Error::Foreign { at: heads.at, what: "a block was announced before the subscription".into() });
        }
        Ok(heads)
    }

    /// Waits for blocks that were not announced before.
    pub async fn next(&mut self) -> Result<RangeInclusive<u64>, Error> {
        let mut head = loop {
            match self.one().await? {
                Some(head) if head >= self.next => break head,
                _ => {}
            }
        };
        while let Some(newer) = self.one().now_or_never().transpose()? {
            head = head.max(newer.unwrap_or(head));
        }
        let first = self.next;
        self.next = head + 1;
        Ok(first..=head)
    }

    /// The next announcement; `None` for the answer to the subscription.
    async fn one(&mut self) -> Result<Option<u64>, Error> {
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

/// Reads receipts from one node.
pub struct Receipts {
    rpc: Rpc,
    /// Whether the node gives all receipts of a block at once; Hardhat does not.
    whole: bool,
}

/// The part of a receipt that is looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    transaction_hash: B256,
    block_hash: B256,
    status: U64,
}

impl Receipts {
    pub async fn of(endpoint: &Endpoint) -> Result<Self, Error> {
        let mut rpc = Rpc::new(endpoint.clone(), DEADLINE);
        let asked = rpc.batch::<serde::de::IgnoredAny>("eth_getBlockReceipts", [["latest"]]).await?;
        let whole = !asked.iter().any(|answer| answer.as_ref().is_err_and(crate::Refusal::unknown_method));
        Ok(Self { rpc, whole })
    }

    /// Blocks that were announced, without those that have no transactions.
    pub async fn read(&mut self, numbers: &[u64]) -> Result<Vec<SeenBlock>, Error> {
        let blocks = if self.whole { self.read_whole(numbers).await? } else { self.read_each(numbers).await? };
        let seen = blocks.into_iter().zip(numbers).filter_map(|(receipts, &number)| {
            let hash = receipts.first()?.block_hash;
            let receipts = receipts.iter().map(|receipt| SeenReceipt {
                transaction: receipt.transaction_hash,
                succeeded: receipt.status == U64::from(1),
            });
            Some(SeenBlock { number, hash, receipts: receipts.collect() })
        });
        Ok(seen.collect())
    }

    async fn read_whole(&mut self, numbers: &[u64]) -> Result<Vec<Vec<Receipt>>, Error> {
        let params = numbers.iter().map(|number| [U64::from(*number)]);
        let blocks = self.rpc.batch::<Option<Vec<Receipt>>>("eth_getBlockReceipts", params).await?;
        let receipts = blocks.into_iter().zip(numbers);
        receipts.map(|(receipts, number)| self.there(receipts, &format!("the receipts of block {number}"))).collect()
    }

    async fn read_each(&mut self, numbers: &[u64]) -> Result<Vec<Vec<Receipt>>, Error> {
        #[derive(Deserialize)]
        struct Block {
            transactions: Vec<B256>,
        }
        let params = numbers.iter().map(|number| (U64::from(*number), false));
        let blocks = self.rpc.batch::<Option<Block>>("eth_getBlockByNumber", params).await?;
        let mut all = Vec::new();
        for (block, number) in blocks.into_iter().zip(numbers) {
            let Block { transactions } = self.there(block, &format!("block {number}"))?;
            let hashes = transactions.iter().map(|hash| [hash]);
            let receipts = self.rpc.batch::<Option<Receipt>>("eth_getTransactionReceipt", hashes).await?;
            let what = format!("a receipt of block {number}");
            all.push(receipts.into_iter().map(|receipt| self.there(receipt, &what)).collect::<Result<_, _>>()?);
        }
        Ok(all)
    }

    fn there<T>(&self, answer: Result<Option<T>, crate::Refusal>, what: &str) -> Result<T, Error> {
        let missing = |why: String| Error::Foreign { at: self.rpc.endpoint().to_string(), what: why };
        answer
            .map_err(|refusal| missing(format!("{what}: {refusal}")))?
            .ok_or_else(|| missing(format!("{what}: announced and not there")))
    }
}
