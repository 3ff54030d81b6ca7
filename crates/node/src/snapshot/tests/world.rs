//! A small service: a ledger on disk, and a store with what is in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use adapter::NoHost;
use base::{Digest, Seqno, View};
use crypto::{KeyPair, Secret};
use kv::{History, Kind, NoHistory, State, Store, TableId, Tables};
use ledger::{Directory, Files, Head, LedgerKeys, Signer};

use super::super::Ground;
use crate::executor::tests::Governing;
use crate::genesis::ServiceTables;
use crate::hosting::Hosting;

pub struct World<D> {
    pub tables: Arc<Tables>,
    pub keys: Arc<LedgerKeys>,
    pub signer: Signer,
    pub files: Files<D>,
    pub store: Store,
    pub head: Head,
}

/// As a node registers them: not in the order of their names.
pub fn tables(more: &[(&str, Kind)]) -> Arc<Tables> {
    let tables = Tables::new();
    let always = [("z.accounts", Kind::State), ("public:settings", Kind::State), ("blocks", Kind::History)];
    for (name, kind) in always.iter().chain(more) {
        tables.add(*name, *kind).unwrap();
    }
    Arc::new(tables)
}

pub fn keys(secret: u8) -> Arc<LedgerKeys> {
    Arc::new(LedgerKeys::new(&Secret::from_slice(&[secret; 32]).unwrap()).unwrap())
}

impl<D: Directory> World<D> {
    pub fn new(disk: D) -> Self {
        Self::of(disk, Signer { service: Arc::new(KeyPair::generate().unwrap()), node: None })
    }

    pub fn of(disk: D, signer: Signer) -> Self {
        let (tables, keys) = (tables(&[("empty", Kind::State)]), keys(7));
        let store = Store::new(tables.clone(), Arc::new(NoHistory));
        let (files, _) = Files::open(disk, Some(&keys)).unwrap();
        Self { tables, keys, signer, files, store, head: Head::new() }
    }

    pub fn table(&self, name: &str) -> TableId {
        self.tables.find(name).unwrap()
    }

    /// This service has no row of a hosted ledger, and not even a table for them.
    pub fn hosting(&self) -> Arc<Hosting> {
        let service = ServiceTables::register(&Tables::new()).unwrap();
        Arc::new(Hosting::new(Arc::new(Governing), Arc::new(NoHost), self.tables.clone(), service))
    }

    /// A batch of a few entries with values of so many bytes: new rows, changed ones, removed ones, and history.
    pub fn batch(&mut self, view: u64, bytes: usize) {
        let (accounts, settings, blocks) =
            (self.table("z.accounts"), self.table("public:settings"), self.table("blocks"));
        let (mut batch, mut leaves) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let seqno = self.store.head().seqno().next();
            let mut tx = self.store.tx();
            tx.put(accounts, seqno.0.to_be_bytes().to_vec(), vec![seqno.0 as u8; bytes]);
            tx.put(accounts, *b"changes", seqno.0.to_string().into_bytes());
            tx.remove(accounts, (seqno.0 / 2).to_be_bytes().to_vec());
            tx.put(settings, [seqno.0 as u8 % 4].to_vec(), Vec::new());
            tx.put(blocks, seqno.0.to_be_bytes().to_vec(), *b"what happened");
            let writes = tx.finish().writes;
            let txid = base::TxId { view: View(view), seqno };
            let leaf = ledger::seal(txid, &writes, &Digest::ZERO, &self.tables, &self.keys, &mut batch);
            leaves.push(leaf.unwrap());
            self.store.apply(seqno, &writes);
        }
        let head = ledger::sign(&self.head, View(view), &leaves, &self.signer, &self.keys, 1, &mut batch);
        self.head = head.unwrap();
        self.store.skip_to(self.head.seqno());
        self.store.close();
        self.store.commit(self.head.seqno());
        self.files.append(&batch).unwrap();
    }
}

pub fn no_history() -> Arc<dyn History> {
    Arc::new(NoHistory)
}

/// A process without history and without hosted ledgers.
pub fn ground(tables: &Arc<Tables>) -> Ground<'static> {
    Ground { tables: tables.clone(), history: no_history(), follow: &|_| {} }
}

/// Key, the entry that wrote the row, value.
type Row = (Vec<u8>, Seqno, Vec<u8>);

/// Every row of every state table: what must be the same wherever it comes from.
pub fn rows(state: &State) -> BTreeMap<String, Vec<Row>> {
    let tables = state.tables().iter().filter(|(_, table)| table.kind == Kind::State);
    let rows = tables.map(|(id, table)| {
        let rows = state.versioned(id).map(|(key, version, value)| (key.to_vec(), version, value.to_vec()));
        (table.name.clone(), rows.collect())
    });
    rows.collect()
}
