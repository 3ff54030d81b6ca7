//! A block executes while the one before it is being sealed.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod support {
    #[path = "mod.rs"]
    mod base;
    pub mod wallet;
    pub use base::*;
}

use std::sync::mpsc;
use std::thread;

use adapter::{Adapter, Batch, Closed, Opening, Seal, Verdict, Work};
use alloy_eips::eip2935::{HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CODE};
use alloy_primitives::{Address, Bytes, TxKind, U256, hex};
use base::{Seqno, View};
use ethereum::{Config, Genesis};
use kv::{State, Tx, WriteSet};
use support::Bench;
use support::wallet::{self, Wallet};

/// Stores, for a block in calldata, what BLOCKHASH says of it at slot 2n and what the history contract says at 2n + 1.
const ASKS: [u8; 54] = hex!(
    "5f35" // n
    "80" "40" "81" "6002" "02" "55" // BLOCKHASH(n) at 2n
    "5f52" // the history contract is asked for n
    "6020" "6020" "6020" "5f"
    "730000F90827F1C53a10cb7A02335B175320002935"
    "5a" "fa" "50"
    "6020" "51" "5f35" "6002" "02" "6001" "01" "55"
);
const ASKING: Address = Address::repeat_byte(0xaa);

struct Pipeline {
    bench: Bench,
    wallets: [Wallet; 2],
    seqno: Seqno,
}

/// A batch whose work is done.
struct Unsealed {
    seal: Seal,
    writes: Vec<WriteSet>,
    end: State,
    entry: Seqno,
}

impl Pipeline {
    fn new() -> Self {
        let wallets = [Wallet::new(1), Wallet::new(2)];
        let text = wallet::genesis(wallets.iter().map(|wallet| wallet.address), 1_000_000_000);
        let mut genesis: serde_json::Value = serde_json::from_str(&text).unwrap();
        for (address, code) in
            [(HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CODE.clone()), (ASKING, Bytes::from_static(&ASKS))]
        {
            genesis["alloc"][address.to_string()] = serde_json::json!({"balance": "0x0", "code": code});
        }
        let bench = Bench::new(Config::new(Genesis::parse(&genesis.to_string()).unwrap()));
        let seqno = bench.last().seqno;
        Self { bench, wallets, seqno }
    }

    fn begin(&self) -> Box<dyn Batch> {
        let time = 1_800_000_000_000 + self.seqno.0;
        let opening = Opening { time, view: View(2), first: self.seqno.next(), entropy: [7; 32] };
        self.bench.ethereum.begin(self.bench.store.head(), &opening).unwrap()
    }

    fn work(&mut self, wallet: usize, to: Address, data: Bytes) -> Work {
        let raw = self.wallets[wallet].next(TxKind::Call(to), 0, data, 200_000);
        self.bench.ethereum.admit(&self.bench.store.snapshot(), &raw).unwrap()
    }

    /// What follows execution, but for what is done elsewhere.
    fn close(&mut self, batch: Box<dyn Batch>, mut writes: Vec<WriteSet>) -> Unsealed {
        let store = &mut self.bench.store;
        for writes in &writes {
            self.seqno = self.seqno.next();
            store.apply(self.seqno, writes);
        }
        let mut tx = store.tx();
        let Closed { derived, seal } = batch.close(&mut tx).unwrap();
        writes.push(tx.finish().writes);
        self.seqno = self.seqno.next();
        store.apply(self.seqno, &writes[writes.len() - 1]);
        store.set_derived(0, derived);
        let unsealed = Unsealed { seal: seal.unwrap(), writes, end: store.head().clone(), entry: self.seqno };
        self.seqno = self.seqno.next();
        store.skip_to(self.seqno);
        store.close();
        unsealed
    }
}

impl Unsealed {
    fn seal(self) -> (Seqno, WriteSet) {
        let mut tx = Tx::new(&self.end);
        (self.seal)(&mut tx, &self.writes.iter().collect::<Vec<_>>()).unwrap();
        (self.entry, tx.finish().writes)
    }
}

fn run(batch: &mut dyn Batch, head: &State, work: &Work) -> (Verdict, WriteSet) {
    let mut tx = Tx::new(head);
    let verdict = batch.execute(&mut tx, work);
    (verdict, tx.finish().writes)
}

#[test]
fn code_that_asks_for_the_parents_hash_waits_for_it_and_other_code_does_not() {
    let mut pipeline = Pipeline::new();
    let mut unsealed: Option<Unsealed> = None;
    for number in 1..=3u64 {
        let plain = pipeline.work(0, Address::repeat_byte(9), Bytes::new());
        let parent = number - 1;
        // Of the parent, and of its parent: neither may be in the tables yet.
        let asking = [Some(parent), parent.checked_sub(1)].into_iter().flatten();
        let asking: Vec<Work> =
            asking.map(|number| pipeline.work(1, ASKING, U256::from(number).to_be_bytes::<32>().into())).collect();
        let mut batch = pipeline.begin();
        let mut head = pipeline.bench.store.head().clone();
        let (verdict, writes) = run(&mut *batch, &head, &plain);
        assert!(matches!(verdict, Verdict::Keep(_)), "it did not wait: {verdict:?}");
        let mut kept = vec![writes];
        let (done, outcome) = mpsc::channel();
        let late = thread::scope(|scope| {
            scope.spawn(move || {
                for work in &asking {
                    head.apply(head.seqno().next(), kept.last().unwrap());
                    let (verdict, writes) = run(&mut *batch, &head, work);
                    assert!(matches!(verdict, Verdict::Keep(_)), "{verdict:?}");
                    kept.push(writes);
                }
                done.send((batch, kept)).unwrap();
            });
            let late = unsealed.take().map(|unsealed| {
                assert!(outcome.try_recv().is_err(), "the parent has no hash yet");
                (unsealed.end.seqno().next(), unsealed.seal())
            });
            let (batch, kept) = outcome.recv().unwrap();
            unsealed = Some(pipeline.close(batch, kept));
            late
        });
        if let Some((end, (entry, writes))) = late {
            pipeline.bench.store.amend(end, entry, &writes);
            pipeline.bench.store.commit(end);
        }
    }
    let last = unsealed.unwrap();
    let end = last.end.seqno().next();
    let (entry, writes) = last.seal();
    pipeline.bench.store.amend(end, entry, &writes);
    let view = pipeline.bench.ethereum.latest(&pipeline.bench.store.commit(end));
    assert_eq!(view.head_number().unwrap(), 3);
    for number in 0..=2 {
        let block = view.block(number).unwrap().unwrap();
        let slot = |slot: u64| view.storage(ASKING, U256::from(slot)).unwrap();
        let hash = U256::from_be_bytes(block.hash.0);
        assert_eq!(slot(2 * number), hash, "BLOCKHASH of {number}");
        assert_eq!(slot(2 * number + 1), hash, "history of {number}");
        assert_eq!(view.block(number + 1).unwrap().unwrap().header.parent_hash, block.hash);
    }
    // The roots say the same as the tables.
    let built = ethereum::World::build(view.ledger().layout(), view.state()).unwrap();
    assert_eq!(built.root(), view.head().unwrap().header.state_root);
}

#[test]
fn a_block_that_is_never_sealed_keeps_nobody_waiting() {
    let mut pipeline = Pipeline::new();
    let plain = pipeline.work(0, Address::repeat_byte(9), Bytes::new());
    let mut batch = pipeline.begin();
    let (_, writes) = run(&mut *batch, &pipeline.bench.store.head().clone(), &plain);
    let unsealed = pipeline.close(batch, vec![writes]);
    let asking = pipeline.work(1, ASKING, U256::from(1).to_be_bytes::<32>().into());
    let mut batch = pipeline.begin();
    drop(unsealed);
    let (verdict, _) = run(&mut *batch, &pipeline.bench.store.head().clone(), &asking);
    assert!(matches!(verdict, Verdict::Drop(_)), "{verdict:?}");
}
