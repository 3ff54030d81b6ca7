//! The chain as a whole, and the node itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use adapter::Submitted;
use alloy_primitives::{B256, Bytes, keccak256};
use serde::Serialize;

use super::Rpc;
use super::dispatch::Step;
use super::errors::Error;
use super::framing::Json;
use super::methods;
use super::params::Params;
use super::types::{BlockId, Data, Hex};
use super::workers::Lane;
use crate::View;

impl View {
    /// The number of the block that a caller names; `None` if there is no such block (yet).
    pub(super) fn number(&self, block: BlockId) -> Result<Option<u64>, Error> {
        let head = self.head_number()?;
        match block {
            BlockId::Head | BlockId::Pending => Ok(Some(head)),
            BlockId::Earliest => Ok(Some(0)),
            BlockId::Number(number) => Ok((number <= head).then_some(number)),
            BlockId::Hash(hash) => Ok(self.number_of(hash)?),
        }
    }
}

pub(super) fn chain_id(rpc: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    Step::done(&Hex(rpc.ethereum.chain_id()))
}

pub(super) fn block_number(rpc: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    Step::done(&Hex(rpc.latest().head_number()?))
}

/// A node serves once it has caught up, so it never says that it is syncing.
pub(super) fn syncing(_: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    Step::done(&false)
}

pub(super) fn net_version(rpc: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    Step::done(&rpc.ethereum.chain_id().to_string())
}

pub(super) fn net_listening(_: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    Step::done(&true)
}

/// The other nodes of the network.
pub(super) fn net_peer_count(rpc: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    Step::done(&Hex(rpc.node.status().voters.len().saturating_sub(1) as u64))
}

pub(super) fn client_version(_: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    let (version, os, arch) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    Step::done(&format!("Coco/v{version}/{os}-{arch}/rust"))
}

pub(super) fn sha3(_: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(data) = params.required::<Hex<Bytes>>()?;
    Step::done(&keccak256(data))
}

pub(super) fn modules(_: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    let names = methods::METHODS.iter().filter_map(|method| method.name.split_once('_'));
    let modules: BTreeMap<&str, &str> = names.map(|(module, _)| (module, "1.0")).collect();
    Step::done(&modules)
}

/// What a router of requests may send here: everything is kept but old state, which leaves with the window.
pub(super) fn capabilities(rpc: &Arc<Rpc>, _: Params<'_>) -> Result<Step, Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Kept {
        disabled: bool,
        oldest_block: Hex<u64>,
    }
    #[derive(Serialize)]
    struct Head {
        number: Hex<u64>,
        hash: B256,
    }
    #[derive(Serialize)]
    struct Capabilities {
        head: Head,
        state: Kept,
        tx: Kept,
        logs: Kept,
        receipts: Kept,
        blocks: Kept,
        stateproofs: Kept,
    }
    let rpc = rpc.clone();
    Step::work(move || {
        let head = rpc.latest().head()?;
        let oldest = oldest_state(&rpc, head.header.number);
        let since = |number| Kept { disabled: false, oldest_block: Hex(number) };
        Json::of(&Capabilities {
            head: Head { number: Hex(head.header.number), hash: head.hash },
            state: since(oldest),
            tx: since(0),
            logs: since(0),
            receipts: since(0),
            blocks: since(0),
            stateproofs: since(oldest),
        })
    })
}

/// The oldest block whose state is still there. It is in the window or not, and the window has no holes.
fn oldest_state(rpc: &Rpc, head: u64) -> u64 {
    let snapshot = rpc.node.snapshot();
    let (mut gone, mut kept) = (0, head);
    if rpc.ethereum.at(&snapshot, 0).is_ok() {
        return 0;
    }
    while kept - gone > 1 {
        let middle = gone + (kept - gone) / 2;
        match rpc.ethereum.at(&snapshot, middle) {
            Ok(_) => kept = middle,
            Err(_) => gone = middle,
        }
    }
    kept
}

/// Takes a block that was made elsewhere, to start a ledger from another chain's history. Whoever may do that may write
/// anything, so it ends with the first block made here.
pub(super) fn import_block(rpc: &Arc<Rpc>, mut params: Params<'_>) -> Result<Step, Error> {
    let Hex(rlp) = params.required::<Hex<Bytes>>()?;
    let rpc = rpc.clone();
    Step::wait(async move {
        let view = rpc.latest();
        let head = view.head()?;
        let own = view.next_header(head.header.timestamp)?.extra_data;
        if head.header.number > 0 && (!head.imported || head.header.extra_data == own) {
            return Err(Error::server("the ledger has blocks of its own: nothing can be imported after them"));
        }
        let ethereum = rpc.ethereum.clone();
        let work = rpc.workers.of(Lane::Admission).run(move || ethereum.admit_block(&rlp)).await??;
        match rpc.node.submit(work).await? {
            Submitted::Committed { reply, .. } => Json::of(&Data(reply)),
            Submitted::Waiting => Err(Error::internal("a block does not wait")),
        }
    })
}
