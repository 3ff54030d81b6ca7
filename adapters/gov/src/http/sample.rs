//! A small ledger for tests: a few entries and their signature, and the service that made them.

use std::sync::Arc;

use adapter::{Blame, Handover, Proof, Recovery, Reject, Service};
use base::{Digest, NodeId, Seqno, TxId, View};
use bytes::Bytes;
use crypto::certificate::{self, Validity};
use crypto::{Certificate, KeyPair, Secret};
use kv::{Kind, Section, State, Tables, WriteSet};
use ledger::{Disk, Files, Head, LedgerKeys, Signer, seal, sign};

pub const YEARS: Validity = Validity { from: 1_767_225_600, until: 4_000_000_000 };
/// All entries are of this view; every fourth is a signature.
pub const VIEW: View = View(1);
pub const END: u64 = 8;

pub struct Ledger {
    pub certificate: Certificate,
    pub node: KeyPair,
    service: Arc<KeyPair>,
    keys: LedgerKeys,
    files: Files<Disk>,
    _directory: tempfile::TempDir,
}

impl Ledger {
    /// `dual`: whether the node signs, too.
    pub fn new(dual: bool) -> Self {
        let (service, node) = (Arc::new(KeyPair::generate().unwrap()), KeyPair::generate().unwrap());
        let certificate = certificate::service(&service, "service", YEARS).unwrap();
        let keys = LedgerKeys::new(&Secret::from_slice(&[9; 32]).unwrap()).unwrap();
        let copy = KeyPair::from_pkcs8_der(&node.to_pkcs8_der().unwrap()).unwrap();
        let signer = Signer { service: service.clone(), node: dual.then(|| Arc::new(copy)) };
        let tables = Tables::new();
        let table = tables.add("private", Kind::State).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let (files, _) = Files::open(Disk::open(directory.path()).unwrap(), None).unwrap();
        let mut head = Head::new();
        while files.end() < Seqno(END) {
            let (mut batch, mut leaves) = (Vec::new(), Vec::new());
            for at in 1..=3u64 {
                let txid = TxId { view: VIEW, seqno: Seqno(head.seqno().0 + at) };
                let row = (at.to_be_bytes()[..].into(), b"value"[..].into());
                let writes = WriteSet { sections: vec![Section { table, puts: vec![row], removes: vec![] }] };
                leaves.push(seal(txid, &writes, &Digest([3; 32]), &tables, &keys, &mut batch).unwrap());
            }
            head = sign(&head, VIEW, &leaves, &signer, &keys, 1, &mut batch).unwrap();
            files.append(&batch).unwrap();
        }
        Self { certificate, node, service, keys, files, _directory: directory }
    }

    /// The row of the node's certificate.
    pub fn node_certificate(&self) -> String {
        certificate::node(self.node.public(), &self.service, &self.certificate, &[], YEARS).unwrap().to_pem()
    }
}

impl Service for Ledger {
    fn ledger_secret_seqno(&self) -> u64 {
        1
    }

    fn endorse_node(&self, _: &str, _: u64, _: u64) -> Result<String, Reject> {
        Err(unused())
    }

    fn renew_certificate(&self, _: u64, _: u64) -> Result<String, Reject> {
        Err(unused())
    }

    fn rekey(&self, _: &State, _: Option<&Recovery>) -> Result<Vec<Section>, Reject> {
        Err(unused())
    }

    fn deal_shares(&self, _: &State, _: &Recovery) -> Result<Section, Reject> {
        Err(unused())
    }

    fn hand_over(&self, _: &State, _: NodeId) -> Result<Handover, Reject> {
        Err(unused())
    }

    fn node_certificate(&self) -> Result<String, Reject> {
        Ok(certificate::lone_node(&self.node, &[], YEARS).unwrap().to_pem())
    }

    fn proof(&self, seqno: Seqno) -> Result<Option<Proof>, Reject> {
        if seqno > self.files.end() {
            return Ok(None);
        }
        let ledger::Covered { entry, signature } = self.files.covered(seqno).map_err(crate::at_fault)?;
        let commit_evidence = self.keys.commit_evidence(TxId { view: VIEW, seqno }).unwrap();
        Ok(Some(Proof { entry: Bytes::clone(&entry), signature, commit_evidence }))
    }
}

fn unused() -> Reject {
    Reject::new(Blame::Node, 0, "no test asks for it")
}
