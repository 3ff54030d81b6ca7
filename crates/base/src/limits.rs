//! Every fixed bound of the system, each with its reason. What an operator may choose stands in `node`'s configuration.

/// One entry (a transaction's write set in the ledger). CCF refuses to replicate more.
pub const ENTRY_BYTES_MAX: usize = 32 << 20;

/// One batch closes when its entries reach this: large enough to amortise a signature and an fsync, small enough
/// that a backup's acknowledgement is not delayed by its transfer.
pub const BATCH_BYTES_TARGET: usize = 4 << 20;

/// One batch never exceeds this: a full target, one more entry of the largest size, and the signature.
pub const BATCH_BYTES_MAX: usize = BATCH_BYTES_TARGET + ENTRY_BYTES_MAX + (1 << 20);

/// Transactions in one batch: bounds the work that one rollback can undo.
pub const BATCH_ENTRIES_MAX: usize = 10_000;

/// A ledger chunk closes at the first signature past this size, as in CCF.
pub const CHUNK_BYTES: u64 = 5 << 20;

/// Offsets in a chunk are 32 bits wide.
pub const CHUNK_BYTES_MAX: u64 = u32::MAX as u64;

/// Work that waits for the executor. Past it callers are told that the node is busy.
pub const QUEUE_WORK_MAX: usize = 20_000;

/// Bytes of work on its way through one node, forwarded or queued: bodies are small as a rule and large on purpose.
pub const QUEUE_WORK_BYTES_MAX: usize = 64 << 20;

/// Work whose turn has not come (a nonce gap, say), over all senders of one hosted ledger.
pub const WAITING_WORK_MAX: usize = 4_096;

/// Versions of the store that stay readable, in batches.
pub const VERSIONS_KEPT: usize = 128;

/// One frame between peers: a batch and its envelope.
pub const PEER_FRAME_BYTES_MAX: usize = BATCH_BYTES_MAX + (1 << 16);

/// A table's name in the ledger.
pub const TABLE_NAME_BYTES_MAX: usize = 256;

/// A key in a table.
pub const KEY_BYTES_MAX: usize = 64 << 10;
