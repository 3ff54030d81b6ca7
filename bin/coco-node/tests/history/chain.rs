//! An Ethereum ledger on a real ledger file with its real index, and blocks that nobody had to sign or execute: their rows
//! are made as the adapter makes them, so that a million of them take seconds. The adapter's own door answers.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use adapter::{Adapter, LedgerId, NoHost, Plumbing, Role, Status};
use alloy_consensus::{EthereumTxEnvelope, Header, SignableTransaction, TxEip1559};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Log, Signature, U256};
use base::{Digest, NodeId, Seqno, TxId, View};
use crypto::{KeyPair, MacKey, Secret};
use ethereum::{Block, Config, Ethereum, Genesis, Outcome, Receipt, Transaction};
use kv::{Blob, Found, History, HistoryError, Kind, Snapshot, Store, TableId, Tables, Tx, Wanted, WriteSet};
use ledger::{Head, LedgerKeys, Signer};
use node::history::Archive;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const VIEW: View = View(2);

/// Counts what is read back.
pub struct Counting {
    archive: Archive,
    pub rows: AtomicU64,
    pub entries: AtomicU64,
    pub finds: AtomicU64,
}

impl History for Counting {
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<(Seqno, Blob)>, HistoryError> {
        self.rows.fetch_add(1, Ordering::Relaxed);
        self.archive.get(table, key)
    }

    fn find(&self, wanted: &Wanted, from: Seqno, to: Seqno) -> Result<Found, HistoryError> {
        self.finds.fetch_add(1, Ordering::Relaxed);
        self.archive.find(wanted, from, to)
    }

    fn entry(&self, seqno: Seqno) -> Result<Option<WriteSet>, HistoryError> {
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.archive.entry(seqno)
    }
}

pub struct Chain {
    tables: Arc<Tables>,
    ethereum: Arc<Ethereum>,
    keys: Arc<LedgerKeys>,
    signer: Signer,
    pub history: Arc<Counting>,
    store: Store,
    head: Head,
    pub number: u64,
    /// The batch in the making …
    entries: Vec<(Seqno, WriteSet)>,
    sealed: Vec<u8>,
    leaves: Vec<Digest>,
    /// … and those that the keeper did not come to yet.
    waiting: Vec<Closed>,
    door: Option<Door>,
}

/// A batch as the keeper is given it.
struct Closed {
    bytes: Vec<u8>,
    entries: Vec<(Seqno, WriteSet)>,
    last: Seqno,
}

/// The adapter's listener, and the node's end of it.
struct Door {
    address: SocketAddr,
    plumbing: Plumbing,
    _runtime: tokio::runtime::Runtime,
}

impl Chain {
    /// A ledger in `dir`: a new one with its genesis, or the one that is there, read back as a node does at start.
    pub fn open(dir: &Path) -> Self {
        let prepared = node::prepare().unwrap();
        let tables = prepared.tables.clone();
        let genesis =
            Genesis::parse(r#"{"config": {"chainId": 7}, "gasLimit": "0x1c9c380", "difficulty": "0x0", "alloc": {}}"#)
                .unwrap();
        let ethereum = Ethereum::new("ethereum", LedgerId(0), Config::new(genesis), &tables).unwrap();
        let ethereum = Arc::new(ethereum);
        let keys = Arc::new(LedgerKeys::new(&Secret::from_slice(&[3; 32]).unwrap()).unwrap());
        // In governance's place: there are no rows here.
        let alone = node::Adapters { governance: ethereum.clone(), host: Arc::new(NoHost) };
        let hosting = Arc::new(prepared.hosting(alone));
        let (ledger, index) = (dir.join("ledger"), dir.join("index"));
        let key = MacKey::new(b"index");
        let (archive, recovered) = Archive::open(&ledger, &index, keys.clone(), tables.clone(), key, hosting).unwrap();
        let count = AtomicU64::default;
        let history = Arc::new(Counting { archive, rows: count(), entries: count(), finds: count() });
        let store = Store::new(tables.clone(), history.clone());
        let signer = Signer { service: Arc::new(KeyPair::generate().unwrap()), node: None };
        let mut chain = Self {
            tables,
            ethereum,
            keys,
            signer,
            history,
            store,
            head: Head::new(),
            number: 0,
            entries: Vec::new(),
            sealed: Vec::new(),
            leaves: Vec::new(),
            waiting: Vec::new(),
            door: None,
        };
        if recovered.head.seqno() == Seqno(0) {
            let genesis = chain.ethereum.clone();
            chain.entry(|tx| genesis.open(tx).unwrap());
            chain.close(true);
        } else {
            chain.replay();
            chain.head = recovered.head;
        }
        chain
    }

    fn replay(&mut self) {
        let archive = &self.history.archive;
        let indexed = archive.index.indexed();
        for batch in archive.files.batches(Seqno(1)) {
            let (mut entries, mut last) = (Vec::new(), Seqno(0));
            for entry in ledger::split(&batch.unwrap()) {
                let entry = entry.unwrap();
                last = entry.txid.seqno;
                if !entry.is_signature() {
                    entries.push((last, ledger::open(&entry, &self.tables, &self.keys).unwrap()));
                }
            }
            if last > indexed {
                archive.index(&entries, last).unwrap();
            }
            for (seqno, writes) in &mut entries {
                writes.sections.retain(|section| self.tables.get(section.table).kind == Kind::State);
                self.store.apply(*seqno, writes);
            }
            self.store.skip_to(last);
        }
        self.store.close();
        let snapshot = self.store.commit(self.store.head().seqno());
        self.number = self.ethereum.latest(&snapshot).head_number().unwrap();
    }

    fn table(&self, name: &str) -> TableId {
        self.tables.find(&format!("ethereum.{name}")).unwrap()
    }

    /// Adds an entry to the batch in the making.
    fn entry(&mut self, write: impl FnOnce(&mut Tx<'_>)) {
        let mut tx = self.store.tx();
        write(&mut tx);
        let writes = tx.finish().writes;
        let txid = TxId { view: VIEW, seqno: self.store.head().seqno().next() };
        let leaf = ledger::seal(txid, &writes, &Digest::ZERO, &self.tables, &self.keys, &mut self.sealed).unwrap();
        self.leaves.push(leaf);
        self.store.apply(txid.seqno, &writes);
        self.entries.push((txid.seqno, writes));
    }

    /// Adds a block, whose transactions have these logs, and returns their hashes.
    pub fn block(&mut self, transactions: Vec<Vec<Log>>) -> Vec<B256> {
        self.number += 1;
        let number = self.number;
        let (first, mut hashes, mut logs_before) = (self.store.head().seqno().next(), Vec::new(), 0);
        let mut header = Header { number, timestamp: number, ..Header::default() };
        for (index, logs) in (0..).zip(transactions) {
            let call = TxEip1559 { chain_id: 7, nonce: number << 16 | u64::from(index), ..TxEip1559::default() };
            // Nobody looks at the signature of what is in a block.
            let signature = Signature::new(U256::from(number), U256::from(index + 1), true);
            let envelope = EthereumTxEnvelope::Eip1559(call.into_signed(signature));
            let mut raw = Vec::new();
            envelope.encode_2718(&mut raw);
            let hash = *envelope.tx_hash();
            logs.iter().for_each(|log| header.logs_bloom.accrue_log(log));
            let (first_log, count) = (logs_before, logs.len() as u64);
            logs_before += count;
            let (gas_used, cumulative_gas_used) = (21_000, 21_000 * u64::from(index + 1));
            let receipt = Receipt { outcome: Outcome::Status(true), gas_used, cumulative_gas_used, logs, first_log };
            let sender = Address::repeat_byte(1);
            let row = Transaction { envelope, raw: raw.into(), hash, sender, number, index, receipt }.encode();
            let table = self.table("transactions");
            self.entry(|tx| tx.put(table, hash.as_slice(), row));
            hashes.push(hash);
        }
        let block = Block {
            hash: header.hash_slow(),
            header,
            transactions: hashes.clone(),
            ommers: Vec::new(),
            withdrawals: None,
            total_difficulty: U256::ZERO,
            imported: false,
            first,
            size: 600,
        };
        let (blocks, numbers, chain) = (self.table("blocks"), self.table("numbers"), self.table("chain"));
        self.entry(|tx| {
            tx.put(blocks, &number.to_be_bytes()[..], block.encode());
            tx.put(numbers, block.hash.as_slice(), &number.to_be_bytes()[..]);
            tx.put(chain, &b"head"[..], &number.to_be_bytes()[..]);
        });
        hashes
    }

    /// Ends the batch. The keeper comes to it now, or later with the next.
    pub fn close(&mut self, keep: bool) {
        let mut bytes = std::mem::take(&mut self.sealed);
        self.head = ledger::sign(&self.head, VIEW, &self.leaves, &self.signer, &self.keys, 1, &mut bytes).unwrap();
        self.leaves.clear();
        let last = self.head.seqno();
        self.store.skip_to(last);
        self.store.close();
        self.store.commit(last);
        self.waiting.push(Closed { bytes, entries: std::mem::take(&mut self.entries), last });
        if keep {
            for Closed { bytes, entries, last } in std::mem::take(&mut self.waiting) {
                self.history.archive.files.append(&bytes).unwrap();
                self.history.archive.index(&entries, last).unwrap();
                self.store.forget_history(last);
            }
        }
    }

    /// As when the node stops in good order.
    pub fn stop(self) {
        self.history.archive.index.close().unwrap();
    }

    /// Opens the adapter's door, or shows at it what is new.
    pub fn publish(&mut self) {
        let snapshot = self.store.snapshot();
        match &self.door {
            Some(door) => door.plumbing.publish(snapshot),
            None => self.door = Some(Door::open(&self.ethereum, snapshot)),
        }
    }

    pub fn ask(&self, method: &str, params: &Value) -> Value {
        let mut answer = self.door.as_ref().expect("the chain is published").post(method, params);
        assert!(answer.get("error").is_none(), "{answer}");
        answer["result"].take()
    }

    /// What was read back since the last time: rows, entries, questions to the index.
    pub fn work(&self) -> [u64; 3] {
        [&self.history.rows, &self.history.entries, &self.history.finds].map(|count| count.swap(0, Ordering::Relaxed))
    }
}

impl Door {
    fn open(ethereum: &Arc<Ethereum>, snapshot: Snapshot) -> Self {
        let id = NodeId(Digest::ZERO);
        let committed = TxId { view: VIEW, seqno: snapshot.seqno() };
        let status = Status {
            id,
            role: Role::Primary,
            view: VIEW,
            committed,
            root: base::Digest::ZERO,
            voters: vec![1],
            learners: vec![],
            transactions: 0,
        };
        let plumbing = Plumbing::new(snapshot, status, Arc::new(adapter::NoService), drop);
        let listener = ethereum.clone().listeners(plumbing.node.clone()).remove(0);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let socket = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = socket.local_addr().unwrap();
        runtime.spawn((listener.serve)(adapter::Socket::new(socket, None), CancellationToken::new()));
        Self { address, plumbing, _runtime: runtime }
    }

    fn post(&self, method: &str, params: &Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let mut socket = std::net::TcpStream::connect(self.address).unwrap();
        let head = "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json";
        write!(socket, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).unwrap();
        let start = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        serde_json::from_slice(&answer[start..]).unwrap()
    }
}

/// A log; addresses and topics are told apart by a number.
pub fn log(address: u64, topics: &[u64]) -> Log {
    let topics = topics.iter().map(|topic| B256::from(U256::from(*topic))).collect();
    Log::new_unchecked(address_of(address), topics, Bytes::from_static(b"data"))
}

pub fn address_of(number: u64) -> Address {
    Address::left_padding_from(&number.to_be_bytes())
}

pub fn topic_of(number: u64) -> B256 {
    B256::from(U256::from(number))
}
