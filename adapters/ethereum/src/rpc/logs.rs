//! eth_getLogs, and the matching that filters and subscriptions share.

use std::sync::Arc;

use alloy_primitives::{Address, B256, BloomInput};

use super::Rpc;
use super::dispatch::Step;
use super::errors::Error;
use super::params::Params;
use super::types::{BlockId, LogFilter, LogJson};
use crate::{Block, Transaction, View, terms};

/// Addresses, and alternatives of one topic.
const ALTERNATIVES_MAX: usize = 1_000;
const POSITIONS_MAX: usize = 4;
/// So many blocks are looked through in little time, as clients do that poll.
const FEW: u64 = 64;

/// Which logs are wanted.
#[derive(Clone, Debug)]
pub(super) struct Criteria {
    /// Any of these; empty means any at all.
    addresses: Vec<Address>,
    /// By position: any of these; empty means any at all.
    topics: Vec<Vec<B256>>,
}

impl Criteria {
    pub(super) fn new(filter: LogFilter) -> Result<Self, Error> {
        let LogFilter { address: addresses, topics, .. } = filter;
        if topics.len() > POSITIONS_MAX {
            return Err(Error::params(format!("exceed max topics: at most {POSITIONS_MAX} positions")));
        }
        if addresses.len() > ALTERNATIVES_MAX || topics.iter().any(|position| position.len() > ALTERNATIVES_MAX) {
            let message = format!("exceed max addresses or topics per search position: {ALTERNATIVES_MAX}");
            return Err(Error::params(message));
        }
        Ok(Self { addresses, topics })
    }

    /// Addresses and topics of all positions: what it takes to keep and to match.
    pub(super) fn alternatives(&self) -> usize {
        self.addresses.len() + self.topics.iter().map(Vec::len).sum::<usize>()
    }

    /// Whether a block's bloom leaves the possibility of a match.
    pub(super) fn may_match(&self, block: &Block) -> bool {
        let bloom = &block.header.logs_bloom;
        let any = |mut values: Box<dyn Iterator<Item = &[u8]> + '_>, none: bool| {
            none || values.any(|value| bloom.contains_input(BloomInput::Raw(value)))
        };
        any(Box::new(self.addresses.iter().map(|address| &address[..])), self.addresses.is_empty())
            && self
                .topics
                .iter()
                .all(|position| any(Box::new(position.iter().map(|topic| &topic[..])), position.is_empty()))
    }

    pub(super) fn matches(&self, address: Address, topics: &[B256]) -> bool {
        (self.addresses.is_empty() || self.addresses.contains(&address))
            && self.topics.len() <= topics.len()
            && self.topics.iter().zip(topics).all(|(wanted, topic)| wanted.is_empty() || wanted.contains(topic))
    }

    /// Hands over every matching log of a block, in order.
    pub(super) fn each<'t>(&self, block: &Block, transactions: &'t [Transaction], mut take: impl FnMut(LogJson<'t>)) {
        if !self.may_match(block) {
            return;
        }
        let logs = transactions.iter().flat_map(|transaction| LogJson::of(transaction, block));
        logs.filter(|log| self.matches(log.address, log.topics)).for_each(&mut take);
    }

    /// The same as terms of the index: one of each group is in every matching transaction.
    pub(super) fn terms(&self) -> Vec<Vec<Vec<u8>>> {
        let topics = (0..)
            .zip(&self.topics)
            .map(|(position, any)| any.iter().map(|topic| terms::of_topic(position, topic)).collect());
        let addresses = self.addresses.iter().map(terms::of_address).collect();
        std::iter::once(addresses).chain(topics).filter(|group: &Vec<_>| !group.is_empty()).collect()
    }
}

pub(super) fn get(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let filter: LogFilter = params.required()?;
    let view = rpc.latest();
    let (from, to) = range(&view, &filter)?;
    let criteria = Criteria::new(filter)?;
    let collect = move || criteria.collect(&view, from, to);
    if to - from < FEW { Step::work(collect) } else { Step::long(collect) }
}

/// The blocks that a filter names, first and last.
pub(super) fn range(view: &View, filter: &LogFilter) -> Result<(u64, u64), Error> {
    if let Some(hash) = filter.block_hash {
        if filter.from_block.is_some() || filter.to_block.is_some() {
            return Err(Error::params("cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other"));
        }
        let number = view.number_of(hash.0)?.ok_or_else(|| Error::server("unknown block"))?;
        return Ok((number, number));
    }
    let beyond = || Error::params("block range extends beyond current head block");
    let number = |block: Option<BlockId>| view.number(block.unwrap_or_default())?.ok_or_else(beyond);
    let (from, to) = (number(filter.from_block)?, number(filter.to_block)?);
    if from > to {
        return Err(Error::params("invalid block range params"));
    }
    Ok((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn criteria(addresses: &[u8], topics: &[&[u8]]) -> Criteria {
        Criteria {
            addresses: addresses.iter().map(|byte| Address::repeat_byte(*byte)).collect(),
            topics: topics.iter().map(|list| list.iter().map(|byte| B256::repeat_byte(*byte)).collect()).collect(),
        }
    }

    #[test]
    fn a_log_matches_by_address_and_by_position() {
        let topics = [B256::repeat_byte(1), B256::repeat_byte(2)];
        let matches = |addresses, wanted| criteria(addresses, wanted).matches(Address::repeat_byte(9), &topics);
        assert!(matches(&[], &[]));
        assert!(matches(&[8, 9], &[]));
        assert!(!matches(&[8], &[]));
        assert!(matches(&[], &[&[1]]));
        assert!(matches(&[], &[&[5, 1], &[2]]));
        assert!(matches(&[], &[&[], &[2]]));
        assert!(!matches(&[], &[&[2]]));
        assert!(!matches(&[], &[&[], &[], &[]]), "more positions than topics");
    }

    #[test]
    fn bounds_are_kept() {
        let filter = |addresses, positions, alternatives| LogFilter {
            address: vec![Address::ZERO; addresses],
            topics: vec![vec![B256::ZERO; alternatives]; positions],
            ..LogFilter::default()
        };
        assert!(Criteria::new(filter(ALTERNATIVES_MAX, POSITIONS_MAX, ALTERNATIVES_MAX)).is_ok());
        assert!(Criteria::new(filter(ALTERNATIVES_MAX + 1, 0, 0)).is_err());
        assert!(Criteria::new(filter(0, POSITIONS_MAX + 1, 0)).is_err());
        assert!(Criteria::new(filter(0, 1, ALTERNATIVES_MAX + 1)).is_err());
    }
}
