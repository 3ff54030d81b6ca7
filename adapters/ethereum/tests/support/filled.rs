//! A ledger with very many accounts, made without a signature for each.

use adapter::Adapter;
use alloy_primitives::{Address, U256, keccak256};
use base::Seqno;
use ethereum::{Config, Genesis, World};
use kv::{Snapshot, TableId, WriteSet};

use super::Bench;
use super::wallet::{self, Wallet};

/// Accounts of an entry that only makes some.
const FILL: u64 = 1_000;

pub struct Filled {
    pub bench: Bench,
    pub seqno: Seqno,
    accounts: TableId,
    /// Accounts beside those of the genesis.
    pub filled: u64,
    random: u64,
}

impl Filled {
    pub fn new(config: Config) -> Self {
        let bench = Bench::new(config);
        let accounts = bench.store.head().tables().find("ethereum.accounts").unwrap();
        Self { bench, seqno: Seqno(1), accounts, filled: 0, random: 1 }
    }

    /// Without accounts.
    pub fn empty() -> Self {
        Self::new(Config::new(Genesis::parse(&wallet::genesis([], 1_000_000_000)).unwrap()))
    }

    /// Adds accounts, at random places: no version in between, and no trie. As after a start.
    pub fn fill(&mut self, accounts: u64) {
        let last = self.filled + accounts;
        while self.filled < last {
            let numbers = self.filled..last.min(self.filled + FILL);
            self.filled = numbers.end;
            self.entry(numbers.map(|number| (address(number), 0)));
        }
        self.close();
    }

    /// Adds accounts as they come in life: a transfer that makes one changes another; each batch has its trie.
    pub fn grow(&mut self, accounts: u64, changed: u64) {
        let last = self.filled + accounts;
        while self.filled < last {
            let numbers = self.filled..last.min(self.filled + changed / 2);
            self.filled = numbers.end;
            let pairs = numbers.map(|number| [(address(number), 0), (address(self.random() % self.filled), 1)]);
            let pairs: Vec<_> = pairs.collect();
            let writes: Vec<WriteSet> = pairs.into_iter().map(|pair| self.entry(pair)).collect();
            self.derive(&writes);
            self.close();
        }
    }

    /// Builds the trie of what is there, hashes all of it, and says in the newest block that this is its state.
    pub fn hash(&mut self) {
        let Bench { ethereum, store, .. } = &mut self.bench;
        let mut block = ethereum.latest(&store.snapshot()).head().unwrap();
        block.header.state_root = World::build(ethereum.ledger().layout(), store.head()).unwrap().root();
        block.hash = block.header.hash_slow();
        let blocks = store.head().tables().find("ethereum.blocks").unwrap();
        let mut tx = store.tx();
        tx.put(blocks, &block.header.number.to_be_bytes()[..], block.encode());
        let writes = tx.finish().writes;
        self.seqno = self.seqno.next();
        store.apply(self.seqno, &writes);
        let derived = ethereum.derive(None, store.head(), &[]).unwrap();
        store.set_derived(0, derived);
        self.close();
    }

    /// One batch in which some accounts change, two in each entry.
    pub fn batch(&mut self, changed: u64) {
        let mut writes = Vec::new();
        for _ in 0..changed / 2 {
            let pair = [(); 2].map(|()| (address(self.random() % self.filled), self.random() % 1_000));
            writes.push(self.entry(pair));
        }
        self.derive(&writes);
        self.close();
    }

    /// The trie after some writes, hashed as a primary does. These batches have no block that it could ride with.
    fn derive(&mut self, writes: &[WriteSet]) {
        let Bench { ethereum, store, .. } = &mut self.bench;
        let previous = store.head().derived(0).and_then(|derived| derived.downcast_ref::<World>()).cloned();
        let of_block = || ethereum.latest(&Snapshot::of(store.head().clone())).world().unwrap();
        let previous = previous.unwrap_or_else(of_block);
        let world = previous.after(ethereum.ledger().layout(), writes).unwrap();
        std::hint::black_box(world.root());
        store.set_derived(0, Some(std::sync::Arc::new(world)));
    }

    fn entry(&mut self, accounts: impl IntoIterator<Item = (Address, u64)>) -> WriteSet {
        let mut tx = self.bench.store.tx();
        for (address, nonce) in accounts {
            tx.put(self.accounts, address.as_slice(), row(nonce));
        }
        let writes = tx.finish().writes;
        self.seqno = self.seqno.next();
        self.bench.store.apply(self.seqno, &writes);
        writes
    }

    fn close(&mut self) {
        self.bench.store.close();
        self.bench.store.commit(self.seqno);
    }

    pub fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.random >> 24
    }

    /// Some account, be it one of the genesis or another.
    pub fn random_address(&mut self, wallets: &[Wallet]) -> Address {
        let place = self.random() % (wallets.len() as u64 + self.filled);
        match usize::try_from(place).ok().and_then(|place| wallets.get(place)) {
            Some(wallet) => wallet.address,
            None => address(place - wallets.len() as u64),
        }
    }
}

/// Memory of this process, in bytes.
pub fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

fn address(number: u64) -> Address {
    Address::from_slice(&keccak256(number.to_be_bytes())[12..])
}

/// An account as its row: a nonce, and about an ether.
fn row(nonce: u64) -> Vec<u8> {
    let balance = U256::from(1_000_000_000_000_000_000u64 + nonce).to_be_bytes_trimmed_vec();
    let nonce = U256::from(nonce).to_be_bytes_trimmed_vec();
    [&[u8::try_from(nonce.len()).unwrap()], &nonce[..], &balance].concat()
}
