//! Subscriptions of one WebSocket connection.
//!
//! Blocks arrive once for all connections and are shared; each connection makes its notifications of them when it
//! comes to write. So a slow client holds no memory of its own, and is dropped when it is too many blocks behind.
//!
//! A transaction is announced when its block is: before commit nothing of it is shown, and after it nothing is pending.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::Rpc;
use super::dispatch::Step;
use super::errors::Error;
use super::framing;
use super::logs::Criteria;
use super::params::Params;
use super::types::{HeaderJson, Hex, LogFilter, Place, ReceiptJson, Text, TransactionJson};
use crate::{Ethereum, NewBlock};

/// Subscriptions of one connection.
const SUBSCRIPTIONS_MAX: usize = 1_000;
/// Addresses, topics and hashes in all of them: each is looked for in every block.
const ALTERNATIVES_MAX: usize = 10_000;
/// Notifications of one block on one connection, and their bytes: a client that asks for more is told nothing but that.
const NOTES_MAX: usize = 20_000;
const NOTES_BYTES_MAX: usize = 32 << 20;
/// Transactions that one subscription may name.
const HASHES_MAX: usize = 200;

/// The connection is too far behind.
#[derive(Debug)]
pub(super) struct Lagged;

pub(super) struct Subscriptions {
    ethereum: Arc<Ethereum>,
    /// Listens only while there is a subscription.
    blocks: Option<broadcast::Receiver<Arc<NewBlock>>>,
    running: BTreeMap<u128, Subscription>,
    /// Made by the message that is being read.
    fresh: Vec<u128>,
    /// Made, but the client was not told the id yet: until then nothing is delivered.
    untold: usize,
}

struct Subscription {
    kind: Kind,
    /// The head when it was made: what is later is news.
    since: u64,
}

enum Kind {
    Heads,
    Logs(Box<Criteria>),
    Hashes,
    Transactions,
    Receipts(Vec<alloy_primitives::B256>),
    /// Never says anything: a node serves when it has caught up, and not before.
    Syncing,
}

impl Kind {
    fn alternatives(&self) -> usize {
        match self {
            Self::Logs(criteria) => criteria.alternatives(),
            Self::Receipts(hashes) => hashes.len(),
            Self::Heads | Self::Hashes | Self::Transactions | Self::Syncing => 0,
        }
    }
}

impl Subscriptions {
    pub(super) fn new(ethereum: &Arc<Ethereum>) -> Self {
        Self { ethereum: ethereum.clone(), blocks: None, running: BTreeMap::new(), fresh: Vec::new(), untold: 0 }
    }

    fn add(&mut self, kind: Kind, since: u64) -> Result<u128, Error> {
        if self.running.len() >= SUBSCRIPTIONS_MAX {
            return Err(Error::server(format!("too many subscriptions, want at most {SUBSCRIPTIONS_MAX}")));
        }
        let alternatives: usize = self.running.values().map(|running| running.kind.alternatives()).sum();
        if alternatives + kind.alternatives() > ALTERNATIVES_MAX {
            let message =
                format!("too many addresses, topics and hashes, want at most {ALTERNATIVES_MAX} on a connection");
            return Err(Error::server(message));
        }
        let id = rand::random::<u128>();
        self.running.insert(id, Subscription { kind, since });
        self.fresh.push(id);
        self.untold += 1;
        Ok(id)
    }

    /// How many the message just read has made; for [`Subscriptions::begin`] once it is answered.
    pub(super) fn take_fresh(&mut self) -> usize {
        std::mem::take(&mut self.fresh).len()
    }

    /// So many more ids are known to the client.
    pub(super) fn begin(&mut self, told: usize) {
        self.untold -= told;
    }

    /// The notifications of the next block. Nothing is lost if it is dropped while it waits.
    pub(super) async fn next(&mut self) -> Result<Vec<Vec<u8>>, Lagged> {
        let (Some(blocks), 0) = (&mut self.blocks, self.untold) else { return std::future::pending().await };
        match blocks.recv().await {
            Ok(block) => self.notifications(&block),
            Err(RecvError::Lagged(_)) => Err(Lagged),
            // The adapter is gone: the node is stopping, and the connection with it.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }

    fn notifications(&self, new: &NewBlock) -> Result<Vec<Vec<u8>>, Lagged> {
        let mut notes = Notes::default();
        let number = new.block.header.number;
        for (id, subscription) in self.running.iter().filter(|(_, subscription)| number > subscription.since) {
            let id = format!("{id:#x}");
            match &subscription.kind {
                Kind::Heads => notes.add(&id, &HeaderJson::of(&new.block.header, new.block.hash)),
                Kind::Logs(criteria) if !criteria.may_match(&new.block) => {}
                Kind::Logs(criteria) => {
                    let transactions = new.transactions().ok_or(Lagged)?;
                    criteria.each(&new.block, transactions, |log| notes.add(&id, &log));
                }
                Kind::Hashes => new.block.transactions.iter().for_each(|hash| notes.add(&id, hash)),
                Kind::Transactions => new.transactions().ok_or(Lagged)?.iter().for_each(|transaction| {
                    let place = Place::of(&new.block, transaction.index);
                    notes.add(&id, &TransactionJson::of(transaction, place));
                }),
                Kind::Receipts(hashes) => {
                    let wanted = |hash| hashes.is_empty() || hashes.contains(hash);
                    let receipts: Vec<_> = (new.transactions().ok_or(Lagged)?.iter())
                        .filter(|transaction| wanted(&transaction.hash))
                        .map(|transaction| ReceiptJson::of(transaction, &new.block, self.ethereum.forks()))
                        .collect();
                    if !receipts.is_empty() {
                        notes.add(&id, &receipts);
                    }
                }
                Kind::Syncing => {}
            }
            if notes.full() {
                return Err(Lagged);
            }
        }
        Ok(notes.list)
    }
}

/// The notifications of one block.
#[derive(Default)]
struct Notes {
    list: Vec<Vec<u8>>,
    bytes: usize,
}

impl Notes {
    fn full(&self) -> bool {
        self.list.len() > NOTES_MAX || self.bytes > NOTES_BYTES_MAX
    }

    fn add<T: Serialize + ?Sized>(&mut self, id: &str, result: &T) {
        if self.full() {
            return;
        }
        // Plain structs of text and numbers; one that could not be written would be worth no notification either.
        if let Ok(result) = serde_json::to_vec(result) {
            let mut out = Vec::with_capacity(result.len() + 128);
            framing::write_notification(&mut out, id, &result);
            self.bytes += out.len();
            self.list.push(out);
        }
    }
}

pub(super) fn subscribe(
    rpc: &Arc<Rpc>,
    subscriptions: &mut Subscriptions,
    mut params: Params<'_>,
) -> Result<Step, Error> {
    let Text(name) = params.required()?;
    let kind = match &*name {
        "newHeads" => Kind::Heads,
        "logs" => {
            let filter = params.optional::<LogFilter>()?.unwrap_or_default();
            Kind::Logs(Box::new(Criteria::new(filter)?))
        }
        "newPendingTransactions" => match params.optional::<bool>()? {
            Some(true) => Kind::Transactions,
            _ => Kind::Hashes,
        },
        "transactionReceipts" => {
            #[derive(serde::Deserialize, Default)]
            #[serde(rename_all = "camelCase")]
            struct Wanted {
                #[serde(default)]
                transaction_hashes: Vec<Hex<alloy_primitives::B256>>,
            }
            let wanted = params.optional::<Wanted>()?.unwrap_or_default().transaction_hashes;
            if wanted.len() > HASHES_MAX {
                return Err(Error::params(format!("too many transaction hashes, want at most {HASHES_MAX}")));
            }
            Kind::Receipts(wanted.into_iter().map(|hash| hash.0).collect())
        }
        "syncing" => Kind::Syncing,
        other => {
            let shown: String = other.chars().take(64).collect();
            return Err(Error::method_not_found(&format!("eth_subscribe {shown:?}")));
        }
    };
    // Listens before it looks at the head, so that no block falls between.
    if subscriptions.blocks.is_none() {
        subscriptions.blocks = Some(rpc.ethereum.blocks());
    }
    let since = rpc.latest().head_number()?;
    let id = subscriptions.add(kind, since)?;
    Step::done(&Hex(id))
}

pub(super) fn unsubscribe(
    _: &Arc<Rpc>,
    subscriptions: &mut Subscriptions,
    mut params: Params<'_>,
) -> Result<Step, Error> {
    let Hex(id) = params.required::<Hex<u128>>()?;
    let known = subscriptions.running.remove(&id).is_some();
    if subscriptions.running.is_empty() {
        subscriptions.blocks = None;
    }
    if known { Step::done(&true) } else { Err(Error::server("subscription not found")) }
}
