//! What travels from the node that admitted a request to the primary that executes it.

use base::TxId;
use bytes::Bytes;

/// The place of a hosted ledger in the network's list; the same on every node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LedgerId(pub u16);

/// A request whose caller and form were checked by an adapter on some node of this network. Nodes trust each other's
/// code, so it is not checked again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Work {
    pub ledger: LedgerId,
    /// The adapter's own encoding.
    pub body: Bytes,
}

/// What became of a piece of work.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Submitted {
    /// It is in the ledger for good, and visible on the node that was asked.
    Committed { txid: TxId, reply: Bytes },
    /// It waits on the primary for something else to happen first, and may never run.
    Waiting,
}
