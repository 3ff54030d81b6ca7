//! A service in a test: it writes the kinds of entries that a real one writes, to a real directory.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "tests and examples share this, take what they need of it, and stop at the first failure"
)]

use std::path::Path;
use std::sync::Arc;

use base::{Digest, View};
use crypto::certificate::{self, Validity};
use crypto::{Certificate, KeyPair, Secret, sha256};
use kv::{Blob, Kind, Section, TableId, Tables, WriteSet};
use ledger::genesis::{self, NodeStatus, ServiceStatus};
use ledger::tables::{NODES_ENDORSED_CERTIFICATES, NODES_INFO, SERVICE_INFO, SINGLETON};
use ledger::{Disk, Files, Head, LedgerKeys, Signer, seal, sign};

pub const YEAR: Validity = Validity { from: 1_767_225_600, until: 1_798_761_600 };
pub const TIME: u64 = 1_767_300_000;

/// Rows to write: table, key, and a value or its absence.
pub type Rows<'a> = &'a [(&'a str, &'a [u8], Option<&'a [u8]>)];

pub struct Sample {
    pub tables: Tables,
    pub keys: LedgerKeys,
    pub signer: Signer,
    pub service_certificate: Certificate,
    pub view: View,
    pub head: Head,
    node: Arc<KeyPair>,
    batch: Vec<u8>,
    leaves: Vec<Digest>,
}

pub fn tables() -> Tables {
    let tables = Tables::new();
    // Not in the order of their names, so that the order in an entry is seen to come from the names.
    tables.add("private.state", Kind::State).unwrap();
    tables.add("a.private.history", Kind::History).unwrap();
    tables.add("public:app.state", Kind::State).unwrap();
    ledger::tables::register(&tables).unwrap();
    tables
}

pub fn keys() -> LedgerKeys {
    LedgerKeys::new(&Secret::from_slice(&[7; 32]).unwrap()).unwrap()
}

/// Builds a write set as a transaction does: by table id, then by key.
pub fn writes(tables: &Tables, rows: Rows<'_>) -> WriteSet {
    let mut sections: Vec<Section> = Vec::new();
    for (table, key, value) in rows {
        let table: TableId = tables.find(table).unwrap();
        let at = sections.iter().position(|section| section.table == table).unwrap_or_else(|| {
            sections.push(Section { table, puts: Vec::new(), removes: Vec::new() });
            sections.len() - 1
        });
        match value {
            Some(value) => sections[at].puts.push((Blob::from(*key), Blob::from(*value))),
            None => sections[at].removes.push(Blob::from(*key)),
        }
    }
    for section in &mut sections {
        section.puts.sort();
        section.removes.sort();
    }
    sections.sort_by_key(|section| section.table);
    WriteSet { sections }
}

impl Sample {
    pub fn new(dual: bool) -> Self {
        let (service, node) = (Arc::new(KeyPair::generate().unwrap()), Arc::new(KeyPair::generate().unwrap()));
        let service_certificate = certificate::service(&service, "sample service", YEAR).unwrap();
        Self {
            tables: tables(),
            keys: keys(),
            signer: Signer { service, node: dual.then(|| Arc::clone(&node)) },
            service_certificate,
            view: View(2),
            head: Head::new(),
            node,
            batch: Vec::new(),
            leaves: Vec::new(),
        }
    }

    pub fn write(&mut self, rows: Rows<'_>, claims: Digest) {
        let txid =
            base::TxId { view: self.view, seqno: base::Seqno(self.head.seqno().0 + self.leaves.len() as u64 + 1) };
        let writes = writes(&self.tables, rows);
        self.leaves.push(seal(txid, &writes, &claims, &self.tables, &self.keys, &mut self.batch).unwrap());
    }

    pub fn service_row(&self, status: ServiceStatus) -> Vec<u8> {
        genesis::service_info(&self.service_certificate.to_pem(), status)
    }

    /// The service's first transaction.
    pub fn genesis(&mut self) {
        let service = self.service_row(ServiceStatus::Opening);
        let id = genesis::node_key(self.node.public().node_id());
        let node = Arc::clone(&self.node);
        let info = node_row(NodeStatus::Trusted, &node);
        let endorsed = self.endorse(&node);
        self.write(
            &[
                (SERVICE_INFO, &SINGLETON, Some(&service)),
                (NODES_INFO, &id, Some(&info)),
                (NODES_ENDORSED_CERTIFICATES, &id, Some(endorsed.as_bytes())),
            ],
            Digest::ZERO,
        );
    }

    pub fn set_status(&mut self, status: ServiceStatus) {
        let row = self.service_row(status);
        self.write(&[(SERVICE_INFO, &SINGLETON, Some(&row))], Digest::ZERO);
    }

    /// A second node joins, is trusted, retires and is removed.
    pub fn node_comes_and_goes(&mut self) {
        let node = KeyPair::generate().unwrap();
        let id = genesis::node_key(node.public().node_id());
        let pem = self.endorse(&node);
        self.write(&[(NODES_INFO, &id, Some(&node_row(NodeStatus::Pending, &node)))], Digest::ZERO);
        self.write(
            &[
                (NODES_INFO, &id, Some(&node_row(NodeStatus::Trusted, &node))),
                (NODES_ENDORSED_CERTIFICATES, &id, Some(pem.as_bytes())),
            ],
            Digest::ZERO,
        );
        self.write(&[(NODES_INFO, &id, Some(&node_row(NodeStatus::Retired, &node)))], Digest::ZERO);
        self.write(&[(NODES_INFO, &id, None), (NODES_ENDORSED_CERTIFICATES, &id, None)], Digest::ZERO);
    }

    /// An application's transaction with `private` bytes of private data.
    pub fn transaction(&mut self, number: u64, private: usize) {
        let key = number.to_be_bytes();
        let value: Vec<u8> = (0..private).map(|at| (at as u64 * 31 + number) as u8).collect();
        let claims = if number.is_multiple_of(3) { sha256(&key) } else { Digest::ZERO };
        match number % 4 {
            0 => self.write(&[("private.state", &key, Some(&value))], claims),
            1 => self.write(
                &[("private.state", &key, Some(&value)), ("public:app.state", &key, Some(b"{\"n\":1}"))],
                claims,
            ),
            2 => self.write(&[("a.private.history", &key, Some(&value)), ("private.state", &key, None)], claims),
            _ => {
                self.write(&[("public:app.state", &key, Some(&[0, 1, 2])), ("private.state", &key, Some(&[]))], claims)
            }
        }
    }

    /// Closes the batch and gives its bytes.
    pub fn close(&mut self) -> Vec<u8> {
        let mut batch = std::mem::take(&mut self.batch);
        let leaves = std::mem::take(&mut self.leaves);
        self.head = sign(&self.head, self.view, &leaves, &self.signer, &self.keys, TIME, &mut batch).unwrap();
        batch
    }

    fn endorse(&self, node: &KeyPair) -> String {
        let names = ["node.example".to_owned()];
        certificate::node(node.public(), &self.signer.service, &self.service_certificate, &names, YEAR)
            .unwrap()
            .to_pem()
    }
}

fn node_row(status: NodeStatus, node: &KeyPair) -> Vec<u8> {
    genesis::virtual_node_info(status, &node.public().to_pem(), &sha256(b"code"), Some("127.0.0.1:8001"))
}

/// The shape of a ledger to be written.
#[derive(Clone, Copy)]
pub struct Shape {
    pub dual: bool,
    pub batches: u64,
    pub entries: u64,
    pub private: usize,
    pub chunk_bytes: u64,
}

/// Writes a ledger that has a bit of everything, and gives the service that wrote it.
pub fn write_ledger(path: &Path, shape: Shape) -> Sample {
    let mut sample = Sample::new(shape.dual);
    let (files, _) = Files::open_with(Disk::open(path).unwrap(), Some(&sample.keys), shape.chunk_bytes).unwrap();
    for batch in 0..shape.batches {
        match batch {
            0 => sample.genesis(),
            1 => sample.set_status(ServiceStatus::Open),
            2 => sample.node_comes_and_goes(),
            _ => {}
        }
        if batch % 7 == 6 {
            sample.view = View(sample.view.0 + 1);
        }
        for entry in 0..shape.entries {
            sample.transaction(batch * shape.entries + entry, shape.private);
        }
        files.append(&sample.close()).unwrap();
    }
    files.sync().unwrap();
    sample
}
