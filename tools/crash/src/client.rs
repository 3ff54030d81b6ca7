//! A client: one transfer after another, through whatever happens to the nodes, and a record of all it was told.
//!
//! ```text
//!            ┌── refused for now, not reached ── another node, the same transfer
//! transfer ──┼── acknowledged ── receipt, from whichever node answers ── the next transfer
//!            ├── no answer: it may be done or not ── the same transfer again, or another one with the same nonce
//!            ├── already known: an attempt whose answer was lost is done ── as if acknowledged
//!            └── nonce too low: one of the attempts is done ── which one, its receipt tells
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, U64, U256};
use anyhow::{Result, bail};
use load::{Account, Endpoint, Error, Refusal, Rpc, Signer};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};

use crate::model::{Attempt, Fault, Model, Receipt};
use crate::options::Options;

/// For an answer. A node that lost its primary may keep a caller waiting until there is another.
const DEADLINE: Duration = Duration::from_secs(5);
/// Before another try.
const BREATH: Duration = Duration::from_millis(10);
/// For one transfer, whatever happens meanwhile.
const PATIENCE: Duration = Duration::from_secs(120);
const VALUE_MAX: u64 = 1_000;

/// What all clients and the test itself share.
pub struct Shared {
    pub model: Mutex<Model>,
    pub faults: Mutex<Vec<Fault>>,
    /// The newest call that was acknowledged.
    pub acknowledged: watch::Sender<Option<Acknowledged>>,
    pub stop: watch::Receiver<bool>,
    pub signer: Signer,
    pub receivers: Vec<Address>,
    pub nodes: Vec<Endpoint>,
}

#[derive(Clone, Copy, Debug)]
pub struct Acknowledged {
    /// When the call began.
    pub begun: Instant,
    pub at: Instant,
}

impl Shared {
    pub fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A receipt as nodes write it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptJson {
    block_hash: B256,
    block_number: U64,
    status: U64,
    gas_used: U256,
    effective_gas_price: U256,
}

impl From<ReceiptJson> for Receipt {
    fn from(json: ReceiptJson) -> Self {
        Self {
            block: json.block_number.to(),
            block_hash: json.block_hash,
            succeeded: json.status == U64::from(1),
            fee: json.gas_used * json.effective_gas_price,
        }
    }
}

pub struct Client {
    shared: Arc<Shared>,
    accounts: Vec<(Account, u64)>,
    /// Between the beginnings of two transfers.
    pause: Duration,
    rpcs: Vec<Rpc>,
    /// The node that is asked first.
    at: usize,
    rng: ChaCha8Rng,
}

/// What became of a call.
#[derive(PartialEq, Eq, Debug)]
enum Told {
    Done,
    /// By an earlier call.
    Known,
    /// Nothing was done, or nothing by this call; the same may be tried again.
    Again,
    Unknown,
    NonceTooLow,
    Refused(String),
}

impl Told {
    fn by(answer: Result<Option<Result<(), Refusal>>, Error>) -> Self {
        match answer {
            Ok(Some(Ok(()))) => Self::Done,
            // A refusal that passes may come after the work went on its way to a primary that is gone.
            Ok(Some(Err(refusal))) if refusal.passes() => Self::Unknown,
            Ok(Some(Err(refusal))) if refusal.nonce_is_used() => Self::NonceTooLow,
            Ok(Some(Err(refusal))) if refusal.already_known() => Self::Known,
            Ok(Some(Err(refusal))) => Self::Refused(refusal.to_string()),
            Ok(None) => Self::Unknown,
            Err(error) if error.outcome_unknown() => Self::Unknown,
            Err(_) => Self::Again,
        }
    }
}

impl Client {
    /// `accounts` with their next nonces belong to this client alone.
    pub fn new(number: usize, options: &Options, shared: Arc<Shared>, accounts: Vec<(Account, u64)>) -> Self {
        let rpcs = shared.nodes.iter().map(|node| Rpc::new(node.clone(), DEADLINE)).collect();
        let rng = ChaCha8Rng::seed_from_u64(options.seed.wrapping_mul(1_000_003) + number as u64);
        let at = number % shared.nodes.len();
        Self { shared, accounts, pause: options.pause(), rpcs, at, rng }
    }

    /// Works until it is told to stop, and finishes what it began.
    pub async fn run(mut self) -> Result<()> {
        let mut turn = 0;
        let mut due = Instant::now();
        while !*self.shared.stop.borrow() {
            let which = turn % self.accounts.len();
            self.transfer(which).await?;
            self.accounts[which].1 += 1;
            turn += 1;
            // What was missed while the network was away is not made up for: the load is steady.
            due = (due + self.pause).max(Instant::now());
            sleep_until(due.into()).await;
        }
        Ok(())
    }

    /// Returns when one transfer with the account's next nonce is done and its receipt was seen.
    async fn transfer(&mut self, which: usize) -> Result<()> {
        let (account, nonce) = self.accounts[which].clone();
        let begun = Instant::now();
        let mut attempts = vec![self.attempt(&account, nonce)];
        loop {
            let (hash, raw) = attempts.last().map(|attempt| (attempt.hash, attempt.raw.clone())).unwrap_or_default();
            if begun.elapsed() > PATIENCE {
                bail!("transfer {hash} was not done within {} s", PATIENCE.as_secs());
            }
            match self.send(&raw).await {
                Told::Done | Told::Known => {
                    self.shared.model().acknowledge(account.address(), nonce, hash);
                    return self.receipt_of(&[hash]).await;
                }
                Told::NonceTooLow => {
                    let hashes: Vec<B256> = attempts.iter().map(|attempt| attempt.hash).collect();
                    return self.receipt_of(&hashes).await;
                }
                Told::Again => self.turn_away().await,
                Told::Unknown => {
                    self.turn_away().await;
                    if self.rng.random_bool(0.5) {
                        attempts.push(self.attempt(&account, nonce));
                    }
                }
                Told::Refused(why) => bail!("transfer {hash} (nonce {nonce} of {}): {why}", account.address()),
            }
        }
    }

    fn attempt(&mut self, account: &Account, nonce: u64) -> load::Signed {
        let to = self.shared.receivers[self.rng.random_range(0..self.shared.receivers.len())];
        let value = U256::from(self.rng.random_range(1..=VALUE_MAX));
        let signed = self.shared.signer.transfer(account, nonce, to, value);
        self.shared.model().attempt(account.address(), nonce, Attempt { transaction: signed.hash, to, value });
        signed
    }

    async fn send(&mut self, raw: &[u8]) -> Told {
        let begun = Instant::now();
        let told = Told::by(self.rpcs[self.at].send(&[raw]).await.map(|mut answers| answers.pop()));
        if told == Told::Done {
            let acknowledged = Acknowledged { begun, at: Instant::now() };
            self.shared.acknowledged.send_replace(Some(acknowledged));
        }
        told
    }

    /// Waits until a node shows the receipt of one of these, and writes it down.
    async fn receipt_of(&mut self, hashes: &[B256]) -> Result<()> {
        let begun = Instant::now();
        loop {
            for &hash in hashes {
                let found: Result<Option<ReceiptJson>, Error> =
                    self.rpcs[self.at].call("eth_getTransactionReceipt", [hash]).await;
                if let Ok(Some(receipt)) = found {
                    if let Some(fault) = self.shared.model().saw(hash, receipt.into()) {
                        self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
                    }
                    return Ok(());
                }
            }
            // Left to the checks at the end: they know whether it was acknowledged.
            if begun.elapsed() > PATIENCE {
                bail!("no node shows a receipt of {hashes:?}");
            }
            self.turn_away().await;
        }
    }

    /// Another node may know better.
    async fn turn_away(&mut self) {
        self.at = (self.at + 1 + self.rng.next_u32() as usize % self.rpcs.len()) % self.rpcs.len();
        sleep(BREATH).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: i64, message: &str) -> Told {
        Told::by(Ok(Some(Err(Refusal { code, message: message.into() }))))
    }

    /// A client that sent it again for ever, since the node "has it already", gave up on a transfer that was done.
    #[test]
    fn what_is_known_already_is_done() {
        assert_eq!(told(-32000, "already known"), Told::Known);
        assert_eq!(told(-32000, "nonce too low: next nonce 5, tx nonce 4"), Told::NonceTooLow);
        assert_eq!(told(-32002, "the network has no primary"), Told::Unknown);
        assert!(matches!(told(-32000, "insufficient funds"), Told::Refused(_)));
        assert_eq!(Told::by(Ok(Some(Ok(())))), Told::Done);
        assert_eq!(Told::by(Ok(None)), Told::Unknown);
    }
}
