//! What rides with a version: what the next block must know of its newest one, and the state trie.
//!
//! A block made here closes before its roots are computed: the next one executes meanwhile. What is known only afterwards,
//! the hash and the trie, is a promise until then. Readers see a version once it is committed, and the promise is kept by
//! then; only code of the very next block may have to wait for it, if it asks for the hash of its parent.

use std::sync::{Arc, OnceLock};

use alloy_consensus::Header;
use alloy_eips::eip2935::{HISTORY_SERVE_WINDOW, HISTORY_STORAGE_ADDRESS};
use alloy_primitives::{Address, B256, U256};
use kv::State;

use crate::ReadError;
use crate::header::Parent;
use crate::ledger::Ledger;
use crate::record::Block;
use crate::world::World;

/// The newest block of a version.
pub(crate) struct Tip {
    header: Header,
    total_difficulty: U256,
    imported: bool,
    /// Whether its parent's hash goes into the history contract (EIP-2935) when the promise is kept, and not before.
    late_history: bool,
    /// `None`: whoever promised it failed.
    sealed: OnceLock<Option<Sealed>>,
}

/// What takes computing.
pub(crate) struct Sealed {
    pub(crate) hash: B256,
    parent_hash: B256,
    pub(crate) world: World,
}

/// The duty to seal a tip. Dropped without that it tells those who wait.
pub(crate) struct Promise(Arc<Tip>);

impl Tip {
    /// Of a block that is complete.
    pub(crate) fn new(block: &Block, world: World) -> Self {
        let sealed = Sealed { hash: block.hash, parent_hash: block.header.parent_hash, world };
        Self {
            header: block.header.clone(),
            total_difficulty: block.total_difficulty,
            imported: block.imported,
            late_history: false,
            sealed: OnceLock::from(Some(sealed)),
        }
    }

    /// Of a block whose roots and hash come later.
    pub(crate) fn promised(parent: Parent<'_>, late_history: bool) -> (Arc<Self>, Promise) {
        let Parent { header, total_difficulty, imported } = parent;
        let tip = Self { header: header.clone(), total_difficulty, imported, late_history, sealed: OnceLock::new() };
        let tip = Arc::new(tip);
        (tip.clone(), Promise(tip))
    }

    pub(crate) fn number(&self) -> u64 {
        self.header.number
    }

    pub(crate) fn as_parent(&self) -> Parent<'_> {
        Parent { header: &self.header, total_difficulty: self.total_difficulty, imported: self.imported }
    }

    /// What was promised; waits for it.
    pub(crate) fn sealed(&self) -> Result<&Sealed, ReadError> {
        self.sealed.wait().as_ref().ok_or(ReadError::Corrupt("the newest block was never sealed"))
    }

    /// What the history contract has in a slot for code of the block after this one, if that is not in the tables yet.
    pub(crate) fn history(&self, address: Address, slot: U256) -> Result<Option<B256>, ReadError> {
        if address != HISTORY_STORAGE_ADDRESS {
            return Ok(None);
        }
        let window = HISTORY_SERVE_WINDOW as u64;
        let holds = |number: u64| slot == U256::from(number % window);
        if holds(self.number()) {
            return Ok(Some(self.sealed()?.hash));
        }
        match self.number().checked_sub(1) {
            Some(before) if self.late_history && holds(before) => Ok(Some(self.sealed()?.parent_hash)),
            _ => Ok(None),
        }
    }
}

impl Promise {
    /// Keeps it.
    pub(crate) fn keep(self, block: &Block, world: World) {
        let sealed = Sealed { hash: block.hash, parent_hash: block.header.parent_hash, world };
        // Nobody else could have: there is one promise.
        let _ = self.0.sealed.set(Some(sealed));
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        // Nothing happens if it was kept.
        let _ = self.0.sealed.set(None);
    }
}

impl Ledger {
    /// The tip that rides with a version, or a new one if none does.
    pub(crate) fn tip(&self, state: &State) -> Result<Arc<Tip>, ReadError> {
        let derived = state.derived(self.slot()).cloned().and_then(|derived| derived.downcast::<Tip>().ok());
        derived.map_or_else(|| self.build_tip(state)?.map(Arc::new).ok_or(ReadError::NotOpen), Ok)
    }

    /// The tip of a version, from its tables; `None` before genesis.
    pub(crate) fn build_tip(&self, state: &State) -> Result<Option<Tip>, ReadError> {
        let Some(number) = self.rows_of(state).head()? else { return Ok(None) };
        let block = self.block(state, number)?.ok_or(ReadError::Corrupt("the newest block is missing"))?;
        Ok(Some(Tip::new(&block, World::build(&self.layout, state)?)))
    }
}
