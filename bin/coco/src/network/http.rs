//! Asking nodes: blocking HTTP to addresses on this machine, with a deadline and a bound on every answer.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// No answer that `coco` asks for is larger.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Keeps connections open between calls.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
}

/// Why there is no result.
#[derive(Debug)]
pub enum RpcError {
    /// No answer, or none that makes sense.
    Transport(String),
    /// The node's own word.
    Refused { code: i64, message: String, data: Option<Value> },
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(what) => f.write_str(what),
            Self::Refused { code, message, data: None } => write!(f, "{message} (code {code})"),
            Self::Refused { code, message, data: Some(data) } => write!(f, "{message} (code {code}, {data})"),
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    result: Value,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: i64,
    message: String,
    data: Option<Value>,
}

impl Client {
    pub fn new(deadline: Duration) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(deadline))
            .http_status_as_error(false)
            // Nodes are on this machine, whatever the environment says about reaching others.
            .proxy(None)
            .max_redirects(0)
            .build();
        Self { agent: config.new_agent() }
    }

    /// A JSON document.
    pub fn get<T: DeserializeOwned>(&self, address: SocketAddr, path: &str) -> Result<T, String> {
        let mut answer = self.agent.get(format!("http://{address}{path}")).call().map_err(|e| e.to_string())?;
        if answer.status() != 200 {
            return Err(format!("{address}{path} answered with status {}", answer.status()));
        }
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().map_err(|e| e.to_string())?;
        serde_json::from_slice(&body).map_err(|e| format!("{address}{path} answered with unexpected JSON: {e}"))
    }

    /// One call of JSON-RPC.
    pub fn call(&self, address: SocketAddr, method: &str, params: &Value) -> Result<Value, RpcError> {
        let request = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let transport = |e: ureq::Error| RpcError::Transport(format!("no answer from {address}: {e}"));
        let mut answer = self
            .agent
            .post(format!("http://{address}"))
            .content_type("application/json")
            .send(request.to_string())
            .map_err(transport)?;
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().map_err(transport)?;
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|e| RpcError::Transport(format!("{address} does not answer with JSON-RPC: {e}")))?;
        match answer.error {
            Some(Refusal { code, message, data }) => Err(RpcError::Refused { code, message, data }),
            None => Ok(answer.result),
        }
    }
}
