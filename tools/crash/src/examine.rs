//! Asks every node for what the model can check.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, U64, U256};
use anyhow::{Context, Result, bail};
use load::{Endpoint, Rpc};
use serde::de::DeserializeOwned;
use tokio::time::sleep;

use crate::client::ReceiptJson;
use crate::model::{Observed, Receipt};

const DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
const BATCH: usize = 200;

/// One node, asked after the fact.
pub struct Examined {
    rpc: Rpc,
}

impl Examined {
    pub fn new(node: &Endpoint) -> Self {
        Self { rpc: Rpc::new(node.clone(), DEADLINE) }
    }

    /// The newest block that the node shows.
    pub async fn head(&mut self) -> Result<u64> {
        Ok(self.rpc.call::<U64>("eth_blockNumber", [(); 0]).await?.to())
    }

    /// A node that was away catches up first.
    pub async fn wait_for(&mut self, block: u64) -> Result<()> {
        let begun = Instant::now();
        loop {
            let head = self.head().await?;
            if head >= block {
                return Ok(());
            }
            if begun.elapsed() > DEADLINE {
                bail!("{} is at block {head} and does not come to block {block}", self.rpc.endpoint());
            }
            sleep(POLL).await;
        }
    }

    pub async fn receipts(&mut self, of: impl Iterator<Item = B256>) -> Result<BTreeMap<B256, Receipt>> {
        let hashes: Vec<B256> = of.collect();
        let params: Vec<[B256; 1]> = hashes.iter().map(|hash| [*hash]).collect();
        let found = self.ask::<Option<ReceiptJson>>("eth_getTransactionReceipt", &params).await?;
        Ok(hashes.into_iter().zip(found).filter_map(|(hash, receipt)| Some((hash, receipt?.into()))).collect())
    }

    /// All that the model wants to know.
    pub async fn observe(
        &mut self,
        accounts: impl Iterator<Item = Address>,
        transactions: impl Iterator<Item = B256>,
    ) -> Result<Observed> {
        let accounts: Vec<Address> = accounts.collect();
        let params: Vec<(Address, &str)> = accounts.iter().map(|account| (*account, "latest")).collect();
        let nonces = self.ask::<U64>("eth_getTransactionCount", &params).await?;
        let balances = self.ask::<U256>("eth_getBalance", &params).await?;
        let known = nonces.into_iter().map(|nonce| nonce.to()).zip(balances);
        Ok(Observed {
            accounts: accounts.into_iter().zip(known).collect(),
            receipts: self.receipts(transactions).await?,
        })
    }

    async fn ask<T: DeserializeOwned>(&mut self, method: &str, params: &[impl serde::Serialize]) -> Result<Vec<T>> {
        let mut all = Vec::with_capacity(params.len());
        for chunk in params.chunks(BATCH) {
            for answer in self.rpc.batch::<T>(method, chunk).await? {
                let at = self.rpc.endpoint().clone();
                all.push(
                    answer
                        .map_err(|refusal| anyhow::anyhow!("{refusal}"))
                        .with_context(|| format!("{method} at {at}"))?,
                );
            }
        }
        Ok(all)
    }
}
