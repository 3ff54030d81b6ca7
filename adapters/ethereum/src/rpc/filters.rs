//! Filters that are polled. One is what it looks for and the last block it has shown; nothing is queued for it, since
//! no block that was shown is ever taken back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use alloy_primitives::B256;

use super::Rpc;
use super::dispatch::Step;
use super::errors::Error;
use super::framing::Json;
use super::logs::Criteria;
use super::params::Params;
use super::types::{BlockId, Hex, LogFilter};
use crate::View;

/// Filters of all callers.
const FILTERS_MAX: usize = 10_000;
/// Addresses and topics in all of them.
const ALTERNATIVES_MAX: usize = 1_000_000;
/// A filter that is not polled for so long is dropped.
const AGE_MAX: Duration = Duration::from_secs(300);

#[derive(Default)]
pub(super) struct Filters(Mutex<BTreeMap<u128, Filter>>);

#[derive(Clone)]
struct Filter {
    wants: Wants,
    /// Blocks up to here were shown.
    shown: u64,
    polled: Instant,
}

#[derive(Clone)]
enum Wants {
    Blocks,
    /// Of committed transactions: nothing is shown before commit.
    Transactions,
    Logs {
        criteria: Arc<Criteria>,
        from: Option<BlockId>,
        to: Option<BlockId>,
    },
}

impl Wants {
    fn alternatives(&self) -> usize {
        match self {
            Self::Blocks | Self::Transactions => 0,
            Self::Logs { criteria, .. } => criteria.alternatives(),
        }
    }
}

impl Filters {
    fn add(&self, wants: Wants, shown: u64) -> Result<u128, Error> {
        let now = Instant::now();
        let mut filters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |filters: &BTreeMap<u128, Filter>| {
            let alternatives: usize = filters.values().map(|filter| filter.wants.alternatives()).sum();
            filters.len() >= FILTERS_MAX || alternatives + wants.alternatives() > ALTERNATIVES_MAX
        };
        if full(&filters) {
            filters.retain(|_, filter| now.duration_since(filter.polled) < AGE_MAX);
            if full(&filters) {
                return Err(Error::busy());
            }
        }
        let id = rand::random::<u128>();
        filters.insert(id, Filter { wants, shown, polled: now });
        Ok(id)
    }

    /// The filter as it is.
    fn poll(&self, id: u128) -> Result<Filter, Error> {
        let unknown = || Error::server("filter not found");
        let mut filters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let filter = filters.get_mut(&id).ok_or_else(unknown)?;
        if filter.polled.elapsed() >= AGE_MAX {
            filters.remove(&id);
            return Err(unknown());
        }
        filter.polled = Instant::now();
        Ok(filter.clone())
    }

    /// The filter has shown everything up to `head`.
    fn shown(&self, id: u128, head: u64) {
        let mut filters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(filter) = filters.get_mut(&id) {
            filter.shown = filter.shown.max(head);
        }
    }

    fn remove(&self, id: u128) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id).is_some()
    }
}

pub(super) fn new_logs(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let filter: LogFilter = params.optional()?.unwrap_or_default();
    let (from, to) = (filter.from_block, filter.to_block);
    let head = rpc.latest().head_number()?;
    let criteria = Arc::new(Criteria::new(filter)?);
    Step::done(&Hex(rpc.filters.add(Wants::Logs { criteria, from, to }, head)?))
}

pub(super) fn new_blocks(rpc: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    Step::done(&Hex(rpc.filters.add(Wants::Blocks, rpc.latest().head_number()?)?))
}

pub(super) fn new_transactions(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    // Whole transactions are for subscriptions; a filter gives hashes, whatever is asked.
    let _ = params.optional::<bool>()?;
    Step::done(&Hex(rpc.filters.add(Wants::Transactions, rpc.latest().head_number()?)?))
}

pub(super) fn changes(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(id) = params.required::<Hex<u128>>()?;
    let view = rpc.latest();
    let head = view.head_number()?;
    let filter = rpc.filters.poll(id)?;
    let fresh = filter.shown + 1;
    let rpc = rpc.clone();
    Step::work(move || {
        let news = match filter.wants {
            Wants::Blocks => hashes(&view, fresh, head, |block, hashes| hashes.push(block.hash)),
            Wants::Transactions => hashes(&view, fresh, head, |block, hashes| hashes.extend(&block.transactions)),
            Wants::Logs { criteria, from, to } => {
                let first = bound(&view, from, 0)?.max(fresh);
                let last = bound(&view, to, head)?.min(head);
                criteria.collect(&view, first, last)
            }
        };
        // What could not be shown now is news the next time.
        let news = news?;
        rpc.filters.shown(id, head);
        Ok(news)
    })
}

/// Everything a log filter looks for, old and new.
pub(super) fn logs(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(id) = params.required::<Hex<u128>>()?;
    let Wants::Logs { criteria, from, to } = rpc.filters.poll(id)?.wants else {
        return Err(Error::server("filter not found"));
    };
    let view = rpc.latest();
    let head = view.head_number()?;
    let (first, last) = (bound(&view, from, head)?, bound(&view, to, head)?.min(head));
    Step::long(move || criteria.collect(&view, first, last))
}

pub(super) fn uninstall(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(id) = params.required::<Hex<u128>>()?;
    Step::done(&rpc.filters.remove(id))
}

/// A bound of a filter as a number. It may lie ahead: blocks up to there will come.
fn bound(view: &View, block: Option<BlockId>, default: u64) -> Result<u64, Error> {
    match block {
        None | Some(BlockId::Head | BlockId::Pending) => Ok(default),
        Some(BlockId::Number(number)) => Ok(number),
        Some(block) => Ok(view.number(block)?.unwrap_or(default)),
    }
}

fn hashes(view: &View, from: u64, to: u64, take: impl Fn(&crate::Block, &mut Vec<B256>)) -> Result<Json, Error> {
    let mut hashes = Vec::new();
    for number in from..=to {
        let Some(block) = view.block(number)? else { break };
        take(&block, &mut hashes);
    }
    Json::of(&hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_moves_on_when_it_has_shown_something() {
        let filters = Filters::default();
        let id = filters.add(Wants::Blocks, 5).unwrap();
        assert_eq!(filters.poll(id).unwrap().shown, 5);
        assert_eq!(filters.poll(id).unwrap().shown, 5, "a poll that fails loses nothing");
        filters.shown(id, 9);
        filters.shown(id, 7);
        assert_eq!(filters.poll(id).unwrap().shown, 9, "never back");
        assert!(filters.remove(id) && !filters.remove(id));
        assert!(filters.poll(id).is_err());
    }

    #[test]
    fn filters_are_bounded() {
        let filters = Filters::default();
        for _ in 0..FILTERS_MAX {
            filters.add(Wants::Blocks, 0).unwrap();
        }
        assert_eq!(filters.add(Wants::Blocks, 0).unwrap_err().code, -32005);
    }
}
