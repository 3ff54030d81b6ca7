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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_async;

    use super::*;

    const TAKEN: &str = r#"{"jsonrpc":"2.0","id":1,"result":"0x1"}"#;
    const HASH: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";

    /// Answers POSTs one after another: each answer belongs to a request that names the method.
    async fn answer(stream: &mut TcpStream, answers: &[(&str, String)]) {
        for (method, answer) in answers {
            let mut asked = vec![0; 64 << 10];
            let mut length = 0;
            while !asked[..length].ends_with(b"}") && !asked[..length].ends_with(b"]") {
                length += stream.read(&mut asked[length..]).await.unwrap();
            }
            assert!(String::from_utf8_lossy(&asked[..length]).contains(method), "{method}");
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    fn result(result: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":0,"result":{result}}}"#)
    }

    #[tokio::test]
    async fn blocks_that_were_passed_over_count_as_announced() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint::from(listener.local_addr().unwrap());
        let node = async {
            let mut socket = accept_async(listener.accept().await.unwrap().0).await.unwrap();
            let (mut http, _) = listener.accept().await.unwrap();
            answer(&mut http, &[("eth_blockNumber", result("\"0x4\""))]).await;
            socket.send(Message::text(TAKEN)).await.unwrap();
            for number in ["0x4", "0x5", "0x8"] {
                let head = format!(r#"{{"params":{{"result":{{"number":"{number}","hash":"{HASH}"}}}}}}"#);
                socket.send(Message::text(head)).await.unwrap();
            }
            socket
        };
        let client = async {
            let mut heads = Heads::subscribe(&endpoint).await.unwrap();
            let mut announced = Vec::new();
            while announced.len() < 4 {
                announced.extend(heads.next().await.unwrap());
            }
            announced
        };
        let (announced, _open) = tokio::join!(client, node);
        assert_eq!(announced, [5, 6, 7, 8]);
    }

    #[tokio::test]
    async fn receipts_are_read_one_by_one_where_a_block_s_are_not_given() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint::from(listener.local_addr().unwrap());
        let receipt =
            format!(r#"{{"transactionHash":"{HASH}","blockHash":"{HASH}","status":"0x0","logs":[],"gasUsed":"0x1"}}"#);
        let unknown = r#"[{"id":0,"error":{"code":-32004,"message":"Method eth_getBlockReceipts is not supported"}}]"#;
        let node = async {
            let (mut http, _) = listener.accept().await.unwrap();
            let block = format!(r#"{{"transactions":["{HASH}"]}}"#);
            let answers = [
                ("eth_getBlockReceipts", unknown.into()),
                ("eth_getBlockByNumber", format!("[{}]", result(&block))),
                ("eth_getTransactionReceipt", format!("[{}]", result(&receipt))),
            ];
            answer(&mut http, &answers).await;
        };
        let client = async {
            let mut receipts = Receipts::of(&endpoint).await.unwrap();
            receipts.read(&[7]).await.unwrap()
        };
        let (seen, ()) = tokio::join!(client, node);
        let hash: B256 = HASH.parse().unwrap();
        let receipts = vec![SeenReceipt { transaction: hash, succeeded: false }];
        assert_eq!(seen, [SeenBlock { number: 7, hash, receipts }]);
    }
}
