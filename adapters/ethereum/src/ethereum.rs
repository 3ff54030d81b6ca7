//! The adapter: what the node calls, and what this crate's own listeners start from.

use std::sync::{Arc, OnceLock};

use adapter::{Adapter, Batch, Committed, Fault, LedgerId, Listener, Node, Opening, Reject, Work};
use alloy_primitives::B256;
use base::Seqno;
use kv::{Blob, Derived, Snapshot, State, TableError, TableId, Tables, Tx, WriteSet};
use tokio::sync::broadcast;

use crate::ReadError;
use crate::batch::Making;
use crate::forks::Forks;
use crate::ledger::{Config, Ledger};
use crate::record::{Block, Transaction};
use crate::terms;
use crate::tip::Tip;
use crate::view::View;
use crate::world::World;

/// Blocks that a slow subscriber may lag behind before it is told that it missed some.
const BLOCKS_KEPT: usize = 1_024;

/// A follower hashes its state trie every so many blocks: it finds out early if its state is not the primary's, and never
/// has more to catch up with when it becomes primary itself.
const CHECKED_EVERY: u64 = 32;

/// One hosted Ethereum ledger.
pub struct Ethereum {
    ledger: Arc<Ledger>,
    blocks: broadcast::Sender<Arc<NewBlock>>,
}

/// A block that was just committed, with all that subscribers ask for.
pub struct NewBlock {
    pub block: Block,
    /// The rows of its transactions.
    rows: Vec<Blob>,
    transactions: OnceLock<Option<Vec<Transaction>>>,
}

impl NewBlock {
    /// Its transactions, in order. They are decoded for whoever asks first, on that one's thread: most subscribers want the
    /// header alone. `None`: a row cannot be read.
    #[must_use]
    pub fn transactions(&self) -> Option<&[Transaction]> {
        let decode = || {
            let decoded = self.rows.iter().map(|row| Transaction::decode(row)).collect::<Result<Vec<_>, _>>();
            let unreadable = |error| tracing::error!(%error, "a transaction of a committed block cannot be read");
            let mut transactions = decoded.map_err(unreadable).ok()?;
            // One entry of an imported block has them all, by hash.
            transactions.sort_by_key(|transaction| transaction.index);
            Some(transactions)
        };
        self.transactions.get_or_init(decode).as_deref()
    }
}

impl Ethereum {
    /// Registers the ledger's tables. `id` is its place in the network's list.
    pub fn new(name: impl Into<String>, id: LedgerId, config: Config, tables: &Tables) -> Result<Self, TableError> {
        let ledger = Arc::new(Ledger::new(name.into(), id, config, tables)?);
        Ok(Self { ledger, blocks: broadcast::channel(BLOCKS_KEPT).0 })
    }

    #[must_use]
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    #[must_use]
    pub fn id(&self) -> LedgerId {
        self.ledger.id
    }

    #[must_use]
    pub fn config(&self) -> &Config {
        &self.ledger.config
    }

    #[must_use]
    pub fn forks(&self) -> &Forks {
        &self.ledger.config.genesis.forks
    }

    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.forks().chain_id
    }

    /// Turns a signed transaction into work, or says why not. Takes some 60 µs of computing.
    /// The work's reply is the transaction's hash.
    pub fn admit(&self, at: &Snapshot, raw: &[u8]) -> Result<Work, Reject> {
        self.ledger.admit(at.state(), raw)
    }

    /// Turns a block that was made elsewhere (RLP) into work. The work's reply is the block's hash.
    pub fn admit_block(&self, rlp: &[u8]) -> Result<Work, Reject> {
        self.ledger.admit_block(rlp)
    }

    /// The newest committed version.
    #[must_use]
    pub fn latest(&self, snapshot: &Snapshot) -> View {
        View::new(self.ledger.clone(), snapshot.state().clone())
    }

    /// The version as of a block, if it is still kept.
    pub fn at(&self, snapshot: &Snapshot, number: u64) -> Result<View, ReadError> {
        let latest = self.latest(snapshot);
        let head = latest.head_number()?;
        if number > head {
            return Err(ReadError::Future { number, head });
        }
        if number == head {
            return Ok(latest);
        }
        let next = latest.block(number + 1)?.ok_or(ReadError::Corrupt("a block is missing"))?;
        let state = snapshot.at(Seqno(next.first.0.saturating_sub(1))).ok_or(ReadError::Pruned { number })?;
        let view = View::new(self.ledger.clone(), state.clone());
        if view.head_number()? == number { Ok(view) } else { Err(ReadError::Pruned { number }) }
    }

    /// Every block from now on, in order, each after [`Node::snapshot`] shows it. A receiver that lags is told how many it
    /// missed.
    #[must_use]
    pub fn blocks(&self) -> broadcast::Receiver<Arc<NewBlock>> {
        self.blocks.subscribe()
    }

    /// The block that a batch brought, from its writes alone.
    fn block_of(&self, batch: &Committed) -> Result<Option<NewBlock>, ReadError> {
        let layout = &self.ledger.layout;
        let (mut block, mut rows) = (None, Vec::new());
        for (_, writes) in &batch.entries {
            rows.extend(
                writes
                    .section(layout.transactions)
                    .iter()
                    .flat_map(|section| &section.puts)
                    .map(|(_, row)| row.clone()),
            );
            for (_, row) in writes.section(layout.blocks).iter().flat_map(|section| &section.puts) {
                block = Some(Block::decode(row)?);
            }
        }
        Ok(block.map(|block| NewBlock { block, rows, transactions: OnceLock::new() }))
    }

    /// The block that these writes bring, if they do.
    fn block_in(&self, writes: &[WriteSet]) -> Result<Option<Block>, ReadError> {
        let layout = &self.ledger.layout;
        let row = writes.iter().rev().find_map(|writes| writes.section(layout.blocks)?.puts.last());
        row.map(|(_, row)| Block::decode(row)).transpose()
    }

    fn differs(&self, computed: B256, root: B256) -> Fault {
        let name = self.name();
        Fault::new(format!(
            "ledger {name}: the state here has root {computed}, but the newest block says {root}: what this node has is not what was executed"
        ))
    }
}

impl Adapter for Ethereum {
    fn name(&self) -> &str {
        &self.ledger.name
    }

    fn open(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        let Ledger { layout, config, .. } = &*self.ledger;
        let mut alone = Tx::new(tx.base());
        config.genesis.write(layout, &mut alone);
        let writes = alone.finish().writes;
        let mut header = config.genesis.header.clone();
        header.state_root = World::default().after(layout, [&writes])?.root();
        crate::batch::copy(&writes, tx);
        let block = Block {
            hash: header.hash_slow(),
            total_difficulty: header.difficulty,
            withdrawals: header.withdrawals_root.map(|_| Vec::new()),
            header,
            transactions: Vec::new(),
            ommers: Vec::new(),
            imported: false,
            first: tx.base().seqno().next(),
            size: 0,
        };
        crate::rows::put_head(layout, tx, block.header.number);
        self.ledger.put_block(tx, &block.measured([]));
        Ok(())
    }

    fn begin(&self, head: &State, opening: &Opening) -> Result<Box<dyn Batch>, Fault> {
        Ok(Box::new(Making::begin(self.ledger.clone(), head, opening)?))
    }

    fn derive(&self, previous: Option<&Derived>, state: &State, writes: &[WriteSet]) -> Result<Option<Derived>, Fault> {
        let Some(previous) = previous.and_then(|derived| derived.clone().downcast::<Tip>().ok()) else {
            let Some(tip) = self.ledger.build_tip(state)? else { return Ok(None) };
            let (computed, root) = (tip.sealed()?.world.root(), tip.as_parent().header.state_root);
            if computed != root {
                return Err(self.differs(computed, root));
            }
            return Ok(Some(Arc::new(tip)));
        };
        // A batch that brought no block changed nothing here.
        let Some(block) = self.block_in(writes)? else { return Ok(Some(previous)) };
        let mut world = previous.sealed()?.world.after(&self.ledger.layout, writes)?;
        if block.header.number.is_multiple_of(CHECKED_EVERY) {
            let computed = world.settle();
            if computed != block.header.state_root {
                return Err(self.differs(computed, block.header.state_root));
            }
        }
        Ok(Some(Arc::new(Tip::new(&block, world))))
    }

    fn published(&self, _at: &Snapshot, batch: &Committed) {
        if self.blocks.receiver_count() == 0 {
            return;
        }
        match self.block_of(batch) {
            Ok(Some(block)) => {
                // Nobody listening any more is no failure.
                let _ = self.blocks.send(Arc::new(block));
            }
            Ok(None) => {}
            Err(error) => tracing::error!(ledger = self.name(), %error, "a committed block cannot be read"),
        }
    }

    fn terms(&self, writes: &WriteSet, each: &mut dyn FnMut(TableId, &[u8])) {
        let table = self.ledger.layout.transactions;
        for (_, row) in writes.section(table).iter().flat_map(|section| &section.puts) {
            if let Err(error) = terms::of_row(row, |term| each(table, term)) {
                tracing::error!(ledger = self.name(), %error, "the logs of a committed transaction cannot be read");
            }
        }
    }

    fn listeners(self: Arc<Self>, node: Node) -> Vec<Listener> {
        crate::rpc::listen(self, node)
    }
}
