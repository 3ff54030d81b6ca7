//! Ethereum's clients: signed transactions, blocks, and bodies of JSON-RPC.

use std::sync::Arc;

use adapter::{Plumbing, Role, Status};
use alloy_eips::eip2718::Encodable2718;
use base::{Digest, NodeId, TxId, View};
use ethereum::{RpcReader, transaction};
use serde_json::value::RawValue;

use crate::network::HOSTED;
use crate::vectors;

/// A transaction, and the same bytes as a block. What is read has one form.
pub fn transaction(data: &[u8]) {
    if let Ok(envelope) = transaction::decode(data) {
        // Blobs are left behind.
        let raw = envelope.encoded_2718();
        assert!(raw == data || data[0] == 3, "a transaction has one form");
        assert_eq!(transaction::decode_in_block(&raw).as_ref(), Ok(&envelope));
        if let Ok(sender) = transaction::sender(&envelope, true) {
            assert_eq!(transaction::sender(&envelope, false), Ok(sender));
            drop(transaction::tx_env(&envelope, sender));
        }
    }
    HOSTED.with(|hosted| {
        drop(hosted.ethereum.admit(&hosted.snapshot(), data));
        drop(hosted.ethereum.admit_block(data));
    });
}

/// A body of JSON-RPC: it is taken apart, and its methods read their parameters. No method may stop halfway.
pub fn rpc(data: &[u8]) {
    thread_local! {
        static READER: RpcReader = HOSTED.with(|hosted| {
            let status = Status {
                id: NodeId(Digest::ZERO),
                role: Role::Primary,
                view: View(2),
                committed: TxId { view: View(2), seqno: hosted.store.head().seqno() },
                root: Digest::ZERO,
                voters: vec![1, 2, 3],
                learners: vec![],
                transactions: 0,
            };
            let plumbing = Plumbing::new(hosted.snapshot(), status, Arc::new(adapter::NoService), drop);
            RpcReader::new(Arc::clone(&hosted.ethereum), plumbing.node.clone())
        });
    }
    let replies = READER.with(|reader| reader.read(data));
    for reply in replies {
        // By the grammar: an `id` comes back as it came, and may be a number that no type holds.
        let json: Result<&RawValue, _> = serde_json::from_slice(&reply);
        let text = String::from_utf8_lossy(&reply);
        assert!(json.is_ok(), "a reply is JSON: {text}");
        assert!(!text.contains("method handler crashed"), "{text}");
    }
}

/// Transactions of the recorded chain.
pub fn raw_transactions() -> Vec<Vec<u8>> {
    vectors::ending("ethereum/rpc-compat/cases", &[".io"])
        .into_iter()
        .filter_map(|case| {
            let call = requests(&case).into_iter().find(|call| call["method"] == "eth_sendRawTransaction")?;
            const_hex::decode(call["params"][0].as_str()?).ok()
        })
        .collect()
}

/// Blocks of the recorded chain: few, and from all over it.
pub fn raw_blocks(count: usize) -> Vec<Vec<u8>> {
    let Some(chain) = vectors::read("ethereum/rpc-compat/chain.rlp") else { return Vec::new() };
    let mut blocks = Vec::new();
    let mut rest = &chain[..];
    while let Some(length) = item(rest).filter(|length| *length <= rest.len()) {
        let (block, more) = rest.split_at(length);
        blocks.push(block.to_vec());
        rest = more;
    }
    let step = (blocks.len() / count.max(1)).max(1);
    blocks.into_iter().step_by(step).collect()
}

/// The length of the RLP list in front.
fn item(bytes: &[u8]) -> Option<usize> {
    let first = *bytes.first()?;
    let digits = usize::from(first.checked_sub(0xf7)?);
    let length = bytes.get(1..=digits)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    Some(1 + digits + length)
}

fn requests(case: &[u8]) -> Vec<serde_json::Value> {
    let text = String::from_utf8_lossy(case);
    text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix(">> ")?).ok()).collect()
}

pub fn transaction_seeds() -> Vec<Vec<u8>> {
    [raw_transactions(), raw_blocks(24)].concat()
}

pub fn rpc_seeds() -> Vec<Vec<u8>> {
    let cases = vectors::ending("ethereum/rpc-compat/cases", &[".io"]);
    let recorded = cases.iter().flat_map(|case| requests(case)).map(|call| call.to_string().into_bytes());
    let own = [
        r#"[{"jsonrpc":"2.0","id":1,"method":"eth_chainId"},{"jsonrpc":"2.0","method":"eth_blockNumber","params":[]}]"#,
        r#"{"jsonrpc":"2.0","id":"x","method":"eth_getLogs","params":[{"fromBlock":"0x0","address":["0x0000000000000000000000000000000000000001"],"topics":[null,[]]}]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"eth_signTypedData_v4","params":["0x0000000000000000000000000000000000000001",{"types":{"EIP712Domain":[{"name":"a","type":"uint256"}],"A":[{"name":"b","type":"A[]"}]},"primaryType":"A","domain":{"a":1},"message":{"b":[]}}]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"debug_traceCall","params":[{"data":"0x6001"},"latest",{"tracer":"callTracer","stateOverrides":{}}]}"#,
    ];
    recorded.chain(own.into_iter().map(|text| text.as_bytes().to_vec())).collect()
}
