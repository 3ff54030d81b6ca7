//! The seam between a hosted ledger and the node: what an adapter gives, and what it is given.
//!
//! ```text
//!  client ─▶ listener ─▶ admit ─▶ Work ──Node::submit──▶ (forwarded to the primary) ─▶ Batch::execute ─▶ Verdict
//!                                                                                          │ Keep: an entry
//!                                         Closed::seal ◀── Batch::close ◀── the batch closes┘
//!  client ◀─ reply ◀── Submitted ◀──────── committed ◀── (sealed, replicated, on disk at a quorum)
//!                                              └─▶ Adapter::published, on every node
//! ```
//!
//! An adapter knows the store's transaction and this crate; it knows no consensus, no file and no peer. It executes on
//! the primary alone: a backup applies the write sets and is told by [`Adapter::derive`] and [`Adapter::published`].
//! Nothing an adapter says may leave before commit; [`Node::submit`] resolves only then.
//!
//! `docs/adding-an-adapter.md` builds one from nothing.

mod admission;
mod batch;
mod host;
pub mod http;
mod node;
mod reject;
mod service;
mod socket;
mod work;

use std::pin::Pin;
use std::sync::Arc;

use kv::{Derived, Snapshot, State, TableId, Tx, WriteSet};
use tokio_util::sync::CancellationToken;

pub use admission::{Admission, Guest, NoPrefix, Prefix};
pub use batch::{Batch, Closed, Committed, Opening, Outcome, Seal, Verdict, Wait};
pub use host::{Host, LEDGERS, LEDGERS_MAX, LedgerPolicy, LedgerRow, LedgerStatus, NoHost, OPENING_BYTES_MAX};
pub use node::{Node, Plumbing, Role, Status, Submission};
pub use reject::{Blame, Fault, Reject};
pub use service::{Handover, Neighbour, NoService, Service};
pub use socket::Socket;
pub use work::{LedgerId, Submitted, Work};

/// A kind of ledger, hosted. One value serves one hosted ledger; its tables were registered when it was made.
pub trait Adapter: Send + Sync + 'static {
    /// The hosted ledger's name: unique in the network, part of its tables' names.
    fn name(&self) -> &str;

    /// Writes what the ledger starts from, as an entry of its own. Once in the life of a ledger, on the primary, after members have
    /// decided to open it; again by the next primary if that entry was not committed. An error leaves the ledger unopened.
    fn open(&self, tx: &mut Tx<'_>) -> Result<(), Fault>;

    /// A batch begins on top of `head`. Primary only; called when there is work for this ledger. The batch before may not be
    /// sealed yet: what its [`Closed::seal`] writes is not in `head` then, and comes later.
    fn begin(&self, head: &State, opening: &Opening) -> Result<Box<dyn Batch>, Fault>;

    /// What this adapter keeps in memory beside the tables (an index, a trie), after a batch that others executed.
    ///
    /// `state` is the version after the batch, `writes` are its changes to all tables in order, `previous` is what was
    /// derived before it. With `previous` absent everything is to be built from `state`: so it is once after a start.
    fn derive(&self, previous: Option<&Derived>, state: &State, writes: &[WriteSet]) -> Result<Option<Derived>, Fault>;

    /// A batch is committed and visible in `at`. Called on every node, in order, once for each batch since the node
    /// started to serve; must not block: wake waiters, push events.
    fn published(&self, at: &Snapshot, batch: &Committed);

    /// By what an entry is to be found later, beside the keys of its rows: `each` takes a table of the adapter's and a
    /// term, a few dozen bytes. [`State::entries_with`] finds it again. Called off the road, on every node; the terms may
    /// depend on nothing but `writes`. What they are is part of the index on disk: `docs/formats/index.md` says what a
    /// change of them takes.
    fn terms(&self, _writes: &WriteSet, _each: &mut dyn FnMut(TableId, &[u8])) {}

    /// The adapter's own doors. Called once, when the node starts to serve the ledger.
    fn listeners(self: Arc<Self>, node: Node) -> Vec<Listener>;
}

/// A door: one TCP port and what is spoken there.
pub struct Listener {
    /// Names the port in the ledger's row and in the node's logs; the same for every ledger of a kind.
    pub name: String,
    /// Whether callers meet TLS first, and know the node by a certificate that its service endorsed.
    pub secured: bool,
    /// Serves until cancelled, then finishes what is under way and returns.
    pub serve: Box<dyn FnOnce(Socket, CancellationToken) -> Serving + Send>,
}

/// A listener at work.
pub type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;
