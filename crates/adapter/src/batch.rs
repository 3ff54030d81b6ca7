//! A batch in the making, on the primary, and a batch that is done, on every node.

use base::{Seqno, TxId, View};
use bytes::Bytes;
use kv::{Derived, Tx, WriteSet};

use crate::{Fault, Reject, Work};

/// What a batch knows when it begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    /// Milliseconds since 1970, never less than in an earlier batch of the same primary. Nodes' clocks differ: what must
    /// not go back when the primary changes (a block's time, say) takes the later of this and its own last.
    pub time: u64,
    pub view: View,
    /// The seqno of the batch's first entry. (A ledger's own entries may begin later: batches are shared.)
    pub first: Seqno,
    /// Fresh randomness. Execution happens once, so it may be used.
    pub entropy: [u8; 32],
}

/// A batch in the making for one hosted ledger.
pub trait Batch: Send {
    /// Runs one piece of work in a transaction of its own. On anything but [`Verdict::Keep`] the transaction is thrown
    /// away, and so must be whatever `self` noted of it. What it may write is the adapter's to bound (gas, sizes), far
    /// below [`base::limits::ENTRY_BYTES_MAX`]: kept work that makes no entry stops the node.
    fn execute(&mut self, tx: &mut Tx<'_>, work: &Work) -> Verdict;

    /// The batch takes no more work: called only if something was kept. Writes what work of the next batch must see, and
    /// returns what is left to do. The executor waits for this, so computing belongs into [`Closed::seal`].
    fn close(self: Box<Self>, tx: &mut Tx<'_>) -> Result<Closed, Fault>;
}

/// A batch of one hosted ledger that takes no more work.
pub struct Closed {
    /// What [`crate::Adapter::derive`] would return for the batch on another node. [`crate::Adapter::begin`] of the next
    /// batch may see it before `seal` was run, so what `seal` finds out is a promise in it; everybody else sees it after.
    pub derived: Option<Derived>,
    /// What is left to do.
    pub seal: Option<Seal>,
}

/// What closes a batch at leisure, while the next one executes: roots, hashes. It is given a transaction over the version
/// at the batch's end, and the writes of the kept work, in order, with those of [`Batch::close`] behind them. What it writes
/// goes into the ledger's last entry of the batch with the writes of [`Batch::close`] (a block, say); no work may write the
/// same rows. Batches are sealed in order.
pub type Seal = Box<dyn FnOnce(&mut Tx<'_>, &[&WriteSet]) -> Result<(), Fault> + Send>;

/// What execution decided.
#[derive(Debug)]
pub enum Verdict {
    /// The transaction's writes become an entry.
    Keep(Outcome),
    /// Nothing happened; the caller is told why.
    Drop(Reject),
    /// Not yet: something must happen first.
    Later(Wait),
    /// It does not fit into this batch: close it and ask again in the next.
    /// In an empty batch this is a defect of the adapter, and the work is dropped.
    Full,
}

/// What execution leaves beside writes.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Goes back to whoever submitted the work, after commit.
    pub reply: Bytes,
    /// Work that waits under this key may run now.
    pub wakes: Option<Bytes>,
    /// Nothing more goes into this batch.
    pub closes: bool,
}

/// Work that must wait until another piece of work wakes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wait {
    /// What it waits under. One piece of work waits under a key.
    pub key: Bytes,
    /// Whose it is: one owner may have only so much waiting.
    pub owner: Bytes,
    /// Under a taken key the newcomer replaces the other if its rank is at least a tenth higher, else it is refused.
    pub rank: u128,
}

/// A batch that a quorum has on disk.
#[derive(Clone)]
pub struct Committed {
    /// Its last entry, the signature.
    pub last: TxId,
    /// Every entry with its writes, in order; the signature's own writes are not among them.
    pub entries: Vec<(Seqno, WriteSet)>,
}

impl Committed {
    #[must_use]
    pub fn view(&self) -> View {
        self.last.view
    }
}
