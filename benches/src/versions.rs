//! The store and what is derived from it, without a batch around them.

use alloy_primitives::{Address, B256};
use base::Digest;
use crypto::sha256;
use ethereum::{Proof, View, World};
use kv::{Blob, Store, TableId};
use ledger::Frontier;

use crate::backup::Derive;
use crate::parts::Parts;
use crate::{Kind, Stage};

/// Rows of accounts, and some of their keys.
struct Rows {
    parts: Parts,
    table: TableId,
    keys: Vec<Address>,
}

impl Rows {
    fn new(parts: Parts, count: usize) -> Self {
        let table = parts.tables().find("ethereum.accounts").unwrap();
        let all = &parts.traffic.addresses;
        // Any step that shares no factor with the number of accounts leads to different ones, far from each other.
        let keys = (0..count).map(|place| all[place * 7_919 % all.len()]).collect();
        Self { parts, table, keys }
    }
}

/// Rows read by key.
pub struct Get(Rows);

impl Get {
    #[must_use]
    pub fn new(parts: Parts, count: usize) -> Self {
        Self(Rows::new(parts, count))
    }
}

impl Stage for Get {
    type Ready = Vec<Blob>;
    type Done = Vec<Blob>;

    fn ready(&mut self) -> Vec<Blob> {
        Vec::with_capacity(self.0.keys.len())
    }

    fn run(&mut self, mut found: Vec<Blob>) -> Vec<Blob> {
        let Rows { parts, table, keys } = &self.0;
        let head = parts.store.head();
        found.extend(keys.iter().map(|key| head.get(*table, key.as_slice()).unwrap().unwrap()));
        found
    }
}

/// Rows replaced, each by a transaction of its own.
pub struct Put(Rows);

impl Put {
    #[must_use]
    pub fn new(parts: Parts, count: usize) -> Self {
        Self(Rows::new(parts, count))
    }
}

impl Stage for Put {
    type Ready = ();
    type Done = ();

    fn ready(&mut self) {
        self.0.parts.rewind();
    }

    fn run(&mut self, (): ()) {
        let Rows { parts, table, keys } = &mut self.0;
        let store: &mut Store = &mut parts.store;
        let mut seqno = store.head().seqno();
        for key in keys {
            let mut tx = store.tx();
            tx.put(*table, key.as_slice(), &[1, 9, 8, 7, 6, 5][..]);
            let writes = tx.finish().writes;
            seqno = seqno.next();
            store.apply(seqno, &writes);
        }
    }
}

/// The state trie follows a batch and is hashed.
pub struct Trie(Derive);

impl Trie {
    #[must_use]
    pub fn new(parts: Parts, kind: Kind) -> Self {
        Self(Derive::new(parts, kind))
    }
}

impl Stage for Trie {
    type Ready = ();
    type Done = (World, B256);

    fn ready(&mut self) {}

    fn run(&mut self, (): ()) -> Self::Done {
        let world = self.0.world();
        let root = world.root();
        (world, root)
    }
}

/// Proofs of accounts, for readers.
pub struct Prove {
    view: View,
    accounts: Vec<Address>,
}

impl Prove {
    #[must_use]
    pub fn new(parts: Parts, count: usize) -> Self {
        let Rows { parts, keys, .. } = Rows::new(parts, count);
        Self { view: parts.ethereum.latest(&parts.store.snapshot()), accounts: keys }
    }
}

impl Stage for Prove {
    type Ready = Vec<Proof>;
    type Done = Vec<Proof>;

    fn ready(&mut self) -> Vec<Proof> {
        Vec::with_capacity(self.accounts.len())
    }

    fn run(&mut self, mut proofs: Vec<Proof>) -> Vec<Proof> {
        proofs.extend(self.accounts.iter().map(|account| self.view.proof(*account, &[]).unwrap()));
        proofs
    }
}

/// Leaves on the Merkle tree over all entries, and its root.
pub struct Tree {
    before: Frontier,
    leaves: Vec<Digest>,
}

impl Tree {
    /// The tree has a million leaves before.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let mut before = Frontier::new();
        (0..1_000_000_u64).for_each(|_| before.append(Digest([5; 32])));
        let leaves = (0..count as u64).map(|number| sha256(&number.to_le_bytes())).collect();
        Self { before, leaves }
    }
}

impl Stage for Tree {
    type Ready = Frontier;
    type Done = (Frontier, Digest);

    fn ready(&mut self) -> Frontier {
        self.before.clone()
    }

    fn run(&mut self, mut tree: Frontier) -> Self::Done {
        self.leaves.iter().for_each(|leaf| tree.append(*leaf));
        let root = tree.root();
        (tree, root)
    }
}
