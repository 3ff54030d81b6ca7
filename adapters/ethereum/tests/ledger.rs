//! What a hosted ledger promises, seen from the node's side of the seam.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod support {
    #[path = "mod.rs"]
    mod base;
    pub mod wallet;
    pub use base::*;
}

use adapter::{Adapter, Verdict, Work};
use alloy_consensus::proofs::{calculate_receipt_root, calculate_transaction_root};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, bytes, keccak256};
use alloy_trie::proof::verify_proof;
use alloy_trie::root::{state_root_unhashed, storage_root_unhashed};
use alloy_trie::{Nibbles, TrieAccount};
use base::{Seqno, TxId, View};
use ethereum::{Block, Config, Envelope, Genesis, Outcome};
use kv::{State, WriteSet};
use support::Bench;
use support::wallet::{CHAIN_ID, Wallet, genesis};

const GAS_LIMIT: u64 = 30_000_000;

fn bench(wallets: &[Wallet]) -> Bench {
    let text = genesis(wallets.iter().map(|wallet| wallet.address), GAS_LIMIT);
    Bench::new(Config::new(Genesis::parse(&text).unwrap()))
}

fn wallets(count: u64) -> Vec<Wallet> {
    (0..count).map(Wallet::new).collect()
}

fn admit(bench: &Bench, raw: &Bytes) -> Work {
    bench.ethereum.admit(&bench.store.snapshot(), raw).unwrap()
}

fn refusal(bench: &Bench, raw: &Bytes) -> String {
    bench.ethereum.admit(&bench.store.snapshot(), raw).unwrap_err().message
}

fn kept(verdicts: &[Verdict]) -> bool {
    verdicts.iter().all(|verdict| matches!(verdict, Verdict::Keep(_)))
}

/// Runtime code that stores its input's first word in slot 0 and reverts if that is zero; with a constructor that returns it.
fn contract() -> Bytes {
    // push 0, calldataload, dup1, push 11, jumpi, push 0, push 0, revert, jumpdest, push 0, sstore, stop
    let code = bytes!("5f35806009575f5ffd5b5f5500");
    let constructor = bytes!("600d600a5f39600d5ff3");
    [&constructor[..], &code[..]].concat().into()
}

#[test]
fn a_batch_is_a_block_with_its_transactions() {
    let mut wallets = wallets(3);
    let mut bench = bench(&wallets);
    let to = Address::repeat_byte(9);
    let raw: Vec<Bytes> = wallets.iter_mut().map(|wallet| wallet.transfer(to, 5)).collect();
    let work: Vec<Work> = raw.iter().map(|raw| admit(&bench, raw)).collect();
    let verdicts = bench.batch(&work);
    for (verdict, raw) in verdicts.iter().zip(&raw) {
        let Verdict::Keep(outcome) = verdict else { panic!("{verdict:?}") };
        assert_eq!(&outcome.reply[..], keccak256(raw).as_slice());
    }
    let view = bench.ethereum.latest(&bench.store.snapshot());
    let block = view.head().unwrap();
    assert_eq!((block.header.number, block.header.gas_used), (1, 63_000));
    assert_eq!(view.account(to).unwrap().unwrap().balance, U256::from(15));
    let transactions = view.transactions(&block).unwrap();
    assert!(transactions.iter().map(|transaction| &transaction.raw).eq(&raw));
    assert_eq!(transactions[2].receipt.cumulative_gas_used, 63_000);
    assert_eq!(view.transaction(transactions[1].hash).unwrap().as_ref(), Some(&transactions[1]));
    assert_eq!(view.block_by_hash(block.hash).unwrap().as_ref(), Some(&block));
    assert_eq!(block.header.hash_slow(), block.hash);
    assert_eq!(block.header.parent_hash, view.block(0).unwrap().unwrap().hash);
}

#[test]
fn a_transfer_costs_the_ledger_little() {
    let mut wallets = wallets(100);
    let mut bench = bench(&wallets);
    let targets: Vec<Address> = wallets.iter().map(|wallet| wallet.address).collect();
    let raw =
        wallets.iter_mut().zip(targets.iter().rev()).map(|(wallet, to)| wallet.transfer(*to, 5)).collect::<Vec<_>>();
    let work: Vec<Work> = raw.iter().map(|raw| admit(&bench, raw)).collect();
    assert!(kept(&bench.batch(&work)));
    let each = bench.bytes / 100;
    println!("{each} bytes of keys and values for a transfer, its part of the block included");
    assert!(each < 450, "{each} bytes");
}

#[test]
fn a_nonce_gap_waits_and_the_one_before_wakes_it() {
    let mut wallets = wallets(1);
    let mut bench = bench(&wallets);
    let (first, second) = (wallets[0].transfer(Address::ZERO, 1), wallets[0].transfer(Address::ZERO, 2));
    let (first, second) = (admit(&bench, &first), admit(&bench, &second));
    let verdicts = bench.batch(&[second.clone(), first]);
    let [Verdict::Later(wait), Verdict::Keep(outcome)] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert_eq!(wait.owner, wallets[0].address.to_vec());
    assert_eq!(outcome.wakes.as_ref(), Some(&wait.key));
    assert!(kept(&bench.batch(&[second])));
}

#[test]
fn who_uses_two_nonces_wakes_what_comes_after_both() {
    let mut wallets = wallets(1);
    let mut bench = bench(&wallets);
    let (first, second) = (wallets[0].delegate(Address::repeat_byte(9)), wallets[0].transfer(Address::ZERO, 2));
    let (first, second) = (admit(&bench, &first), admit(&bench, &second));
    let verdicts = bench.batch(&[second.clone(), first]);
    let [Verdict::Later(wait), Verdict::Keep(outcome)] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert_eq!(outcome.wakes.as_ref(), Some(&wait.key));
    assert!(kept(&bench.batch(&[second])));
}

#[test]
fn a_transaction_that_makes_no_entry_is_dropped() {
    let mut wallets = wallets(1);
    let text = genesis([wallets[0].address], 1 << 40);
    let config = Config { transaction_gas_cap: Some(1 << 40), ..Config::new(Genesis::parse(&text).unwrap()) };
    let mut bench = Bench::new(config);
    // Logs a megabyte that is all zero, again and again.
    let log = bytes!("621000005fa0");
    let raw = wallets[0].next(TxKind::Create, 0, log.repeat(12).into(), 1 << 30);
    let verdicts = bench.batch(&[admit(&bench, &raw)]);
    let [Verdict::Drop(reject)] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert!(reject.message.contains("more than one entry"), "{reject}");
    // Nothing of it is left, and what comes after it is as if it had never been.
    let small = wallets[0].at(0, TxKind::Create, 0, log, 1 << 30);
    assert!(kept(&bench.batch(&[admit(&bench, &small)])));
}

#[test]
fn a_transaction_has_a_bound_where_the_fork_has_none() {
    let wallet = Wallet::new(0);
    let config = format!(
        "{{\"config\": {{{}}}, \"gasLimit\": {}, \"alloc\": {{}}}}",
        support::forks("Prague", CHAIN_ID),
        1u64 << 40
    );
    let bench = Bench::new(Config::new(Genesis::parse(&config).unwrap()));
    let endless = wallet.at(0, TxKind::Call(Address::ZERO), 0, Bytes::new(), 1 << 30);
    let have = refusal(&bench, &endless);
    assert!(have.starts_with("transaction gas limit too high (cap: 268435456"), "{have}");
}

#[test]
fn refusals_speak_like_geth() {
    let mut wallets = wallets(2);
    let mut bench = bench(&wallets[..1]);
    let used = wallets[0].transfer(Address::ZERO, 1);
    let same = wallets[0].at(0, TxKind::Call(Address::ZERO), 9, Bytes::new(), 21_000);
    let early = [admit(&bench, &used), admit(&bench, &same)];
    let verdicts = bench.batch(&early);
    assert!(matches!(&verdicts[1], Verdict::Drop(reject) if reject.message.starts_with("nonce too low: address 0x")));
    let again = refusal(&bench, &used);
    assert!(again.starts_with("nonce too low: address ") && again.ends_with("tx: 0 state: 1"), "{again}");
    let poor = wallets[1].transfer(Address::ZERO, 1);
    assert!(refusal(&bench, &poor).starts_with("insufficient funds for gas * price + value: address "));
    let weak = wallets[0].at(1, TxKind::Call(Address::ZERO), 0, Bytes::new(), 20_999);
    assert_eq!(refusal(&bench, &weak), "intrinsic gas too low: have 20999, want 21000");
    let hungry = wallets[0].at(1, TxKind::Call(Address::ZERO), 0, Bytes::new(), GAS_LIMIT + 1);
    assert!(refusal(&bench, &hungry).starts_with("exceeds block gas limit"));
    let capped = wallets[0].at(1, TxKind::Call(Address::ZERO), 0, Bytes::new(), (1 << 24) + 1);
    assert!(refusal(&bench, &capped).starts_with("transaction gas limit too high (cap: 16777216"));
    let elsewhere = wallets[0].clone().legacy(Some(5), Address::ZERO, 0);
    assert_eq!(refusal(&bench, &elsewhere), format!("invalid chain id for signer: have 5 want {CHAIN_ID}"));
    for (raw, text) in [
        (&b""[..], "empty transaction"),
        (&[5, 1, 2], "transaction type not supported"),
        (&[2, 0xc0], "cannot be decoded"),
        (&[3, 0xc0], "cannot be decoded"),
        (&[0xc0], "cannot be decoded"),
        (&[0xff; 9], "cannot be decoded"),
    ] {
        let have = refusal(&bench, &Bytes::copy_from_slice(raw));
        assert!(have.contains(text), "{have}");
    }
    let mut trailing = used.to_vec();
    trailing.push(0);
    assert!(refusal(&bench, &trailing.into()).contains("cannot be decoded"));
}

#[test]
fn a_transaction_without_a_chain_id_is_accepted() {
    let mut wallets = wallets(1);
    let mut bench = bench(&wallets);
    let raw = wallets[0].legacy(None, Address::repeat_byte(3), 100_000_000_000);
    let work = admit(&bench, &raw);
    assert!(kept(&bench.batch(&[work])));
}

#[test]
fn a_revert_is_kept_and_costs_gas() {
    let mut wallets = wallets(1);
    let mut bench = bench(&wallets);
    let creation = wallets[0].next(TxKind::Create, 0, contract(), 200_000);
    let work = admit(&bench, &creation);
    assert!(kept(&bench.batch(&[work])));
    let contract = wallets[0].address.create(0);
    let store = wallets[0].next(TxKind::Call(contract), 0, U256::from(77).to_be_bytes_vec().into(), 100_000);
    let revert = wallets[0].next(TxKind::Call(contract), 0, Bytes::new(), 100_000);
    let work = [admit(&bench, &store), admit(&bench, &revert)];
    assert!(kept(&bench.batch(&work)));
    let snapshot = bench.store.snapshot();
    let view = bench.ethereum.latest(&snapshot);
    assert_eq!(view.storage(contract, U256::ZERO).unwrap(), U256::from(77));
    let head = view.head().unwrap();
    let outcomes: Vec<Outcome> = view.transactions(&head).unwrap().iter().map(|done| done.receipt.outcome).collect();
    assert_eq!(outcomes, [Outcome::Status(true), Outcome::Status(false)]);
    assert_eq!(view.account(wallets[0].address).unwrap().unwrap().nonce, 3);

    // A third party checks what eth_getProof says, of what is there and of what is not.
    let root = head.header.state_root;
    for address in [contract, wallets[0].address, Address::repeat_byte(0xee)] {
        let proof = view.proof(address, &[U256::ZERO, U256::from(5)]).unwrap();
        let there = view.account(address).unwrap();
        let leaf = there.map(|account| {
            alloy_rlp::encode(TrieAccount {
                nonce: account.nonce,
                balance: account.balance,
                storage_root: proof.storage_root,
                code_hash: account.code_hash,
            })
        });
        verify_proof(root, Nibbles::unpack(keccak256(address)), leaf, &proof.nodes).unwrap();
        for slot in &proof.slots {
            let value = (!slot.value.is_zero()).then(|| alloy_rlp::encode(slot.value));
            let key = Nibbles::unpack(keccak256(slot.slot.to_be_bytes::<32>()));
            verify_proof(proof.storage_root, key, value, &slot.nodes).unwrap();
        }
    }
    // The state of the block before is still there.
    let before = bench.ethereum.at(&snapshot, 1).unwrap();
    assert_eq!(before.storage(contract, U256::ZERO).unwrap(), U256::ZERO);
    assert!(bench.ethereum.at(&snapshot, 3).is_err());
}

#[test]
fn a_full_block_asks_for_the_next_one() {
    let mut wallets = wallets(4);
    let mut bench = bench(&wallets);
    let big = |wallet: &mut Wallet| wallet.next(TxKind::Call(Address::repeat_byte(1)), 0, Bytes::new(), 16_000_000);
    let work: Vec<Work> = wallets.iter_mut().map(|wallet| admit(&bench, &big(wallet))).collect();
    let verdicts = bench.batch(&work);
    // What is used counts, not what was asked for; so several fit as long as the last has room for all it asks.
    assert!(matches!(verdicts[0], Verdict::Keep(_)));
    let used = bench.ethereum.latest(&bench.store.snapshot()).head().unwrap().header.gas_used;
    assert!(used <= GAS_LIMIT);
    let small: Vec<Work> =
        (0..2_000).map(|_| admit(&bench, &wallets[0].transfer(Address::repeat_byte(8), 1))).collect();
    let verdicts = bench.batch(&small);
    let fitting = verdicts.iter().take_while(|verdict| matches!(verdict, Verdict::Keep(_))).count();
    assert_eq!(fitting, usize::try_from(GAS_LIMIT / 21_000).unwrap());
    assert!(matches!(verdicts[fitting], Verdict::Full));
}

#[test]
fn a_refused_first_transaction_leaves_a_clean_block() {
    let mut wallets = wallets(2);
    let mut bench = bench(&wallets);
    let good = wallets[0].transfer(Address::ZERO, 1);
    let spend = wallets[1].at(0, TxKind::Call(Address::ZERO), 0, Bytes::new(), 21_000);
    let (good, spend) = (admit(&bench, &good), admit(&bench, &spend));
    assert!(kept(&bench.batch(std::slice::from_ref(&spend))));
    let verdicts = bench.batch(&[spend, good]);
    assert!(matches!(verdicts[..], [Verdict::Drop(_), Verdict::Keep(_)]), "{verdicts:?}");
    let view = bench.ethereum.latest(&bench.store.snapshot());
    // The block before last is where EIP-2935 has it, though the transaction that carried it was not the first asked.
    let parent = view.head().unwrap().header.parent_hash;
    let slot = view.storage(alloy_eips::eip2935::HISTORY_STORAGE_ADDRESS, U256::from(1)).unwrap();
    assert_eq!(slot, U256::from_be_bytes(parent.0));
}

/// Every root of a block, computed by a third party from what the ledger holds.
#[test]
fn the_roots_of_a_header_are_those_of_its_contents() {
    let mut wallets = wallets(40);
    let mut bench = bench(&wallets);
    for round in 0..4 {
        let raw: Vec<Bytes> = wallets
            .iter_mut()
            .map(|wallet| match round {
                0 => wallet.next(TxKind::Create, 3, contract(), 200_000),
                1 => wallet.transfer(Address::repeat_byte(wallet.address[0]), 9),
                // Stores what differs, then reverts.
                2 => wallet.next(TxKind::Call(wallet.address.create(0)), 0, U256::MAX.to_be_bytes_vec().into(), 90_000),
                _ => wallet.next(TxKind::Call(wallet.address.create(0)), 0, Bytes::new(), 90_000),
            })
            .collect();
        let work: Vec<Work> = raw.iter().map(|raw| admit(&bench, raw)).collect();
        assert!(kept(&bench.batch(&work)));

        let view = bench.ethereum.latest(&bench.store.snapshot());
        let Block { header, .. } = view.head().unwrap();
        let state = view.state();
        let (accounts, storage) =
            ["ethereum.accounts", "ethereum.storage"].map(|name| state.tables().find(name).unwrap()).into();
        let slots = |address: &[u8]| {
            let slots = state.range(storage, ..).filter(|(key, _)| key.starts_with(address));
            storage_root_unhashed(slots.map(|(key, value)| (B256::from_slice(&key[20..]), U256::from_be_slice(value))))
        };
        let leaves = state.range(accounts, ..).map(|(address, _)| {
            let account = view.account(Address::from_slice(address)).unwrap().unwrap();
            let (nonce, balance, code_hash) = (account.nonce, account.balance, account.code_hash);
            (Address::from_slice(address), TrieAccount { nonce, balance, storage_root: slots(address), code_hash })
        });
        assert_eq!(header.state_root, state_root_unhashed(leaves));

        let transactions = view.transactions(&view.head().unwrap()).unwrap();
        let envelopes: Vec<Envelope> = transactions.iter().map(|transaction| transaction.envelope.clone()).collect();
        assert_eq!(header.transactions_root, calculate_transaction_root(&envelopes));
        let receipts: Vec<_> = transactions
            .iter()
            .map(|transaction| ethereum::header::consensus_receipt(&transaction.receipt, &transaction.envelope))
            .collect();
        assert_eq!(header.receipts_root, calculate_receipt_root(&receipts));
        assert_eq!(header.gas_used, transactions.iter().map(|transaction| transaction.receipt.gas_used).sum::<u64>());
    }
}

/// Two runs of some work, to the last byte.
#[test]
fn the_same_work_gives_the_same_bytes() {
    let run = || {
        let mut wallets = wallets(20);
        let mut bench = bench(&wallets);
        for round in 0..5 {
            let raw: Vec<Bytes> =
                wallets.iter_mut().map(|wallet| wallet.next(TxKind::Create, round, contract(), 200_000)).collect();
            let work: Vec<Work> = raw.iter().map(|raw| admit(&bench, raw)).collect();
            assert!(kept(&bench.batch(&work)));
        }
        bench.entries
    };
    assert!(run() == run());
}

/// A backup that only applies write sets has the same trie, built along or built anew.
#[test]
fn a_follower_derives_the_same_state_root() {
    let mut wallets = wallets(30);
    let mut bench = bench(&wallets);
    for _ in 0..40 {
        let raw: Vec<Bytes> =
            wallets.iter_mut().map(|wallet| wallet.next(TxKind::Create, 0, contract(), 200_000)).collect();
        let work: Vec<Work> = raw.iter().map(|raw| admit(&bench, raw)).collect();
        assert!(kept(&bench.batch(&work)));
    }
    let mut state = State::new(bench.store.head().tables().clone(), std::sync::Arc::new(kv::NoHistory));
    let mut derived = None;
    let mut pending: Vec<WriteSet> = Vec::new();
    let blocks = state.tables().find("ethereum.blocks").unwrap();
    for writes in &bench.entries {
        state.apply(state.seqno().next(), writes);
        pending.push(writes.clone());
        if writes.section(blocks).is_some() {
            derived = bench.ethereum.derive(derived.as_ref(), &state, &pending).unwrap();
            pending.clear();
        }
    }
    let root = bench.ethereum.latest(&bench.store.snapshot()).head().unwrap().header.state_root;
    state.set_derived(0, derived);
    let world = bench.ethereum.latest(&kv::Snapshot::of(state.clone())).world().unwrap();
    assert_eq!(world.root(), root);
    assert_eq!(ethereum::World::build(bench.ethereum.ledger().layout(), &state).unwrap().root(), root);

    // A state that is not the one that was executed is found, not shown.
    let accounts = state.tables().find("ethereum.accounts").unwrap();
    let mut tx = kv::Tx::new(&state);
    tx.remove(accounts, wallets[3].address.as_slice());
    let stolen = tx.finish().writes;
    state.apply(state.seqno().next(), &stolen);
    assert!(bench.ethereum.derive(None, &state, &[]).is_err());
}

#[test]
fn subscribers_are_shown_each_block_once_it_is_committed() {
    let mut wallets = wallets(2);
    let mut bench = bench(&wallets);
    let mut blocks = bench.ethereum.blocks();
    let raw: Vec<Bytes> = wallets.iter_mut().map(|wallet| wallet.transfer(Address::ZERO, 1)).collect();
    let work: Vec<Work> = raw.iter().map(|raw| admit(&bench, raw)).collect();
    let before = bench.entries.len();
    assert!(kept(&bench.batch(&work)));
    let entries = bench.entries[before..].iter().cloned().zip(1..).map(|(writes, seqno)| (Seqno(seqno), writes));
    let last = TxId { view: View(2), seqno: bench.last().seqno };
    let committed = adapter::Committed { last, entries: entries.collect() };
    bench.ethereum.published(&bench.store.snapshot(), &committed);
    let seen = blocks.try_recv().unwrap();
    assert_eq!(seen.block, bench.ethereum.latest(&bench.store.snapshot()).head().unwrap());
    assert!(seen.transactions().unwrap().iter().map(|transaction| &transaction.raw).eq(&raw));
}
