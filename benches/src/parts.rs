//! A node's parts in a row: what its threads hand each other, here handed over by function calls.

use std::sync::Arc;

use adapter::{Adapter, Batch, LedgerId, Opening, Verdict, Work};
use base::{Digest, Seqno, TxId, View};
use bytes::Bytes;
use crypto::{KeyPair, Secret};
use ethereum::Ethereum;
use kv::{Derived, Finished, NoHistory, Store, Tables, Tx, WriteSet};
use ledger::{Head, LedgerKeys, Signer};

use crate::genesis;
use crate::traffic::{Kind, Traffic};

const VIEW: View = View(2);
/// Milliseconds since 1970.
const TIME: u64 = 1_767_300_000_000;

/// A store, a hosted ledger, and the keys to seal and sign with. Its genesis and a first batch are committed, so that every
/// hash that a running node remembers is remembered here.
pub struct Parts {
    pub ethereum: Arc<Ethereum>,
    pub store: Store,
    pub keys: LedgerKeys,
    pub signer: Signer,
    /// Where the ledger stands.
    pub head: Head,
    pub traffic: Traffic,
    /// The batches that these parts began with, as they stand in a ledger file.
    pub history: Vec<Bytes>,
}

/// A batch that a primary closed.
pub struct Closed {
    /// The head before it.
    pub before: Head,
    pub head: Head,
    pub bytes: Bytes,
    /// Its entries but for the signature.
    pub entries: Vec<(Seqno, WriteSet)>,
}

/// Entries, sealed.
#[derive(Default)]
pub struct Entries {
    pub bytes: Vec<u8>,
    pub leaves: Vec<Digest>,
}

impl Parts {
    /// A ledger with so many accounts, for batches of so many transactions.
    #[must_use]
    pub fn new(accounts: usize, batch: usize) -> Self {
        let traffic = Traffic::new(accounts, batch);
        let tables = node::prepare().unwrap().tables;
        let config = genesis::config(&traffic.addresses);
        let ethereum = Arc::new(Ethereum::new("ethereum", LedgerId(0), config, &tables).unwrap());
        let store = Store::new(tables, Arc::new(NoHistory));
        let keys = LedgerKeys::new(&Secret::from_slice(&[7; 32]).unwrap()).unwrap();
        let signer = Signer { service: Arc::new(KeyPair::generate().unwrap()), node: None };
        let mut parts = Self { ethereum, store, keys, signer, head: Head::new(), traffic, history: Vec::new() };
        let founded = parts.found();
        let work = parts.work(Kind::Token);
        let begun = parts.closed(&work);
        parts.history = vec![founded.bytes, begun.bytes];
        parts
    }

    /// The ledger's first batch.
    fn found(&mut self) -> Closed {
        let mut tx = self.store.tx();
        self.ethereum.open(&mut tx).unwrap();
        let writes = tx.finish().writes;
        self.store.apply(self.first(), &writes);
        let derived = self.ethereum.derive(None, self.store.head(), std::slice::from_ref(&writes)).unwrap();
        self.store.set_derived(0, derived);
        self.close(vec![writes])
    }

    /// The seqno of the next batch's first entry.
    fn first(&self) -> Seqno {
        self.head.seqno().next()
    }

    #[must_use]
    pub fn tables(&self) -> &Arc<Tables> {
        self.store.head().tables()
    }

    /// The next batch's transactions, signed.
    pub fn raw(&mut self, kind: Kind) -> Vec<alloy_primitives::Bytes> {
        self.traffic.batch(kind)
    }

    /// The next batch's transactions, admitted.
    pub fn work(&mut self, kind: Kind) -> Vec<Work> {
        let raw = self.raw(kind);
        let snapshot = self.store.snapshot();
        raw.iter().map(|raw| self.ethereum.admit(&snapshot, raw).unwrap()).collect()
    }

    #[must_use]
    pub fn begin(&self) -> Box<dyn Batch> {
        let opening = Opening { time: TIME, view: VIEW, first: self.first(), entropy: [7; 32] };
        self.ethereum.begin(self.store.head(), &opening).unwrap()
    }

    /// Executes work on the head, each on top of the one before.
    pub fn execute(&mut self, batch: &mut dyn Batch, work: &[Work]) -> Vec<WriteSet> {
        let mut kept = Vec::with_capacity(work.len());
        for (seqno, work) in (self.first().0..).map(Seqno).zip(work) {
            let mut tx = self.store.tx();
            let verdict = batch.execute(&mut tx, work);
            assert!(matches!(verdict, Verdict::Keep(_)), "{verdict:?}");
            let Finished { writes, .. } = tx.finish();
            self.store.apply(seqno, &writes);
            kept.push(writes);
        }
        kept
    }

    /// The block that closes a batch: what the executor writes of it, and what the sealer adds.
    pub fn block(&mut self, batch: Box<dyn Batch>, kept: &[WriteSet]) -> (WriteSet, Option<Derived>) {
        let mut tx = self.store.tx();
        let adapter::Closed { derived, seal } = batch.close(&mut tx).unwrap();
        let closing = tx.finish().writes;
        let mut end = self.store.head().clone();
        end.apply(end.seqno().next(), &closing);
        let mut tx = Tx::new(&end);
        let seal = seal.expect("a block is sealed");
        seal(&mut tx, &kept.iter().chain([&closing]).collect::<Vec<_>>()).unwrap();
        let late = tx.finish().writes;
        (closing.then(late), derived)
    }

    /// Seals entries that follow the head. `out` is empty, but has room.
    pub fn seal(&self, writes: &[WriteSet], out: &mut Entries) {
        let tables = self.tables();
        for (seqno, writes) in (self.first().0..).map(Seqno).zip(writes) {
            let txid = TxId { view: VIEW, seqno };
            let leaf = ledger::seal(txid, writes, &Digest::ZERO, tables, &self.keys, &mut out.bytes).unwrap();
            out.leaves.push(leaf);
        }
    }

    /// Signs what follows the head.
    pub fn sign(&self, entries: &mut Entries) -> Head {
        let Entries { bytes, leaves } = entries;
        ledger::sign(&self.head, VIEW, leaves, &self.signer, &self.keys, TIME / 1_000, bytes).unwrap()
    }

    /// Executes, closes and commits a batch.
    pub fn closed(&mut self, work: &[Work]) -> Closed {
        let mut batch = self.begin();
        let mut writes = self.execute(&mut *batch, work);
        let (block, derived) = self.block(batch, &writes);
        let last = Seqno(self.first().0 + writes.len() as u64);
        self.store.apply(last, &block);
        self.store.set_derived(0, derived);
        writes.push(block);
        self.close(writes)
    }

    /// Seals, signs and commits what is on the head.
    fn close(&mut self, writes: Vec<WriteSet>) -> Closed {
        let (mut entries, before, first) = (Entries::default(), self.head.clone(), self.first());
        self.seal(&writes, &mut entries);
        self.head = self.sign(&mut entries);
        self.store.skip_to(self.head.seqno());
        self.store.close();
        self.store.commit(self.head.seqno());
        let entries_by_seqno = (first.0..).map(Seqno).zip(writes).collect();
        Closed { before, head: self.head.clone(), bytes: entries.bytes.into(), entries: entries_by_seqno }
    }

    /// Takes the head back to what is committed.
    pub fn rewind(&mut self) {
        self.store.rollback(self.head.seqno());
    }
}
