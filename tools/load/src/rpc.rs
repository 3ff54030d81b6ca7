//! Typed JSON-RPC over one connection that is opened when it is needed.

use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use crate::http::{Connection, Wire};
use crate::{Endpoint, Error};

/// A node's own word for why it did not do something.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Refusal {
    pub code: i64,
    pub message: String,
}

impl Refusal {
    /// The same call may succeed a little later: the node is full, or the network is without a primary.
    #[must_use]
    pub fn passes(&self) -> bool {
        const UNAVAILABLE: i64 = -32002;
        const LIMIT_EXCEEDED: i64 = -32005;
        matches!(self.code, UNAVAILABLE | LIMIT_EXCEEDED)
    }

    /// The node does not know the method.
    #[must_use]
    pub fn unknown_method(&self) -> bool {
        const METHOD_NOT_FOUND: i64 = -32601;
        const METHOD_NOT_SUPPORTED: i64 = -32004;
        matches!(self.code, METHOD_NOT_FOUND | METHOD_NOT_SUPPORTED)
    }

    /// The place of a transaction in its sender's line is taken: by itself, if it was sent before. Its receipt tells.
    #[must_use]
    pub fn nonce_is_used(&self) -> bool {
        self.message.contains("nonce too low")
    }

    /// The node has the transaction already: from a node of Coco, in a block; from others, perhaps only in their pool.
    #[must_use]
    pub fn already_known(&self) -> bool {
        self.message.contains("already known")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {})", self.message, self.code)
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Reply<T> {
    id: Option<usize>,
    /// Absent beside an error; `null` is a result.
    #[serde(default = "absent", deserialize_with = "present")]
    result: Option<T>,
    error: Option<Refusal>,
}

fn absent<T>() -> Option<T> {
    None
}

fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A client of one node. One call at a time; after a failure the next call opens a new connection.
pub struct Rpc {
    endpoint: Endpoint,
    deadline: Duration,
    connection: Option<Connection>,
    body: String,
}

impl Rpc {
    #[must_use]
    pub fn new(endpoint: Endpoint, deadline: Duration) -> Self {
        Self { endpoint, deadline, connection: None, body: String::new() }
    }

    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What went over the connection that is open.
    #[must_use]
    pub fn wire(&self) -> Wire {
        self.connection.as_ref().map(Connection::wire).unwrap_or_default()
    }

    /// Opens the connection ahead of the first call.
    pub async fn connect(&mut self) -> Result<(), Error> {
        if self.connection.is_none() {
            self.connection = Some(Connection::open(&self.endpoint).await?);
        }
        Ok(())
    }

    /// One call. A refusal is an error.
    pub async fn call<T: DeserializeOwned>(&mut self, method: &str, params: impl Serialize) -> Result<T, Error> {
        self.body.clear();
        self.add_call(0, method, &params)?;
        let reply: Reply<T> = self.exchange(method).await?;
        self.result(method, reply)?.map_err(|refusal| Error::Refused {
            at: self.endpoint.to_string(),
            what: method.into(),
            refusal,
        })
    }

    /// The same method with several parameters, in one request. Results come in the order of the parameters.
    pub async fn batch<T: DeserializeOwned>(
        &mut self,
        method: &str,
        params: impl IntoIterator<Item = impl Serialize>,
    ) -> Result<Vec<Result<T, Refusal>>, Error> {
        self.body.clear();
        self.body.push('[');
        let mut count = 0;
        for params in params {
            if count > 0 {
                self.body.push(',');
            }
            self.add_call(count, method, &params)?;
            count += 1;
        }
        self.body.push(']');
        if count == 0 {
            return Ok(Vec::new());
        }
        self.batch_results(method, count).await
    }

    /// Sends signed transactions: one as a single call, more as a batch.
    pub async fn send(&mut self, raws: &[&[u8]]) -> Result<Vec<Result<(), Refusal>>, Error> {
        const METHOD: &str = "eth_sendRawTransaction";
        let batch = raws.len() > 1;
        self.body.clear();
        self.body.push_str(if batch { "[" } else { "" });
        for (id, raw) in raws.iter().enumerate() {
            self.body.push_str(if id > 0 { "," } else { "" });
            // Writing to a string cannot fail.
            let _ = write!(self.body, r#"{{"jsonrpc":"2.0","id":{id},"method":"{METHOD}","params":["0x"#);
            self.body.push_str(&const_hex::encode(raw));
            self.body.push_str("\"]}");
        }
        self.body.push_str(if batch { "]" } else { "" });
        if batch {
            return Ok(self
                .batch_results::<Hash>(METHOD, raws.len())
                .await?
                .into_iter()
                .map(|r| r.map(drop))
                .collect());
        }
        let reply: Reply<Hash> = self.exchange(METHOD).await?;
        Ok(vec![self.result(METHOD, reply)?.map(drop)])
    }

    fn add_call(&mut self, id: usize, method: &str, params: &impl Serialize) -> Result<(), Error> {
        let params = serde_json::to_string(params)
            .map_err(|e| Error::Load(format!("the parameters of {method} cannot be written: {e}")))?;
        let _ = write!(self.body, r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#);
        Ok(())
    }

    async fn batch_results<T: DeserializeOwned>(
        &mut self,
        method: &str,
        count: usize,
    ) -> Result<Vec<Result<T, Refusal>>, Error> {
        let mut replies: Vec<Reply<T>> = self.exchange(method).await?;
        replies.sort_by_key(|reply| reply.id);
        if replies.len() != count || (0..count).any(|id| replies[id].id != Some(id)) {
            return Err(self.foreign(format!("its answers to {count} calls of {method} do not match them")));
        }
        replies.into_iter().map(|reply| self.result(method, reply)).collect()
    }

    fn result<T>(&self, method: &str, reply: Reply<T>) -> Result<Result<T, Refusal>, Error> {
        match (reply.result, reply.error) {
            (_, Some(refusal)) => Ok(Err(refusal)),
            (Some(result), None) => Ok(Ok(result)),
            (None, None) => Err(self.foreign(format!("neither result nor error of {method}"))),
        }
    }

    fn foreign(&self, what: String) -> Error {
        Error::Foreign { at: self.endpoint.to_string(), what }
    }

    async fn exchange<T: DeserializeOwned>(&mut self, method: &str) -> Result<T, Error> {
        let exchanged = async {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => Connection::open(&self.endpoint).await?,
            };
            let answer = connection.post(self.body.as_bytes()).await?;
            let read = serde_json::from_slice(answer).map_err(|e| Error::Foreign {
                at: self.endpoint.to_string(),
                what: format!("its answer to {method}: {e}"),
            });
            // Only a connection whose answer was read whole is used again; so it is taken out meanwhile.
            self.connection = Some(connection);
            read
        };
        match tokio::time::timeout(self.deadline, exchanged).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Late { at: self.endpoint.to_string(), what: method.into() }),
        }
    }
}

/// A transaction's hash, which the sender knows already.
type Hash = serde::de::IgnoredAny;

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: DeserializeOwned>(text: &str) -> Result<T, Option<Refusal>> {
        let reply: Reply<T> = serde_json::from_str(text).unwrap();
        reply.result.ok_or(reply.error)
    }

    #[test]
    fn null_is_a_result_and_an_error_is_none() {
        assert_eq!(read::<Option<u64>>(r#"{"jsonrpc":"2.0","id":1,"result":null}"#), Ok(None));
        assert_eq!(read::<Option<u64>>(r#"{"id":1,"result":7}"#), Ok(Some(7)));
        assert_eq!(read::<Option<u64>>(r#"{"id":1}"#), Err(None));
        let refused = read::<u64>(r#"{"id":null,"error":{"code":-32005,"message":"busy","data":"0x"}}"#).unwrap_err();
        assert!(refused.unwrap().passes());
        let low = Refusal { code: -32000, message: "nonce too low: next nonce 5, tx nonce 4".into() };
        assert!(low.nonce_is_used() && !low.passes() && !low.already_known());
    }
}
