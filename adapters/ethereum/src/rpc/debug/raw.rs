//! debug_getRaw*: blocks and their parts as RLP.

use std::sync::Arc;

use alloy_consensus::{Block as RlpBlock, BlockBody};
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::eip4895::Withdrawals;
use alloy_primitives::Bytes;

use crate::rpc::Rpc;
use crate::rpc::dispatch::Step;
use crate::rpc::errors::Error;
use crate::rpc::framing::Json;
use crate::rpc::params::Params;
use crate::{Block, View, header};

fn asked(rpc: &Rpc, params: &mut Params<'_>) -> Result<(View, Block), Error> {
    let view = rpc.latest();
    let block = view.find(params.required()?)?.ok_or_else(|| Error::server("block not found"))?;
    Ok((view, block))
}

pub(in crate::rpc) fn header(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let (_, block) = asked(rpc, &mut params)?;
    Step::done(&Bytes::from(alloy_rlp::encode(&block.header)))
}

pub(in crate::rpc) fn block(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let (view, block) = asked(rpc, &mut params)?;
    Step::work(move || {
        let transactions = view.transactions(&block)?.into_iter().map(|transaction| transaction.envelope).collect();
        let Block { header, ommers, withdrawals, .. } = block;
        let body = BlockBody { transactions, ommers, withdrawals: withdrawals.map(Withdrawals::new) };
        Json::of(&Bytes::from(alloy_rlp::encode(RlpBlock { header, body })))
    })
}

pub(in crate::rpc) fn receipts(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let (view, block) = asked(rpc, &mut params)?;
    Step::work(move || {
        let transactions = view.transactions(&block)?;
        let receipts = transactions.iter().map(|transaction| {
            Bytes::from(header::consensus_receipt(&transaction.receipt, &transaction.envelope).encoded_2718())
        });
        Json::of(&receipts.collect::<Vec<_>>())
    })
}

/// A block is committed or it never was.
pub(in crate::rpc) fn bad_blocks(_: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    Step::done::<[(); 0]>(&[])
}
