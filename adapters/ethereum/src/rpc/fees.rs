//! What gas costs, and what it has cost.
//!
//! Transactions run in the order they arrive, so a tip buys nothing and none is suggested.

use std::sync::Arc;

use alloy_consensus::Transaction as _;
use serde::Serialize;
use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::Rpc;
use super::deadline::Deadline;
use super::dispatch::Step;
use super::errors::Error;
use super::framing::Json;
use super::params::Params;
use super::types::{BlockId, FromHex, Hex};
use crate::{Block, Forks, Transaction, View};

/// Blocks of one fee history; of one with rewards, for which every receipt is read.
const HISTORY_MAX: u64 = 1_024;
const REWARDED_MAX: u64 = 256;
const PERCENTILES_MAX: usize = 100;

pub(super) fn gas_price(rpc: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    Step::done(&Hex(rpc.latest().next_base_fee()?.unwrap_or(0)))
}

pub(super) fn max_priority_fee(_: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    Step::done(&Hex(0u64))
}

/// Of the next block; before London there is none.
pub(super) fn base_fee(rpc: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    Step::done(&rpc.latest().next_base_fee()?.map(Hex))
}

pub(super) fn blob_base_fee(rpc: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    Step::done(&Hex(blob_fee(&rpc.latest().head()?, rpc.ethereum.forks())))
}

/// Price of a unit of blob gas in a block; before Cancun there is none.
fn blob_fee(block: &Block, forks: &Forks) -> u128 {
    let params = forks.blob_params(block.header.timestamp);
    block.header.excess_blob_gas.map_or(0, |excess| params.calc_blob_fee(excess))
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct History {
    oldest_block: Hex<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reward: Option<Vec<Vec<Hex<u128>>>>,
    /// Of every block and of the one after them.
    base_fee_per_gas: Vec<Hex<u64>>,
    gas_used_ratio: Vec<f64>,
    base_fee_per_blob_gas: Vec<Hex<u128>>,
    blob_gas_used_ratio: Vec<f64>,
}

pub(super) fn history(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Count(count) = params.required()?;
    let newest: BlockId = params.required()?;
    let percentiles: Vec<f64> = params.optional()?.unwrap_or_default();
    check(&percentiles)?;
    let view = rpc.latest();
    let newest = view.number(newest)?.ok_or_else(|| Error::server("request beyond head block"))?;
    let most = if percentiles.is_empty() { HISTORY_MAX } else { REWARDED_MAX };
    let count = count.min(most).min(newest + 1);
    let ethereum = rpc.ethereum.clone();
    Step::work(move || Json::of(&collect(&view, ethereum.forks(), newest, count, &percentiles)?))
}

fn check(percentiles: &[f64]) -> Result<(), Error> {
    if percentiles.len() > PERCENTILES_MAX {
        return Err(Error::server(format!("over the query limit {PERCENTILES_MAX}")));
    }
    let within = percentiles.iter().all(|percentile| (0.0..=100.0).contains(percentile));
    if !within || !percentiles.is_sorted() {
        return Err(Error::server("invalid reward percentile: each lies between 0 and 100 and they ascend"));
    }
    Ok(())
}

fn collect(view: &View, forks: &Forks, newest: u64, count: u64, percentiles: &[f64]) -> Result<History, Error> {
    let mut history = History::default();
    if count == 0 {
        return Ok(history);
    }
    let oldest = newest + 1 - count;
    history.oldest_block = Hex(oldest);
    history.reward = (!percentiles.is_empty()).then(Vec::new);
    let deadline = Deadline::of_a_read();
    for number in oldest..=newest {
        deadline.check()?;
        let block = view.block(number)?.ok_or_else(Error::header_not_found)?;
        history.base_fee_per_gas.push(Hex(block.header.base_fee_per_gas.unwrap_or(0)));
        history.gas_used_ratio.push(ratio(block.header.gas_used, block.header.gas_limit));
        history.base_fee_per_blob_gas.push(Hex(blob_fee(&block, forks)));
        let blob_gas = forks.blob_params(block.header.timestamp).max_blob_gas_per_block();
        history.blob_gas_used_ratio.push(ratio(block.header.blob_gas_used.unwrap_or(0), blob_gas));
        if let Some(rewards) = &mut history.reward {
            rewards.push(reward(&block, &view.transactions(&block)?, percentiles));
        }
    }
    let (base_fee, blob_fee) = match view.block(newest + 1)? {
        Some(next) => (next.header.base_fee_per_gas, blob_fee(&next, forks)),
        None => {
            let head = view.head()?;
            let mut next = head.clone();
            next.header = view.next_header(head.header.timestamp)?;
            (next.header.base_fee_per_gas, blob_fee(&next, forks))
        }
    };
    history.base_fee_per_gas.push(Hex(base_fee.unwrap_or(0)));
    history.base_fee_per_blob_gas.push(Hex(blob_fee));
    Ok(history)
}

#[expect(clippy::cast_precision_loss, reason = "a ratio of gas amounts, shown to people")]
fn ratio(used: u64, limit: u64) -> f64 {
    if limit == 0 { 0.0 } else { used as f64 / limit as f64 }
}

/// The tip at which so many percent of the block's gas were bought for that or less.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a block's gas, between zero and all of it"
)]
fn reward(block: &Block, transactions: &[Transaction], percentiles: &[f64]) -> Vec<Hex<u128>> {
    let base_fee = block.header.base_fee_per_gas.unwrap_or(0);
    let tip = |transaction: &Transaction| transaction.envelope.effective_tip_per_gas(base_fee).unwrap_or(0);
    let mut paid: Vec<(u128, u64)> =
        transactions.iter().map(|transaction| (tip(transaction), transaction.receipt.gas_used)).collect();
    paid.sort_unstable();
    let at = |percentile: &f64| {
        let threshold = (block.header.gas_used as f64 * percentile / 100.0) as u64;
        let mut sum = 0;
        let reached = paid.iter().find(|(_, gas)| {
            sum += gas;
            sum >= threshold
        });
        Hex(reached.or(paid.last()).map_or(0, |(tip, _)| *tip))
    };
    percentiles.iter().map(at).collect()
}

/// A number of blocks: as a JSON number, as hexadecimal or as decimal text.
struct Count(u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = Count;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of blocks")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Count, E> {
                Ok(Count(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Count, E> {
                let number = text.parse().or_else(|_| u64::from_hex(text));
                number.map(Count).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_comes_in_three_forms() {
        let read = |json| serde_json::from_str::<Count>(json).map(|count| count.0).ok();
        assert_eq!([read("16"), read("\"16\""), read("\"0x10\"")], [Some(16); 3]);
        assert_eq!([read("-1"), read("1.5"), read("\"x\""), read("null")], [None; 4]);
    }

    #[test]
    fn percentiles_ascend_within_a_hundred() {
        assert!(check(&[0.0, 50.0, 50.0, 100.0]).is_ok());
        for wrong in [&[-1.0][..], &[101.0], &[50.0, 49.0], &[f64::NAN], &[1.0; 101]] {
            assert!(check(wrong).is_err(), "{wrong:?}");
        }
    }
}
