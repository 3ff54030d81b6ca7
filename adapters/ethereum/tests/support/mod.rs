//! A ledger without a node: the store, the adapter, and a hand that does what a node's executor does.

use std::path::PathBuf;
use std::sync::Arc;

use adapter::{Adapter, Closed, LedgerId, Opening, Verdict, Work};
use base::{Seqno, TxId, View};
use ethereum::{Config, Ethereum};
use kv::{NoHistory, Store, Tables, Tx, WriteSet};

#[expect(clippy::print_stderr, reason = "a test that does not run must be seen")]
/// The folder with test vectors, if this machine has it.
pub fn vectors() -> Option<PathBuf> {
    let named = std::env::var_os("COCO_VECTORS").map(PathBuf::from);
    let path = named.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"));
    if path.join("ethereum").is_dir() {
        return Some(path.join("ethereum"));
    }
    eprintln!("SKIPPED: no test vectors in {}: set COCO_VECTORS to run this test", path.display());
    None
}

const BLOCKS: [(&str, &str); 9] = [
    ("Homestead", "homesteadBlock"),
    ("EIP150", "eip150Block"),
    ("EIP158", "eip155Block"),
    ("EIP158", "eip158Block"),
    ("Byzantium", "byzantiumBlock"),
    ("ConstantinopleFix", "constantinopleBlock"),
    ("Istanbul", "istanbulBlock"),
    ("Berlin", "berlinBlock"),
    ("London", "londonBlock"),
];
const TIMES: [(&str, &str); 4] =
    [("Shanghai", "shanghaiTime"), ("Cancun", "cancunTime"), ("Prague", "pragueTime"), ("Osaka", "osakaTime")];

/// The forks up to and with `fork`, all from the start.
pub fn forks(fork: &str, chain_id: u64) -> String {
    let order = [
        "Frontier",
        "Homestead",
        "EIP150",
        "EIP158",
        "Byzantium",
        "ConstantinopleFix",
        "Istanbul",
        "Berlin",
        "London",
        "Paris",
        "Shanghai",
        "Cancun",
        "Prague",
        "Osaka",
    ];
    let rank = |name: &str| order.iter().position(|known| *known == name).unwrap_or_else(|| panic!("fork {name}"));
    let mut members = vec![format!("\"chainId\": {chain_id}")];
    for (name, key) in BLOCKS.iter().chain(&TIMES) {
        if rank(name) <= rank(fork) {
            members.push(format!("\"{key}\": 0"));
            if *key == "constantinopleBlock" {
                members.push("\"petersburgBlock\": 0".into());
            }
        }
    }
    if rank("Paris") <= rank(fork) {
        members.push("\"terminalTotalDifficulty\": 0".into());
    }
    members.join(", ")
}

/// One ledger on one store.
pub struct Bench {
    pub ethereum: Arc<Ethereum>,
    pub store: Store,
    seqno: Seqno,
    time: u64,
    /// Bytes of keys and values that entries were made of, so far.
    pub bytes: usize,
    pub entries: Vec<WriteSet>,
}

impl Bench {
    pub fn new(config: Config) -> Self {
        let tables = Tables::new();
        let ethereum = Arc::new(Ethereum::new("ethereum", LedgerId(0), config, &tables).unwrap());
        let mut store = Store::new(Arc::new(tables), Arc::new(NoHistory));
        let mut tx = store.tx();
        ethereum.open(&mut tx).unwrap();
        let writes = tx.finish().writes;
        store.apply(Seqno(1), &writes);
        let derived = ethereum.derive(None, store.head(), std::slice::from_ref(&writes)).unwrap();
        store.set_derived(0, derived);
        store.close();
        store.commit(Seqno(1));
        Self { ethereum, store, seqno: Seqno(1), time: 1_700_000_000_000, bytes: 0, entries: vec![writes] }
    }

    /// Runs work in one batch, commits it, and returns what became of each piece.
    pub fn batch(&mut self, work: &[Work]) -> Vec<Verdict> {
        self.time += 1_000;
        let first = self.seqno.next();
        let opening = Opening { time: self.time, view: View(2), first, entropy: [7; 32] };
        let mut batch = self.ethereum.begin(self.store.head(), &opening).unwrap();
        let mut kept = Vec::new();
        let mut verdicts = Vec::new();
        for work in work {
            let mut tx = self.store.tx();
            let verdict = batch.execute(&mut tx, work);
            if let Verdict::Keep(_) = &verdict {
                kept.push(tx.finish().writes);
                self.apply(kept.last().unwrap().clone());
            }
            verdicts.push(verdict);
        }
        let mut closed = None;
        if !kept.is_empty() {
            let mut tx = self.store.tx();
            let Closed { derived, seal } = batch.close(&mut tx).unwrap();
            kept.push(tx.finish().writes);
            self.apply(kept.last().unwrap().clone());
            self.store.set_derived(0, derived);
            closed = seal.map(|seal| (self.seqno, seal, self.store.head().clone()));
        }
        self.seqno = self.seqno.next();
        self.store.skip_to(self.seqno);
        self.store.close();
        // A node does this on another thread.
        if let Some((entry, seal, end)) = closed {
            let mut tx = Tx::new(&end);
            seal(&mut tx, &kept.iter().collect::<Vec<_>>()).unwrap();
            let late = tx.finish().writes;
            self.count(&late);
            self.store.amend(self.seqno, entry, &late);
            let last = self.entries.pop().unwrap();
            self.entries.push(last.then(late));
        }
        self.store.commit(self.seqno);
        verdicts
    }

    fn apply(&mut self, writes: WriteSet) {
        self.seqno = self.seqno.next();
        self.store.apply(self.seqno, &writes);
        self.count(&writes);
        self.entries.push(writes);
    }

    fn count(&mut self, writes: &WriteSet) {
        for section in &writes.sections {
            self.bytes += section.puts.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        }
    }

    pub fn last(&self) -> TxId {
        TxId { view: View(2), seqno: self.seqno }
    }
}
