//! Bodies that are read and not run, for tests that give any (`fuzz/`).

use std::sync::Arc;

use adapter::Node;

use super::{Rpc, dispatch};
use crate::Ethereum;

/// JSON-RPC without a socket and without workers.
pub struct RpcReader(Arc<Rpc>);

impl RpcReader {
    pub fn new(ethereum: Arc<Ethereum>, node: Node) -> Self {
        Self(Arc::new(Rpc::new(ethereum, node)))
    }

    /// Takes a body apart, and begins its calls: each reads its parameters. Gives the replies that need nothing more.
    #[must_use]
    pub fn read(&self, body: &[u8]) -> Vec<Vec<u8>> {
        dispatch::begin(&self.0, body, None).replies()
    }
}
