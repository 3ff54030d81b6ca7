//! What a caller is told when a call fails, and the one table from the seam's refusals to JSON-RPC codes.

use std::fmt;

use adapter::{Blame, Reject};
use serde::Serialize;

use crate::ReadError;

/// Codes in use. The first five are JSON-RPC's own, the next group is EIP-1474's, the rest belong to single methods.
pub(super) mod code {
    pub(in crate::rpc) const PARSE: i64 = -32700;
    pub(in crate::rpc) const INVALID_REQUEST: i64 = -32600;
    pub(in crate::rpc) const METHOD_NOT_FOUND: i64 = -32601;
    pub(in crate::rpc) const INVALID_PARAMS: i64 = -32602;
    pub(in crate::rpc) const INTERNAL: i64 = -32603;
    /// Everything geth has no code for.
    pub(in crate::rpc) const SERVER: i64 = -32000;
    pub(in crate::rpc) const UNAVAILABLE: i64 = -32002;
    pub(in crate::rpc) const RESPONSE_TOO_LARGE: i64 = -32003;
    pub(in crate::rpc) const LIMIT_EXCEEDED: i64 = -32005;
    /// `data` holds what the contract reverted with.
    pub(in crate::rpc) const REVERTED: i64 = 3;
    /// eth_sendRawTransactionSync: accepted, but no receipt in time. `data` is the hash.
    pub(in crate::rpc) const SYNC_TIMEOUT: i64 = 4;
    /// eth_sendRawTransactionSync: the nonce leaves a gap. `data` is the nonce that would fit.
    pub(in crate::rpc) const SYNC_NONCE_GAP: i64 = 6;
    /// A simulated call failed in the machine.
    pub(in crate::rpc) const VM: i64 = -32015;
    /// More than the node is willing to do for one request.
    pub(in crate::rpc) const CLIENT_LIMIT: i64 = -38026;
}

/// An error object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Error {
    pub(super) code: i64,
    pub(super) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<String>,
}

impl Error {
    pub(super) fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// `data` as the hexadecimal text that clients expect.
    #[must_use]
    pub(super) fn with_data(mut self, data: impl AsRef<[u8]>) -> Self {
        self.data = Some(const_hex::encode_prefixed(data));
        self
    }

    pub(super) fn parse(error: impl fmt::Display) -> Self {
        Self::new(code::PARSE, format!("parse error: {error}"))
    }

    pub(super) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(code::INVALID_REQUEST, message)
    }

    pub(super) fn method_not_found(method: &str) -> Self {
        // A stranger chose the name: enough of it to recognise it is enough.
        let shown: String = method.chars().take(64).collect();
        Self::new(code::METHOD_NOT_FOUND, format!("the method {shown} does not exist/is not available"))
    }

    pub(super) fn params(message: impl Into<String>) -> Self {
        Self::new(code::INVALID_PARAMS, message)
    }

    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(code::INTERNAL, message)
    }

    /// geth's answer to everything without a code of its own.
    pub(super) fn server(message: impl Into<String>) -> Self {
        Self::new(code::SERVER, message)
    }

    pub(super) fn busy() -> Self {
        Self::from(Reject::busy())
    }

    pub(super) fn header_not_found() -> Self {
        Self::server("header not found")
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        // Strings and a number: this cannot fail, and a torn object must not leave if it did.
        match serde_json::to_vec(self) {
            Ok(json) => out.extend_from_slice(&json),
            Err(_) => out.extend_from_slice(br#"{"code":-32603,"message":"the error cannot be written"}"#),
        }
    }
}

/// The table. A refusal by the adapter brings its own code; the node's own refusals have none.
impl From<Reject> for Error {
    fn from(reject: Reject) -> Self {
        let code = match (reject.code, reject.blame) {
            (0, Blame::Caller | Blame::Conflict) => code::SERVER,
            (0, Blame::Busy) => code::LIMIT_EXCEEDED,
            (0, Blame::Unavailable) => code::UNAVAILABLE,
            (0, Blame::Node) => code::INTERNAL,
            (own, _) => own,
        };
        let message = match (reject.code, reject.blame) {
            // Of the node's own, only a place in the line that is taken: for geth's clients, a replacement that bids too low.
            (0, Blame::Conflict) => "replacement transaction underpriced".to_owned(),
            _ => reject.message,
        };
        let error = Self::new(code, message);
        match reject.data {
            Some(data) => error.with_data(data),
            None => error,
        }
    }
}

/// What a version could not tell.
impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Future { .. } => Self::header_not_found(),
            ReadError::Pruned { .. } => Self::server(error.to_string()),
            ReadError::NotOpen => Self::new(code::UNAVAILABLE, error.to_string()),
            // This node's disk or memory is at fault, not the caller.
            ReadError::History(_) | ReadError::Corrupt(_) => {
                tracing::error!(%error, "a read failed");
                Self::internal("this node could not read what was asked for: ask another node, and tell its operator")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_its_own_code_and_the_nodes_refusals_get_one() {
        let own = Error::from(Reject::caller(3, "execution reverted").with_data([8, 195]));
        assert_eq!((own.code, own.data.as_deref()), (3, Some("0x08c3")));
        assert_eq!(Error::from(Reject::busy()).code, code::LIMIT_EXCEEDED);
        assert_eq!(Error::from(Reject::unavailable()).code, code::UNAVAILABLE);
        let taken = Error::from(Reject::new(Blame::Conflict, 0, "other work already waits in this place"));
        assert_eq!((taken.code, taken.message.as_str()), (code::SERVER, "replacement transaction underpriced"));
        let late = Error::from(Reject::new(Blame::Conflict, code::SERVER, "nonce too low"));
        assert_eq!(late.message, "nonce too low");
    }
}
