//! The layer as a whole, in one process: a store, the adapter, and a thread that does what a node's executor does.

mod compat;
mod handlers;
mod limits;
mod transport;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;

use adapter::{
    Adapter, Closed, Committed, LedgerId, NoService, Node, Opening, Plumbing, Role, Status, Submission, Submitted,
    Verdict,
};
use base::{Digest, NodeId, Seqno, TxId, View};
use bytes::Bytes;
use kv::{NoHistory, Store, Tables, Tx, WriteSet};
use serde_json::Value;
use tokio::sync::watch;

use super::{Rpc, dispatch};
use crate::{Config, Ethereum, Genesis};

/// A network of one node that commits at once.
struct Network {
    rpc: Arc<Rpc>,
    ethereum: Arc<Ethereum>,
    node: Node,
    _status: watch::Sender<Status>,
}

impl Network {
    fn new(config: Config) -> Self {
        let tables = Tables::new();
        let ethereum = Arc::new(Ethereum::new("ethereum", LedgerId(0), config, &tables).unwrap());
        let mut executor = Executor::new(ethereum.clone(), tables);
        let (submit, submitted) = mpsc::channel();
        let id = NodeId(Digest::ZERO);
        let committed = executor.last();
        let status = Status {
            id,
            role: Role::Primary,
            view: View(2),
            committed,
            root: Digest::ZERO,
            transactions: 0,
            voters: vec![1, 2, 3],
            learners: vec![],
        };
        let plumbing = Arc::new(Plumbing::new(
            executor.store.snapshot(),
            status.clone(),
            Arc::new(NoService),
            move |submission| {
                // Without the executor the submission is dropped, and so answered.
                let _ = submit.send(submission);
            },
        ));
        let node = plumbing.node.clone();
        thread::spawn(move || {
            while let Ok(first) = submitted.recv() {
                let batch = std::iter::once(first).chain(submitted.try_iter()).collect();
                executor.run(batch, &plumbing);
            }
        });
        let rpc = Arc::new(Rpc::new(ethereum.clone(), node.clone()));
        Self { rpc, ethereum, node, _status: watch::channel(status).0 }
    }

    /// A development network: accounts with keys, no fees, the newest rules.
    fn development() -> Self {
        let text = include_str!("genesis.json");
        let mut config = Config::new(Genesis::parse(text).unwrap());
        config.keys = (1u8..=3).map(|byte| secp256k1::SecretKey::from_byte_array([byte; 32]).unwrap()).collect();
        Self::new(config)
    }

    async fn raw(&self, body: &str) -> Option<String> {
        let begun = dispatch::begin(&self.rpc, body.as_bytes(), None);
        let answer = dispatch::finish(self.rpc.clone(), begun).await;
        answer.map(|answer| String::from_utf8(answer.as_ref().to_vec()).unwrap())
    }

    async fn json(&self, body: &str) -> Value {
        serde_json::from_str(&self.raw(body).await.unwrap()).unwrap()
    }

    /// The result or the error object of a call.
    async fn ask(&self, method: &str, params: Value) -> Result<Value, Value> {
        let body = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut answer = self.json(&body.to_string()).await;
        match answer.get_mut("error") {
            Some(error) => Err(error.take()),
            None => Ok(answer["result"].take()),
        }
    }
}

/// What a node's executor does, with a disk that never fails.
struct Executor {
    ethereum: Arc<Ethereum>,
    store: Store,
    seqno: Seqno,
    time: u64,
    waiting: HashMap<Bytes, Submission>,
}

impl Executor {
    fn new(ethereum: Arc<Ethereum>, tables: Tables) -> Self {
        let mut store = Store::new(Arc::new(tables), Arc::new(NoHistory));
        let mut tx = store.tx();
        ethereum.open(&mut tx).unwrap();
        let writes = tx.finish().writes;
        store.apply(Seqno(1), &writes);
        let derived = ethereum.derive(None, store.head(), &[writes]).unwrap();
        store.set_derived(0, derived);
        store.close();
        store.commit(Seqno(1));
        Self { ethereum, store, seqno: Seqno(1), time: 1_700_000_000_000, waiting: HashMap::new() }
    }

    fn last(&self) -> TxId {
        TxId { view: View(2), seqno: self.seqno }
    }

    fn run(&mut self, mut work: Vec<Submission>, plumbing: &Plumbing) {
        while !work.is_empty() {
            work = self.batch(work, plumbing);
        }
    }

    /// Executes and commits one batch; what did not fit comes back.
    fn batch(&mut self, work: Vec<Submission>, plumbing: &Plumbing) -> Vec<Submission> {
        self.time += 1_000;
        let opening = Opening { time: self.time, view: View(2), first: self.seqno.next(), entropy: [7; 32] };
        let mut batch = self.ethereum.begin(self.store.head(), &opening).unwrap();
        let (mut entries, mut replies) = (Vec::new(), Vec::new());
        let mut queue: std::collections::VecDeque<Submission> = work.into();
        let mut full = false;
        while let Some(submission) = queue.pop_front() {
            let mut tx = self.store.tx();
            match batch.execute(&mut tx, &submission.work) {
                Verdict::Keep(outcome) => {
                    let writes = tx.finish().writes;
                    self.apply(writes, &mut entries);
                    replies.push((submission.answer, self.last(), outcome.reply));
                    if let Some(woken) = outcome.wakes.and_then(|key| self.waiting.remove(&key)) {
                        queue.push_front(woken);
                    }
                    if outcome.closes {
                        full = true;
                    }
                }
                Verdict::Drop(reject) => drop(submission.answer.send(Err(reject))),
                Verdict::Later(wait) => {
                    let (answer, _) = tokio::sync::oneshot::channel();
                    let waiting = Submission { work: submission.work, answer };
                    self.waiting.insert(wait.key, waiting);
                    drop(submission.answer.send(Ok(Submitted::Waiting)));
                }
                Verdict::Full => {
                    queue.push_front(submission);
                    full = true;
                }
            }
            if full {
                break;
            }
        }
        if entries.is_empty() {
            return queue.into();
        }
        let mut tx = self.store.tx();
        let kept: Vec<WriteSet> = entries.iter().map(|(_, writes): &(Seqno, WriteSet)| writes.clone()).collect();
        let Closed { derived, seal } = batch.close(&mut tx).unwrap();
        let closing = tx.finish().writes;
        self.apply(closing, &mut entries);
        self.store.set_derived(0, derived);
        let (entry, end) = (self.seqno, self.store.head().clone());
        self.seqno = self.seqno.next();
        self.store.skip_to(self.seqno);
        self.store.close();
        let mut tx = Tx::new(&end);
        let (_, closing) = entries.pop().unwrap();
        seal.unwrap()(&mut tx, &kept.iter().chain([&closing]).collect::<Vec<_>>()).unwrap();
        let late = tx.finish().writes;
        self.store.amend(self.seqno, entry, &late);
        entries.push((entry, closing.then(late)));
        let snapshot = self.store.commit(self.seqno);
        let committed = Arc::new(Committed { last: self.last(), entries });
        plumbing.publish(snapshot.clone());
        self.ethereum.published(&snapshot, &committed);
        plumbing.announce(committed);
        for (answer, txid, reply) in replies {
            drop(answer.send(Ok(Submitted::Committed { txid, reply })));
        }
        queue.into()
    }

    fn apply(&mut self, writes: WriteSet, entries: &mut Vec<(Seqno, WriteSet)>) {
        self.seqno = self.seqno.next();
        self.store.apply(self.seqno, &writes);
        entries.push((self.seqno, writes));
    }
}

/// The folder with test vectors, if this machine has it.
fn vectors() -> Option<PathBuf> {
    let named = std::env::var_os("COCO_VECTORS").map(PathBuf::from);
    let path = named.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"));
    if path.join("ethereum").is_dir() {
        return Some(path.join("ethereum"));
    }
    eprintln!("SKIPPED: no test vectors in {}: set COCO_VECTORS to run this test", path.display());
    None
}
