//! What never changes while a ledger is hosted: its tables, its rules, its settings.

use adapter::LedgerId;
use alloy_primitives::U256;
use kv::{State, TableError, Tables, Tx};

use crate::code::CodeCache;
use crate::genesis::Genesis;
use crate::rows::{Rows, Source};
use crate::tables::Layout;

/// Gas of one `eth_call` or the like.
const CALL_GAS_CAP: u64 = 50_000_000;

/// What an operator chooses. Must be the same on every node, but for keys.
#[derive(Clone, Debug)]
pub struct Config {
    pub genesis: Genesis,
    /// Base fee of blocks made here, in wei. A chain that was imported goes on with EIP-1559 instead.
    pub base_fee: u64,
    /// Whether transactions with blobs are executed. Their blobs are dropped: there is no data-availability layer.
    pub blobs: bool,
    /// Gas of one transaction; `None`: what the fork says (2^24 from Osaka on).
    pub transaction_gas_cap: Option<u64>,
    /// Gas of one simulated call.
    pub call_gas_cap: u64,
    /// Most wei that a submitted transaction may promise in fees; `None`: any.
    pub fee_cap: Option<U256>,
    /// Development accounts that anybody may use.
    pub keys: Vec<secp256k1::SecretKey>,
}

impl Config {
    #[must_use]
    pub fn new(genesis: Genesis) -> Self {
        Self {
            genesis,
            base_fee: 0,
            blobs: false,
            transaction_gas_cap: None,
            call_gas_cap: CALL_GAS_CAP,
            fee_cap: Some(U256::from(1_000_000_000_000_000_000u64)),
            keys: Vec::new(),
        }
    }
}

/// The hosted ledger as everything in this crate sees it.
pub struct Ledger {
    pub(crate) name: String,
    pub(crate) id: LedgerId,
    pub(crate) config: Config,
    pub(crate) layout: Layout,
    pub(crate) codes: CodeCache,
    /// See [`Rows::bare_storage`].
    pub(crate) bare_storage: bool,
}

impl Ledger {
    pub(crate) fn new(name: String, id: LedgerId, config: Config, tables: &Tables) -> Result<Self, TableError> {
        let layout = Layout::register(&name, tables)?;
        let bare_storage = config.genesis.has_bare_storage();
        Ok(Self { name, id, config, layout, codes: CodeCache::default(), bare_storage })
    }

    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The rows as a transaction sees them.
    #[must_use]
    pub fn rows<'a>(&'a self, tx: &'a Tx<'a>) -> Rows<'a> {
        Rows::new(self, Source::Tx(tx))
    }

    /// The rows of a version.
    #[must_use]
    pub fn rows_of<'a>(&'a self, state: &'a State) -> Rows<'a> {
        Rows::new(self, Source::State(state))
    }

    /// Where versions keep this ledger's [`crate::World`].
    pub(crate) fn slot(&self) -> usize {
        usize::from(self.id.0)
    }
}
