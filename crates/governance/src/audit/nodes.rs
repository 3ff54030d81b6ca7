//! What nodes decide about nodes without a member's signature, made again.

use base::NodeId;
use kv::{State, Tx, WriteSet};
use ledger::genesis::NodeInfo;

use super::put;
use crate::nodes::Lease;
use crate::{Governance, Refusal};

/// What happened to a node. That its evidence was verified, and that consensus has let it go, is not in the rows: whoever ran
/// approved code is believed there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeEvent {
    /// It asks to join: its evidence was what members had approved.
    Asked,
    LetGo,
    Forgotten,
    LeaseBegun,
    /// It shows evidence for its next lease …
    Showed,
    /// … which another node found good.
    Renewed,
    Lapsed,
    LeaseEnded,
}

impl NodeEvent {
    /// For people, after the node's name.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Asked => "asks to join",
            Self::LetGo => "is let go: it may be stopped",
            Self::Forgotten => "is forgotten",
            Self::LeaseBegun => "has a lease from now on",
            Self::Showed => "shows evidence for its next lease",
            Self::Renewed => "has its lease renewed",
            Self::Lapsed => "has proved nothing for too long: it is cut off",
            Self::LeaseEnded => "needs no lease any more",
        }
    }
}

/// What such a decision can only have been, by the rows that it wrote.
pub fn event(governance: &Governance, before: &State, writes: &WriteSet) -> Option<(NodeId, NodeEvent)> {
    let of = governance.tables();
    let id = |key: &[u8]| NodeId::parse(std::str::from_utf8(key).ok()?).ok();
    for table in [of.nodes_info, of.nodes_leases, of.nodes_evidence] {
        let Some(section) = writes.section(table) else { continue };
        let (key, row) = match (&section.puts[..], &section.removes[..]) {
            ([(key, row)], []) => (key, Some(row)),
            ([], [key]) => (key, None),
            _ => return None,
        };
        let known = before.get(table, key).ok()?.is_some();
        let event = match row {
            None if table == of.nodes_info => NodeEvent::Forgotten,
            None if table == of.nodes_leases => NodeEvent::LeaseEnded,
            None => return None,
            Some(_) if table == of.nodes_info && !known => NodeEvent::Asked,
            Some(_) if table == of.nodes_info => NodeEvent::LetGo,
            Some(_) if table == of.nodes_evidence => NodeEvent::Showed,
            Some(row) => match serde_json::from_slice(row).ok()? {
                Lease { lapsed: true, .. } => NodeEvent::Lapsed,
                Lease { evidence: Some(_), .. } => NodeEvent::Renewed,
                Lease { .. } => NodeEvent::LeaseBegun,
            },
        };
        return Some((id(key)?, event));
    }
    None
}

/// Makes it again.
pub fn again(
    governance: &Governance,
    tx: &mut Tx<'_>,
    (id, event): (NodeId, NodeEvent),
    writes: &WriteSet,
    time: u64,
) -> Result<(), Refusal> {
    let of = governance.tables();
    let key = ledger::genesis::node_key(id);
    let unread = |_| Refusal::InternalError(format!("The row of node {id} cannot be read."));
    let outcome = match event {
        NodeEvent::Asked => {
            let info = NodeInfo::read(put(writes, of.nodes_info, &key).unwrap_or_default()).map_err(unread)?;
            return governance.admit(tx, id, info).map(drop);
        }
        NodeEvent::Showed => {
            let shown = put(writes, of.nodes_evidence, &key).unwrap_or_default();
            governance.show(tx, id, &serde_json::from_slice(shown).map_err(unread)?)
        }
        NodeEvent::Renewed => {
            let none = || Refusal::InternalError(format!("Node {id} has shown nothing."));
            let shown = governance.shown(tx, id)?.ok_or_else(none)?;
            // Believed like the evidence that it is from.
            let lease = put(writes, of.nodes_leases, &key).unwrap_or_default();
            let Lease { evaluation, .. } = serde_json::from_slice(lease).map_err(unread)?;
            governance.renew_lease(tx, id, &shown, evaluation, time)
        }
        NodeEvent::LetGo => governance.let_go(tx, id),
        NodeEvent::Forgotten => governance.forget_node(tx, id),
        NodeEvent::LeaseBegun => governance.begin_lease(tx, id, time),
        NodeEvent::Lapsed => governance.lapse(tx, id, time),
        NodeEvent::LeaseEnded => governance.end_lease(tx, id),
    };
    outcome.map(drop)
}
