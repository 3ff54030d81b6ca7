//! One simulated node: a driver, its log, and how far its ledger is.

use consensus::{Config, Driver, Index, Member};

use crate::storage::Storage;

pub struct Node {
    pub config: Config,
    /// `None`: crashed.
    pub driver: Option<Driver>,
    /// Counts restarts, so that what was meant for an earlier life does not reach a later one.
    pub life: u64,
    pub disk: Box<dyn Storage>,
    /// A sync is under way.
    pub syncing: bool,
    /// The longest sync, in moments.
    pub sync_delay: u64,
    /// The store above, in memory, has everything up to here.
    pub applied: Index,
    /// The driver was told so, up to here.
    pub reported: Index,
    /// The ledger on disk has everything up to here.
    pub ledger: Index,
    /// The process is stopped until then: nothing reaches it, and it does nothing.
    pub stopped_until: u64,
}

impl Node {
    pub const SYNC_DELAY: u64 = 3;

    pub fn new(config: Config, disk: Box<dyn Storage>) -> Self {
        Self {
            config,
            driver: None,
            life: 0,
            disk,
            syncing: false,
            sync_delay: Self::SYNC_DELAY,
            applied: Index(0),
            reported: Index(0),
            ledger: Index(0),
            stopped_until: 0,
        }
    }

    pub const fn member(&self) -> Member {
        self.config.id
    }

    /// It lives and is not stopped.
    pub fn runs(&self, now: u64) -> bool {
        self.driver.is_some() && self.stopped_until <= now
    }

    pub fn is_primary(&self) -> bool {
        let role = self.driver.as_ref().map(|driver| driver.status().role);
        matches!(role, Some(consensus::Role::Primary { .. }))
    }
}
