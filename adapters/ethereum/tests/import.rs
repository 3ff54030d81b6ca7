//! A chain of every fork, made by another client, is executed block by block and found right in every root.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod support;

use adapter::Verdict;
use alloy_consensus::{Block, Header};
use alloy_eips::eip2718::Typed2718;
use alloy_primitives::{B256, Bytes};
use ethereum::{Config, Envelope, Genesis};
use support::{Bench, vectors};

/// The blocks of a file of concatenated RLP.
fn split(mut chain: &[u8]) -> Vec<&[u8]> {
    let mut blocks = Vec::new();
    while !chain.is_empty() {
        let mut rest = chain;
        let header = alloy_rlp::Header::decode(&mut rest).unwrap();
        let length = chain.len() - rest.len() + header.payload_length;
        blocks.push(&chain[..length]);
        chain = &chain[length..];
    }
    blocks
}

#[test]
fn a_foreign_chain_of_every_fork_is_imported() {
    let Some(vectors) = vectors() else { return };
    let text = std::fs::read_to_string(vectors.join("rpc-compat/genesis.json")).unwrap();
    let chain = std::fs::read(vectors.join("rpc-compat/chain.rlp")).unwrap();
    let mut bench = Bench::new(Config::new(Genesis::parse(&text).unwrap()));
    let blocks = split(&chain);
    assert_eq!(blocks.len(), 54);
    for (place, rlp) in blocks.iter().enumerate() {
        let work = bench.ethereum.admit_block(rlp).unwrap();
        let verdicts = bench.batch(&[work]);
        assert!(
            matches!(&verdicts[..], [Verdict::Keep(outcome)] if outcome.closes),
            "block {}: {verdicts:?}",
            place + 1
        );
    }
    let snapshot = bench.store.snapshot();
    let view = bench.ethereum.latest(&snapshot);
    let head = view.head().unwrap();
    assert_eq!(head.header.number, 54);
    let forkchoice = std::fs::read_to_string(vectors.join("rpc-compat/headfcu.json")).unwrap();
    assert!(forkchoice.contains(&head.hash.to_string()), "the head is the one that its maker names");
    for number in 0..=54 {
        let block = view.block(number).unwrap().unwrap();
        assert_eq!(block.header.hash_slow(), block.hash);
        assert_eq!(view.number_of(block.hash).unwrap(), Some(number));
        assert_eq!(view.transactions(&block).unwrap().len(), block.transactions.len());
        let then = bench.ethereum.at(&snapshot, number).unwrap();
        assert_eq!(then.head_number().unwrap(), number);
        assert_eq!(then.world().unwrap().root(), block.header.state_root);
    }
}

/// One field of a header, wrong.
type Change = (&'static str, fn(&mut Header));

#[test]
fn a_block_with_one_wrong_field_is_refused_by_name() {
    let Some(vectors) = vectors() else { return };
    let text = std::fs::read_to_string(vectors.join("rpc-compat/genesis.json")).unwrap();
    let chain = std::fs::read(vectors.join("rpc-compat/chain.rlp")).unwrap();
    let mut bench = Bench::new(Config::new(Genesis::parse(&text).unwrap()));
    let blocks = split(&chain);
    let (last, before) = blocks.split_last().unwrap();
    for rlp in before {
        let work = bench.ethereum.admit_block(rlp).unwrap();
        bench.batch(&[work]);
    }
    let changes: [Change; 20] = [
        ("number", |header| header.number += 1),
        ("parentHash", |header| header.parent_hash = B256::ZERO),
        ("timestamp", |header| header.timestamp = 1),
        ("gasLimit", |header| header.gas_limit *= 2),
        ("gasUsed", |header| header.gas_used += 1),
        ("extraData", |header| header.extra_data = Bytes::from_static(&[0; 33])),
        ("baseFeePerGas", |header| header.base_fee_per_gas = Some(1)),
        ("difficulty", |header| header.difficulty = alloy_primitives::U256::ONE),
        ("nonce", |header| header.nonce = alloy_primitives::B64::repeat_byte(1)),
        ("ommersHash", |header| header.ommers_hash = B256::ZERO),
        ("excessBlobGas", |header| header.excess_blob_gas = Some(1 << 17)),
        ("blobGasUsed", |header| header.blob_gas_used = Some(1 << 17)),
        ("withdrawalsRoot", |header| header.withdrawals_root = Some(B256::ZERO)),
        ("transactionsRoot", |header| header.transactions_root = B256::ZERO),
        ("receiptsRoot", |header| header.receipts_root = B256::ZERO),
        ("logsBloom", |header| header.logs_bloom.0[7] ^= 1),
        ("requestsHash", |header| header.requests_hash = Some(B256::ZERO)),
        ("requestsHash", |header| header.requests_hash = None),
        ("stateRoot", |header| header.state_root = B256::ZERO),
        // Both decide what is executed, so that the state tells.
        ("stateRoot", |header| header.parent_beacon_block_root = Some(B256::repeat_byte(1))),
    ];
    for (field, change) in changes {
        let mut block: Block<Envelope> = alloy_rlp::Decodable::decode(&mut &last[..]).unwrap();
        change(&mut block.header);
        let work = bench.ethereum.admit_block(&alloy_rlp::encode(&block)).unwrap();
        let verdicts = bench.batch(&[work]);
        let [Verdict::Drop(reject)] = &verdicts[..] else { panic!("{field}: {verdicts:?}") };
        assert!(reject.message.contains(field), "{field}: {}", reject.message);
    }
    let work = bench.ethereum.admit_block(last).unwrap();
    assert!(matches!(bench.batch(&[work])[..], [Verdict::Keep(_)]), "what was refused left nothing behind");
}

#[test]
fn blocks_made_here_follow_a_foreign_chain() {
    let Some(vectors) = vectors() else { return };
    let text = std::fs::read_to_string(vectors.join("rpc-compat/genesis.json")).unwrap();
    let chain = std::fs::read(vectors.join("rpc-compat/chain.rlp")).unwrap();
    let config = Config { blobs: true, ..Config::new(Genesis::parse(&text).unwrap()) };
    let mut bench = Bench::new(config);
    for rlp in split(&chain) {
        let work = bench.ethereum.admit_block(rlp).unwrap();
        bench.batch(&[work]);
    }
    // Transactions made for the block after this chain. The one with blobs brings them along.
    let (mut waiting, mut kinds) = (Vec::new(), Vec::new());
    for file in std::fs::read_dir(vectors.join("rpc-compat/cases/eth_sendRawTransaction")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let json = |prefix: &str| -> serde_json::Value {
            serde_json::from_str(text.lines().find_map(|line| line.strip_prefix(prefix)).unwrap()).unwrap()
        };
        let raw = const_hex::decode(json(">> ")["params"][0].as_str().unwrap()).unwrap();
        let hash: B256 = json("<< ")["result"].as_str().unwrap().parse().unwrap();
        waiting.push((hash, bench.ethereum.admit(&bench.store.snapshot(), &raw).unwrap()));
    }
    let mut made = 0;
    // The files are in no order, and not every one is here: a nonce waits for the one before it, perhaps for ever.
    for _ in 0..waiting.len() {
        waiting.retain(|(hash, work)| match &bench.batch(std::slice::from_ref(work))[..] {
            [Verdict::Keep(outcome)] => {
                assert_eq!(&outcome.reply[..], hash.as_slice());
                let view = bench.ethereum.latest(&bench.store.snapshot());
                kinds.push(view.transaction(*hash).unwrap().unwrap().envelope.ty());
                made += 1;
                false
            }
            [Verdict::Later(_)] => true,
            other => panic!("{other:?}"),
        });
    }
    assert!(kinds.contains(&3), "the one with blobs has no other before it: types {kinds:?}");
    let view = bench.ethereum.latest(&bench.store.snapshot());
    let head = view.head().unwrap();
    assert_eq!(head.header.number, 54 + made);
    let parent = view.block(head.header.number - 1).unwrap().unwrap();
    let market = parent.header.next_block_base_fee(alloy_eips::eip1559::BaseFeeParams::ethereum());
    assert_eq!(head.header.base_fee_per_gas, market, "the base fee goes on as the chain had it");
}

#[test]
fn strange_bytes_are_no_block() {
    let genesis =
        Genesis::parse(&format!("{{\"config\": {{{}}}, \"alloc\": {{}}}}", support::forks("Osaka", 1))).unwrap();
    let bench = Bench::new(Config::new(genesis));
    for bytes in [&b""[..], &[0xc0], &[0xf8, 0xff, 1], &[0xff; 64]] {
        assert!(bench.ethereum.admit_block(bytes).is_err());
    }
}
