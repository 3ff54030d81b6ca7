//! Whether what was once seen can still be read.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use serde::Deserialize;

use crate::follow::Receipts;
use crate::{Endpoint, Error, Rpc};

/// What a look back found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReadBack {
    pub blocks: u64,
    pub receipts: u64,
}

#[derive(Deserialize)]
struct Block {
    hash: B256,
    transactions: Vec<B256>,
}

/// Reads blocks that had transactions, and all their receipts; each must be the one that was seen, and whole.
pub async fn read_back(endpoint: &Endpoint, blocks: &BTreeMap<u64, B256>) -> Result<ReadBack, Error> {
    let mut rpc = Rpc::new(endpoint.clone(), std::time::Duration::from_secs(60));
    let mut receipts = Receipts::of(endpoint).await?;
    let mut found = ReadBack::default();
    for (&number, &hash) in blocks {
        let lost = |what: &str| Err(Error::Load(format!("{endpoint}: block {number} was seen as {hash}, and {what}")));
        let block: Option<Block> = rpc.call("eth_getBlockByNumber", (format!("{number:#x}"), false)).await?;
        let Some(block) = block else { return lost("is not there any more") };
        let seen = receipts.read(&[number]).await?;
        let Some(seen) = seen.first() else { return lost("has no receipts any more") };
        if block.hash != hash || seen.hash != hash {
            return lost("is another one now");
        }
        if !seen.receipts.iter().map(|receipt| receipt.transaction).eq(block.transactions) {
            return lost("its receipts are not those of its transactions");
        }
        found.blocks += 1;
        found.receipts += seen.receipts.len() as u64;
    }
    Ok(found)
}
