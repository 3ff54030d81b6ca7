//! Leases: a node of the service proves itself anew within a period that members decided, or is cut off until it has.
//!
//! Evidence for a lease is bound to the node's key and to when the lease was last renewed ([`Lease::nonce`]): so it was made after
//! that, and old evidence of a platform that was sound once renews nothing. A node does not vouch for itself: what it
//! shows is written down, and counts once another node has verified it.

use base::NodeId;
use kv::{TableId, Tx};
use ledger::genesis::{Evaluation, NodeStatus, QuoteInfo, node_key};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::state::{read, write};
use crate::tables::SINGLETON;
use crate::{Governance, Outcome, Refusal};

/// What members decided: the row of `lease`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Period {
    pub seconds: u64,
    /// Beyond that, before a node is cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u64>,
}

/// A node's lease: a row of `nodes.leases`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lease {
    /// Milliseconds since 1970, by the ledger's clock.
    pub renewed: u64,
    /// SHA-256 of the evidence that renewed it, in hexadecimal; absent while it is the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// Its time ran out: the node has no vote and gets no secrets.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lapsed: bool,
    /// The newest evaluation that its evidence has had since it began, and when the node joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<Evaluation>,
}

/// What a node shows to renew its lease: a row of `nodes.evidence`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Shown {
    pub quote_info: QuoteInfo,
    /// When the lease was renewed before: the evidence is bound to it.
    pub after: u64,
}

impl Lease {
    /// What evidence for the next renewal is bound to, beside the node's key.
    #[must_use]
    pub fn nonce(&self) -> Vec<u8> {
        format!("lease after {}", self.renewed).into_bytes()
    }
}

impl Period {
    /// When a lease has run out for good, grace included.
    #[must_use]
    pub fn end(&self, lease: &Lease) -> u64 {
        let seconds = self.seconds.saturating_add(self.grace_seconds.unwrap_or(0));
        lease.renewed.saturating_add(seconds.saturating_mul(1_000))
    }
}

impl Shown {
    /// What the lease's row says of it once it has renewed the lease.
    #[must_use]
    pub fn digest(&self) -> String {
        let QuoteInfo { format, quote, endorsements, uvm_endorsements } = &self.quote_info;
        let parts = [format, quote, endorsements, uvm_endorsements.as_deref().unwrap_or_default()];
        crypto::sha256(parts.join("\n").as_bytes()).to_string()
    }
}

impl Governance {
    /// The period, if nodes have leases at all.
    pub fn lease_period(&self, tx: &Tx<'_>) -> Result<Option<Period>, Refusal> {
        read(tx, self.tables.lease, &SINGLETON)
    }

    pub fn lease(&self, tx: &Tx<'_>, id: NodeId) -> Result<Option<Lease>, Refusal> {
        read(tx, self.tables.nodes_leases, &node_key(id))
    }

    /// The leases that can be read, by node.
    #[must_use]
    pub fn leases(&self, tx: &Tx<'_>) -> Vec<(NodeId, Lease)> {
        by_node(tx, self.tables.nodes_leases)
    }

    /// What nodes have shown that is not verified yet.
    #[must_use]
    pub fn all_shown(&self, tx: &Tx<'_>) -> Vec<(NodeId, Shown)> {
        by_node(tx, self.tables.nodes_evidence)
    }

    /// What a node has shown that is not verified yet.
    pub fn shown(&self, tx: &Tx<'_>, id: NodeId) -> Result<Option<Shown>, Refusal> {
        read(tx, self.tables.nodes_evidence, &node_key(id))
    }

    /// Trusted, and its lease has not run out: it votes, gets secrets, and lets others in.
    pub fn in_good_standing(&self, tx: &Tx<'_>, id: NodeId) -> Result<bool, Refusal> {
        let trusted = self.node_info(tx, id)?.is_some_and(|info| info.status == NodeStatus::Trusted);
        Ok(trusted && !self.lease(tx, id)?.is_some_and(|lease| lease.lapsed))
    }

    /// A trusted node's first lease.
    pub fn begin_lease(&self, tx: &mut Tx<'_>, id: NodeId, time: u64) -> Result<Outcome<()>, Refusal> {
        self.holder(tx, id)?;
        if self.lease(tx, id)?.is_some() {
            return Err(Refusal::InvalidNodeState(format!("Node {id} has a lease already.")));
        }
        let evaluation = self.known(tx, id)?.evaluation;
        self.set_lease(tx, id, &Lease { renewed: time, evidence: None, lapsed: false, evaluation });
        Ok(Outcome::plain(()))
    }

    /// A node shows evidence for its next lease.
    pub fn show(&self, tx: &mut Tx<'_>, id: NodeId, shown: &Shown) -> Result<Outcome<()>, Refusal> {
        self.holder(tx, id)?;
        self.running(tx, id, shown)?;
        write(tx, self.tables.nodes_evidence, &node_key(id), shown);
        Ok(Outcome::plain(()))
    }

    /// The evidence that a node showed was verified, and is still what it shows. `evaluation` is that of its vendor's word.
    pub fn renew_lease(
        &self,
        tx: &mut Tx<'_>,
        id: NodeId,
        shown: &Shown,
        evaluation: Option<Evaluation>,
        time: u64,
    ) -> Result<Outcome<()>, Refusal> {
        self.holder(tx, id)?;
        self.running(tx, id, shown)?;
        if self.shown(tx, id)?.as_ref() != Some(shown) {
            return Err(Refusal::InvalidNodeState(format!("Node {id} shows other evidence by now, or none.")));
        }
        // Evidence after evidence of the same millisecond would be bound to the same.
        let renewed = time.max(shown.after.saturating_add(1));
        let joined = self.known(tx, id)?.evaluation;
        let before = newest(joined, self.lease(tx, id)?.and_then(|lease| lease.evaluation));
        let evaluation = newest(before, evaluation);
        self.set_lease(tx, id, &Lease { renewed, evidence: Some(shown.digest()), lapsed: false, evaluation });
        self.forget_shown(tx, id)?;
        Ok(Outcome::plain(()))
    }

    /// A lease has run out. The last node that has one left keeps it: a network that nobody leads helps no one.
    pub fn lapse(&self, tx: &mut Tx<'_>, id: NodeId, time: u64) -> Result<Outcome<()>, Refusal> {
        let period = self.holder(tx, id)?;
        let lease = self.lease(tx, id)?.filter(|lease| !lease.lapsed && time > period.end(lease));
        let lease =
            lease.ok_or_else(|| Refusal::InvalidNodeState(format!("The lease of node {id} has not run out.")))?;
        let mut others = self.node_infos(tx).into_iter().filter(|(other, _)| *other != id);
        if !others.try_fold(false, |any, (other, _)| Ok::<_, Refusal>(any || self.in_good_standing(tx, other)?))? {
            let message = format!("Node {id} is the last one whose lease has not run out.");
            return Err(Refusal::InvalidNodeState(message));
        }
        self.set_lease(tx, id, &Lease { lapsed: true, ..lease });
        Ok(Outcome::plain(()))
    }

    /// A lease that nothing asks for any more: members decided so, or the node is not trusted any more.
    pub fn end_lease(&self, tx: &mut Tx<'_>, id: NodeId) -> Result<Outcome<()>, Refusal> {
        let trusted = self.node_info(tx, id)?.is_some_and(|info| info.status == NodeStatus::Trusted);
        if self.lease(tx, id)?.is_none() || (trusted && self.lease_period(tx)?.is_some()) {
            return Err(Refusal::InvalidNodeState(format!("Node {id} has no lease that would end.")));
        }
        tx.remove(self.tables.nodes_leases, node_key(id));
        self.forget_shown(tx, id)?;
        Ok(Outcome::plain(()))
    }

    fn set_lease(&self, tx: &mut Tx<'_>, id: NodeId, lease: &Lease) {
        write(tx, self.tables.nodes_leases, &node_key(id), lease);
    }

    fn forget_shown(&self, tx: &mut Tx<'_>, id: NodeId) -> Result<(), Refusal> {
        if tx.get(self.tables.nodes_evidence, &node_key(id))?.is_some() {
            tx.remove(self.tables.nodes_evidence, node_key(id));
        }
        Ok(())
    }

    /// The period, for a node that has to keep to it.
    fn holder(&self, tx: &Tx<'_>, id: NodeId) -> Result<Period, Refusal> {
        if self.known(tx, id)?.status != NodeStatus::Trusted {
            return Err(Refusal::InvalidNodeState(format!("Node {id} is not trusted: it has no lease.")));
        }
        let none = || Refusal::InvalidNodeState("Nodes have no leases here: members decided no period.".to_owned());
        self.lease_period(tx)?.ok_or_else(none)
    }

    /// Evidence is for the lease as it is.
    fn running(&self, tx: &Tx<'_>, id: NodeId, shown: &Shown) -> Result<(), Refusal> {
        let lease = self.lease(tx, id)?;
        if lease.is_some_and(|lease| lease.renewed == shown.after) {
            return Ok(());
        }
        Err(Refusal::InvalidNodeState(format!("The evidence of node {id} is not for the lease that it has.")))
    }
}

/// Of one node; what it shows on another kind of platform counts instead.
pub(super) fn newest(before: Option<Evaluation>, now: Option<Evaluation>) -> Option<Evaluation> {
    match (before, now) {
        (Some(before), Some(now)) if before.tee == now.tee && before.number > now.number => Some(before),
        (before, now) => now.or(before),
    }
}

fn by_node<T: DeserializeOwned>(tx: &Tx<'_>, table: TableId) -> Vec<(NodeId, T)> {
    let row = |(key, row): (&kv::Blob, &kv::Blob)| {
        Some((NodeId::parse(std::str::from_utf8(key).ok()?).ok()?, serde_json::from_slice(row).ok()?))
    };
    tx.range(table, ..).filter_map(row).collect()
}
