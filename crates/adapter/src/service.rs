//! What the keys of the service do. They stay where they are: an adapter may have something signed, and sees no key.

use base::{NodeId, Seqno};
use bytes::Bytes;
use kv::{Section, State};
use zeroize::Zeroizing;

use crate::{Blame, Reject};

/// The service's keys, at work.
pub trait Service: Send + Sync {
    /// From which seqno on the ledger secret in use has sealed.
    fn ledger_secret_seqno(&self) -> u64;

    /// A certificate (PEM) for the key and the names of a node's signing request (PEM), valid between two times (seconds since
    /// 1970). Refused if the request is not signed by its own key.
    fn endorse_node(&self, request: &str, from: u64, until: u64) -> Result<String, Reject>;

    /// The service's certificate (PEM) with another validity.
    fn renew_certificate(&self, from: u64, until: u64) -> Result<String, Reject>;

    /// Rows that bring a new ledger secret to every node that is trusted in `state` and whose lease lasts. It is in force from the entry
    /// behind theirs on; rows that never are an entry bring nothing. With `recovery` one of them has shares of it.
    fn rekey(&self, state: &State, recovery: Option<&Recovery>) -> Result<Vec<Section>, Reject>;

    /// A row with new shares of the ledger secret in use.
    fn deal_shares(&self, state: &State, recovery: &Recovery) -> Result<Section, Reject>;

    /// What a node needs to be one of the service. Refused unless it is trusted in `committed`.
    fn hand_over(&self, committed: &State, to: NodeId) -> Result<Handover, Reject>;

    /// The certificate (PEM) of this node's key that it signed itself.
    fn node_certificate(&self) -> Result<String, Reject>;

    /// What a receipt of a committed entry is made of. `None` while this node's ledger file does not have it yet. Reads a file: for
    /// threads that may take their time.
    fn proof(&self, seqno: Seqno) -> Result<Option<Proof>, Reject>;
}

/// An entry as the ledger has it, the signature that covers it, and the text that only its commit reveals.
#[derive(Clone, Debug)]
pub struct Proof {
    pub entry: Bytes,
    pub signature: Bytes,
    pub commit_evidence: String,
}

/// The secrets of the service. Whoever gets them must have shown, on the same connection, that it has the node's key.
pub struct Handover {
    /// PEM.
    pub service_certificate: String,
    /// PKCS#8, PEM.
    pub service_key: Zeroizing<String>,
    /// With the seqno that each begins to seal at, ascending.
    pub ledger_secrets: Vec<(u64, Zeroizing<[u8; 32]>)>,
    /// Every node that is trusted, the new one included.
    pub nodes: Vec<Neighbour>,
}

/// A node, as another must know it to talk with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Neighbour {
    /// In consensus; never used twice.
    pub number: u64,
    pub id: NodeId,
    /// Where nodes reach it: `host:port`.
    pub address: String,
}

/// Who can open the ledger after a disaster, and how many of them are needed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovery {
    /// Of those who do not hold it alone.
    pub threshold: usize,
    pub holders: Vec<Holder>,
}

/// A member who is dealt a share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    pub id: String,
    /// The RSA key that its share is encrypted for, PEM.
    pub key: String,
    /// It needs no others.
    pub alone: bool,
}

/// Where there are no keys: an adapter by itself, in a test of it.
pub struct NoService;

impl Service for NoService {
    fn ledger_secret_seqno(&self) -> u64 {
        0
    }

    fn endorse_node(&self, _: &str, _: u64, _: u64) -> Result<String, Reject> {
        Err(no_keys())
    }

    fn renew_certificate(&self, _: u64, _: u64) -> Result<String, Reject> {
        Err(no_keys())
    }

    fn rekey(&self, _: &State, _: Option<&Recovery>) -> Result<Vec<Section>, Reject> {
        Err(no_keys())
    }

    fn deal_shares(&self, _: &State, _: &Recovery) -> Result<Section, Reject> {
        Err(no_keys())
    }

    fn hand_over(&self, _: &State, _: NodeId) -> Result<Handover, Reject> {
        Err(no_keys())
    }

    fn node_certificate(&self) -> Result<String, Reject> {
        Err(no_keys())
    }

    fn proof(&self, _: Seqno) -> Result<Option<Proof>, Reject> {
        Err(no_keys())
    }
}

fn no_keys() -> Reject {
    Reject::new(Blame::Node, 0, "there are no keys of a service here")
}
