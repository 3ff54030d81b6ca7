//! Transactions: sent, found, and their receipts.

use std::sync::Arc;
use std::time::Duration;

use adapter::{Reject, Submitted, Work};
use alloy_consensus::Transaction as _;
use alloy_primitives::{B256, Bytes, U256};
use serde::Deserialize;

use super::Rpc;
use super::blocks::nothing;
use super::dispatch::Step;
use super::errors::{Error, code};
use super::framing::{Answer, Json};
use super::params::Params;
use super::types::{BlockId, Hex, Place, ReceiptJson, TransactionJson};
use crate::{Block, Envelope, Transaction, View, transaction};

/// For a receipt, unless the caller says otherwise.
const SYNC_DEFAULT: Duration = Duration::from_secs(20);
const SYNC_MAX: Duration = Duration::from_secs(60);

/// Answered when the transaction is committed and visible on this node, or waits for the nonces before it.
pub(super) fn send_raw(_: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(raw) = params.required::<Hex<Bytes>>()?;
    Ok(Step::Send(raw))
}

/// Checks a signed transaction. Costs a signature recovery.
pub(super) fn admit(rpc: &Rpc, raw: &[u8]) -> Result<(B256, Work), Error> {
    let envelope = decode(raw)?;
    check_fee(rpc, &envelope)?;
    let hash = *envelope.tx_hash();
    match rpc.ethereum.admit(&rpc.node.snapshot(), raw) {
        Ok(work) => Ok((hash, work)),
        // Who sends it again, not having heard the answer, is told that it is there.
        Err(_) if rpc.latest().transaction(hash)?.is_some() => Err(Error::server("already known")),
        Err(reject) => Err(reject.into()),
    }
}

fn decode(raw: &[u8]) -> Result<Envelope, Error> {
    Ok(transaction::decode(raw).map_err(Reject::from)?)
}

/// Guards against a slip of the pen: nobody means to pay that much.
fn check_fee(rpc: &Rpc, envelope: &Envelope) -> Result<(), Error> {
    let Some(cap) = rpc.ethereum.config().fee_cap else { return Ok(()) };
    let fee = U256::from(envelope.max_fee_per_gas()).saturating_mul(U256::from(envelope.gas_limit()));
    if fee > cap {
        let message = format!("tx fee ({fee} wei) exceeds the configured cap ({cap} wei)");
        return Err(Error::server(message));
    }
    Ok(())
}

pub(super) async fn submit(rpc: Arc<Rpc>, hash: B256, work: Work) -> Answer {
    match rpc.node.submit(work).await {
        Ok(Submitted::Committed { .. } | Submitted::Waiting) => Json::of(&hash),
        // Sent twice at the same time: one of the two came first.
        Err(_) if rpc.latest().transaction(hash)?.is_some() => Err(Error::server("already known")),
        Err(reject) => Err(reject.into()),
    }
}

/// EIP-7966. A revert is not an error: the receipt tells.
pub(super) fn send_raw_sync(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(raw) = params.required::<Hex<Bytes>>()?;
    let wait = match params.optional::<Milliseconds>()? {
        Some(Milliseconds(wait)) if wait > 0 => Duration::from_millis(wait).min(SYNC_MAX),
        _ => SYNC_DEFAULT,
    };
    let rpc = rpc.clone();
    Step::wait(async move { send_and_wait(&rpc, &raw, wait).await })
}

struct Milliseconds(u64);

impl<'de> Deserialize<'de> for Milliseconds {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(u64),
            Text(Hex<u64>),
            /// The node's default is used: so the EIP wants it.
            Other(serde::de::IgnoredAny),
        }
        Ok(Self(match Either::deserialize(deserializer)? {
            Either::Number(wait) | Either::Text(Hex(wait)) => wait,
            Either::Other(_) => 0,
        }))
    }
}

async fn send_and_wait(rpc: &Arc<Rpc>, raw: &[u8], wait: Duration) -> Answer {
    let (hash, work) = admit(rpc, raw)?;
    let envelope = decode(raw)?;
    let sender = transaction::sender(&envelope, true).map_err(Reject::from)?;
    let expected = rpc.latest().account(sender)?.map_or(0, |account| account.nonce);
    if envelope.nonce() > expected {
        let mut error = Error::new(
            code::SYNC_NONCE_GAP,
            format!("nonce gap: the transaction has nonce {}, the next of its sender is {expected}", envelope.nonce()),
        );
        error.data = Some(format!("{expected:#x}"));
        return Err(error);
    }
    let late = || Error::new(code::SYNC_TIMEOUT, "no receipt within the time given").with_data(hash);
    match tokio::time::timeout(wait, rpc.node.submit(work)).await {
        Err(_) => Err(late()),
        Ok(Err(reject)) => Err(reject.into()),
        // Visible here now, so its receipt is there.
        Ok(Ok(Submitted::Committed { .. })) => receipt_of(rpc, hash),
        // Another transaction took its place in the line between the check and now.
        Ok(Ok(Submitted::Waiting)) => Err(late()),
    }
}

/// A transaction with the block it stands in.
pub(super) fn find(view: &View, hash: B256) -> Result<Option<(Transaction, Block)>, Error> {
    let Some(transaction) = view.transaction(hash)? else { return Ok(None) };
    let Some(block) = view.block(transaction.number)? else {
        return Err(Error::internal("a transaction's block is missing on this node"));
    };
    Ok(Some((transaction, block)))
}

fn receipt_of(rpc: &Rpc, hash: B256) -> Answer {
    match find(&rpc.latest(), hash)? {
        Some((transaction, block)) => Json::of(&ReceiptJson::of(&transaction, &block, rpc.ethereum.forks())),
        None => nothing(),
    }
}

pub(super) fn receipt(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(hash) = params.required::<Hex<B256>>()?;
    Ok(Step::Done(receipt_of(rpc, hash)))
}

pub(super) fn by_hash(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(hash) = params.required::<Hex<B256>>()?;
    Ok(Step::Done(match find(&rpc.latest(), hash)? {
        Some((transaction, block)) => {
            Json::of(&TransactionJson::of(&transaction, Place::of(&block, transaction.index)))
        }
        None => nothing(),
    }))
}

pub(super) fn raw_by_hash(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(hash) = params.required::<Hex<B256>>()?;
    Ok(Step::Done(match rpc.latest().transaction(hash)? {
        Some(transaction) => Json::of(&transaction.raw),
        None => nothing(),
    }))
}

/// A transaction by its block and its place in it.
fn at_index(rpc: &Rpc, params: &mut Params<'_>) -> Result<Option<(Transaction, Block)>, Error> {
    let block: BlockId = params.required()?;
    let Hex(index) = params.required::<Hex<u64>>()?;
    let view = rpc.latest();
    let hash = view.find(block)?.and_then(|block| block.transactions.get(usize::try_from(index).ok()?).copied());
    match hash {
        Some(hash) => find(&view, hash),
        None => Ok(None),
    }
}

pub(super) fn by_index(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    Ok(Step::Done(match at_index(rpc, &mut params)? {
        Some((transaction, block)) => {
            Json::of(&TransactionJson::of(&transaction, Place::of(&block, transaction.index)))
        }
        None => nothing(),
    }))
}

pub(super) fn raw_by_index(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    Ok(Step::Done(match at_index(rpc, &mut params)? {
        Some((transaction, _)) => Json::of(&transaction.raw),
        None => nothing(),
    }))
}
