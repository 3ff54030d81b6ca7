//! A chain of every fork, made by another client, is executed block by block and found right in every root.

mod support;

use adapter::Verdict;
use ethereum::{Config, Genesis};
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
        assert!(matches!(&verdicts[..], [Verdict::Keep(outcome)] if outcome.closes), "block {}: {verdicts:?}", place + 1);
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
