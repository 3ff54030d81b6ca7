//! The service's keys, at work for adapters.

use std::sync::{Arc, OnceLock};

use adapter::{Blame, Handover, Neighbour, Proof, Recovery, Reject, Service};
use base::{NodeId, Seqno};
use crypto::certificate::{self, Request, Validity};
use crypto::{Certificate, KeyPair, Secret};
use kv::{Section, State};
use ledger::genesis::NodeStatus;
use ledger::{Covered, RawEntry};
use zeroize::Zeroizing;

use crate::genesis::ServiceTables;
use crate::history::Archive;
use crate::nodes::Nodes;
use crate::secrets::LedgerSecrets;

pub struct Keys {
    pub tables: ServiceTables,
    pub service_key: Arc<KeyPair>,
    pub service_certificate: Certificate,
    pub secrets: Arc<LedgerSecrets>,
    pub archive: Arc<Archive>,
    pub node_key: Arc<KeyPair>,
    /// Made when it is first asked for.
    pub node_certificate: OnceLock<String>,
}

impl Service for Keys {
    fn ledger_secret_seqno(&self) -> u64 {
        self.secrets.keys().newest_begins().0
    }

    fn endorse_node(&self, request: &str, from: u64, until: u64) -> Result<String, Reject> {
        let Request { key, names } = Request::from_pem(request).map_err(|_| {
            Reject::caller(0, "the node's certificate signing request cannot be read, or is not signed by its key")
        })?;
        let validity = Validity { from, until };
        let endorsed = certificate::node(&key, &self.service_key, &self.service_certificate, &names, validity);
        endorsed.map(|certificate| certificate.to_pem()).map_err(|error| Reject::caller(0, error.to_string()))
    }

    fn renew_certificate(&self, from: u64, until: u64) -> Result<String, Reject> {
        let validity = Validity { from, until };
        let renewed = certificate::renew_service(&self.service_certificate, &self.service_key, validity);
        renewed.map(|certificate| certificate.to_pem()).map_err(|error| Reject::caller(0, error.to_string()))
    }

    fn rekey(&self, state: &State, recovery: Option<&Recovery>) -> Result<Vec<Section>, Reject> {
        self.secrets.rekey(&self.tables, state, recovery)
    }

    fn deal_shares(&self, state: &State, recovery: &Recovery) -> Result<Section, Reject> {
        self.secrets.deal_shares(state, recovery)
    }

    fn hand_over(&self, committed: &State, to: NodeId) -> Result<Handover, Reject> {
        let nodes = Nodes::read(&self.tables, committed);
        match nodes.find(to) {
            Some(node) if node.status != NodeStatus::Trusted => {
                return Err(Reject::caller(0, format!("node {to} is not trusted: it gets no secrets")));
            }
            Some(node) if node.lapsed => {
                let message = format!("the lease of node {to} ran out: it gets no secrets until it proves itself anew");
                return Err(Reject::caller(0, message));
            }
            Some(_) => {}
            None => return Err(Reject::caller(0, format!("node {to} is not known: it gets no secrets"))),
        }
        // None that came later: the node may have had to leave before it did.
        let known = |(first, _): &(Seqno, Secret)| *first <= committed.seqno().next();
        let secrets = self.secrets.keys().secrets().into_iter().filter(known);
        let service_key = self.service_key.to_pkcs8_pem().map_err(at_fault)?;
        let neighbours =
            nodes.trusted().map(|node| Neighbour { number: node.number, id: node.id, address: node.address.clone() });
        Ok(Handover {
            service_certificate: self.service_certificate.to_pem(),
            service_key,
            ledger_secrets: secrets.map(|(first, secret)| (first.0, Zeroizing::new(*secret.expose()))).collect(),
            nodes: neighbours.collect(),
        })
    }

    /// Valid as long as the service's own: what dates it has says nothing, since nobody but the node vouches for it.
    fn node_certificate(&self) -> Result<String, Reject> {
        if let Some(made) = self.node_certificate.get() {
            return Ok(made.clone());
        }
        let validity = self.service_certificate.validity().map_err(at_fault)?;
        let made = certificate::lone_node(&self.node_key, &[], validity).map_err(at_fault)?.to_pem();
        Ok(self.node_certificate.get_or_init(|| made).clone())
    }

    /// The ledger file holds committed batches only.
    fn proof(&self, seqno: Seqno) -> Result<Option<Proof>, Reject> {
        let Archive { files, keys, .. } = &*self.archive;
        if seqno > files.end() {
            return Ok(None);
        }
        let Covered { entry, signature } = files.covered(seqno).map_err(at_fault)?;
        let txid = RawEntry::parse(&entry).map_err(at_fault)?.txid;
        let unknown = || Reject::new(Blame::Node, 0, format!("this node has no ledger secret for entry {txid}"));
        let commit_evidence = keys.commit_evidence(txid).ok_or_else(unknown)?;
        Ok(Some(Proof { entry, signature, commit_evidence }))
    }
}

fn at_fault(error: impl std::fmt::Display) -> Reject {
    Reject::new(Blame::Node, 0, error.to_string())
}
