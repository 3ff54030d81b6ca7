//! Which rules hold in which block.
//!
//! Forks before the merge begin at a block number, later ones at a time. The merge itself begins with the first block
//! whose ancestors reach the terminal total difficulty; a ledger that never had proof of work sets that to zero.

use alloy_eips::eip7840::BlobParams;
use alloy_primitives::{Address, U256};
use revm::primitives::hardfork::SpecId;

/// When a fork begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    Block(u64),
    Time(u64),
}

/// A fork that the genesis sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fork {
    /// Its key in `genesis.json` without `Block` or `Time`.
    pub name: &'static str,
    pub at: At,
    /// The rules it brings, if they differ from those before it.
    pub(crate) spec: Option<SpecId>,
}

/// The ledger's schedule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Forks {
    pub chain_id: u64,
    /// Difficulty of all blocks together from which on blocks need no work. `None`: never.
    pub terminal_total_difficulty: Option<U256>,
    /// Whose logs are deposit requests (EIP-6110).
    pub deposit_contract: Address,
    /// In the order of the ladder, which is also the order of activation.
    pub(crate) ladder: Vec<Fork>,
    /// Blob parameters by the time they begin, ascending.
    pub(crate) blobs: Vec<(u64, BlobParams)>,
}

impl Forks {
    /// The rules of a block. `merged`: the difficulty of its ancestors has reached the terminal one.
    #[must_use]
    pub fn spec(&self, number: u64, time: u64, merged: bool) -> SpecId {
        let start = if merged { SpecId::MERGE } else { SpecId::FRONTIER };
        let active = |fork: &&Fork| match fork.at {
            At::Block(block) => number >= block,
            At::Time(from) => merged && time >= from,
        };
        self.ladder.iter().filter(active).filter_map(|fork| fork.spec).max().map_or(start, |spec| spec.max(start))
    }

    /// Whether a block with ancestors of this total difficulty needs no work.
    #[must_use]
    pub fn merged(&self, ancestors_difficulty: U256) -> bool {
        self.terminal_total_difficulty.is_some_and(|terminal| ancestors_difficulty >= terminal)
    }

    /// Blob parameters at a time. Before Cancun they mean nothing; the first set is returned then.
    #[must_use]
    pub fn blob_params(&self, time: u64) -> BlobParams {
        let past = self.blobs.iter().rev().find(|(from, _)| *from <= time).or(self.blobs.first());
        past.map_or_else(BlobParams::cancun, |(_, params)| *params)
    }

    /// Every fork of the schedule, in order.
    #[must_use]
    pub fn list(&self) -> &[Fork] {
        &self.ladder
    }

    /// When a fork begins, by its key in `genesis.json` without `Block` or `Time`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<At> {
        self.ladder.iter().find(|fork| fork.name == name).map(|fork| fork.at)
    }

    /// What the miner of a block without signatures by validators earned for it, in wei.
    #[must_use]
    pub(crate) fn block_reward(&self, number: u64) -> u128 {
        const ETHER: u128 = 1_000_000_000_000_000_000;
        let since = |name: &str| matches!(self.find(name), Some(At::Block(block)) if number >= block);
        if since("constantinople") || since("petersburg") {
            2 * ETHER
        } else if since("byzantium") {
            3 * ETHER
        } else {
            5 * ETHER
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Genesis;

    fn forks(config: &str) -> Forks {
        Genesis::parse(&format!(r#"{{"config": {config}, "alloc": {{}}}}"#)).unwrap().forks
    }

    #[test]
    fn a_ladder_is_climbed_by_number_and_then_by_time() {
        let forks = forks(
            r#"{"chainId": 1, "homesteadBlock": 0, "eip150Block": 3, "eip155Block": 6, "eip158Block": 6, "byzantiumBlock": 9,
                "constantinopleBlock": 12, "petersburgBlock": 12, "istanbulBlock": 18, "berlinBlock": 24, "londonBlock": 27,
                "terminalTotalDifficulty": 1000, "shanghaiTime": 390, "cancunTime": 420}"#,
        );
        assert_eq!(forks.spec(0, 0, false), SpecId::HOMESTEAD);
        assert_eq!(forks.spec(5, 50, false), SpecId::TANGERINE);
        assert_eq!(forks.spec(12, 120, false), SpecId::PETERSBURG);
        assert_eq!(forks.spec(27, 500, false), SpecId::LONDON);
        assert!(!forks.merged(U256::from(999)));
        assert_eq!(forks.spec(36, 360, true), SpecId::MERGE);
        assert_eq!(forks.spec(40, 420, true), SpecId::CANCUN);
        assert_eq!(forks.block_reward(9), 3_000_000_000_000_000_000);
    }

    #[test]
    fn blob_parameters_change_with_time() {
        let forks = forks(
            r#"{"chainId": 1, "homesteadBlock": 0, "eip150Block": 0, "eip155Block": 0, "eip158Block": 0, "byzantiumBlock": 0,
                "constantinopleBlock": 0, "petersburgBlock": 0, "istanbulBlock": 0, "berlinBlock": 0, "londonBlock": 0,
                "terminalTotalDifficulty": 0, "shanghaiTime": 0, "cancunTime": 0, "pragueTime": 10, "osakaTime": 20, "bpo1Time": 30,
                "blobSchedule": {"bpo1": {"target": 10, "max": 15, "baseFeeUpdateFraction": 8346193}}}"#,
        );
        assert_eq!(forks.blob_params(9).max_blob_count, 6);
        assert_eq!(forks.blob_params(10).max_blob_count, 9);
        assert_eq!(forks.blob_params(20).max_blobs_per_tx, 6);
        assert_eq!(forks.blob_params(30).target_blob_count, 10);
        assert_eq!(forks.spec(1, 30, true), SpecId::OSAKA);
    }
}
