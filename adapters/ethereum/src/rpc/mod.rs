//! JSON-RPC for Ethereum's tools: HTTP and WebSocket on one port.
//!
//! ```text
//!  server ─ body ─▶ dispatch ─ call ─▶ methods (the table) ─▶ a handler, by theme:
//!  websocket ────┘   (framing, params)                          chain, blocks, transactions, state, proofs, calls,
//!                                                               estimate, simulate, logs, filters, subscriptions,
//!                                                               fees, accounts, signing, debug, txpool, config
//! ```
//!
//! A handler reads a [`View`](crate::View), one committed version; a transaction goes down the road by `Node::submit`
//! and is answered when it is committed and visible on this node. Since commit is final, `latest`, `safe` and
//! `finalized` are the same block. `pending` is the head too, for nothing of what comes is shown before commit; asked for
//! as a block it is the beginning of the next header, without transactions.
//!
//! To add a method: a line in `methods.rs`, a handler in the file of its theme.

mod access_list;
mod accounts;
mod blocks;
mod calls;
mod chain;
mod config;
mod deadline;
mod debug;
mod dispatch;
mod errors;
mod estimate;
mod fees;
mod filters;
mod framing;
mod log_search;
mod logs;
mod methods;
mod overrides;
mod params;
mod reader;
mod replies;
mod room;
mod server;
mod signing;
mod simulate;
mod state;
mod subscriptions;
mod transactions;
mod txpool;
mod typed_data;
mod types;
mod unsigned;
mod websocket;
mod workers;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use adapter::http::Limits;
use adapter::{Listener, Node};

use crate::{Ethereum, View};
use errors::Error;
pub use reader::RpcReader;

/// What handlers share.
struct Rpc {
    ethereum: Arc<Ethereum>,
    node: Node,
    workers: workers::Lanes,
    room: room::Room,
    replies: replies::Replies,
    filters: filters::Filters,
    accounts: accounts::Accounts,
    sessions: websocket::Sessions,
}

impl Rpc {
    fn new(ethereum: Arc<Ethereum>, node: Node) -> Self {
        let accounts = accounts::Accounts::new(&ethereum.config().keys);
        Self {
            ethereum,
            node,
            workers: workers::Lanes::new(),
            room: room::Room::default(),
            replies: replies::Replies::default(),
            filters: filters::Filters::default(),
            accounts,
            sessions: websocket::Sessions::default(),
        }
    }

    /// The newest committed version.
    fn latest(&self) -> View {
        self.ethereum.latest(&self.node.snapshot())
    }

    /// The version that a block parameter names: to read accounts of, or to run code on.
    fn at(&self, block: types::BlockId) -> Result<View, Error> {
        let latest = self.latest();
        match latest.number(block)? {
            None => Err(Error::header_not_found()),
            Some(number) if number == latest.head_number()? => Ok(latest),
            Some(number) => Ok(self.ethereum.at(&self.node.snapshot(), number)?),
        }
    }
}

/// What the one listener is called.
pub const LISTENER: &str = "rpc";

/// The doors of an Ethereum ledger: one port, `/`, for HTTP POST and for WebSocket.
pub(crate) fn listen(ethereum: Arc<Ethereum>, node: Node) -> Vec<Listener> {
    let rpc = Arc::new(Rpc::new(ethereum, node));
    vec![Listener {
        name: LISTENER.into(),
        secured: false,
        serve: Box::new(move |socket, stop| {
            let router = server::router(rpc, stop.clone());
            Box::pin(adapter::http::serve(socket, router, Limits::default(), stop))
        }),
    }]
}
