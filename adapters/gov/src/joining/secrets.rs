//! What a node that members trust is told: everything that makes it one of the service.

use adapter::{Blame, Handover, LEDGERS, Reject};
use base::NodeId;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use governance::Refusal;
use governance::join::{Answer, Identity, LedgerSecret, Neighbour, Network, NetworkInfo};
use governance::tables::NODES_ENDORSED_CERTIFICATES;
use kv::{State, Tx};
use ledger::genesis::{NodeStatus, ServiceStatus, node_key};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::state as not_so;
use crate::decide::{Deciding, Undecided};

/// Only for who has the key of this id. Everything is of one committed version.
pub fn answer(deciding: &Deciding, id: NodeId) -> Result<Answer, Undecided> {
    let snapshot = deciding.node.snapshot();
    let (state, tx) = (snapshot.state(), Tx::new(snapshot.state()));
    let governance = &deciding.gov.governance;
    if governance.lease(&tx, id)?.is_some_and(|lease| lease.lapsed) {
        let message =
            format!("The lease of node {id} has run out: it gets no secrets until it has proved itself anew.");
        return Err(not_so(message).into());
    }
    let unknown = || not_so(format!("Node {id} is not known."));
    let number = governance.node_info(&tx, id)?.ok_or_else(unknown)?.number;
    let service = governance::state::service::info(governance.tables(), &tx)?;
    let service =
        service.ok_or_else(|| Refusal::InternalError("Service information could not be found.".to_owned()))?;
    let handover = deciding.node.service().hand_over(state, id)?;
    let coco = Network {
        number,
        nodes: handover.nodes.iter().map(neighbour).collect(),
        ledgers: ledgers(state),
        dual_signatures: deciding.gov.joining.dual_signatures,
    };
    let network_info = network_info(handover, service.status, endorsed(state, id)?, coco);
    Ok(Answer { node_status: NodeStatus::Trusted, node_id: id.to_string(), network_info: Some(network_info) })
}

fn network_info(
    Handover { service_certificate, service_key, ledger_secrets, nodes: _ }: Handover,
    service_status: ServiceStatus,
    endorsed_certificate: Option<String>,
    coco: Network,
) -> NetworkInfo {
    let secret = |key: &Zeroizing<[u8; 32]>| LedgerSecret { raw_key: Zeroizing::new(STANDARD.encode(key.as_slice())) };
    NetworkInfo {
        public_only: false,
        last_recovered_signed_idx: 0,
        ledger_secrets: ledger_secrets.iter().map(|(seqno, key)| (*seqno, secret(key))).collect(),
        identity: Identity { cert: service_certificate, priv_key: service_key },
        service_status,
        endorsed_certificate,
        coco,
    }
}

fn neighbour(adapter::Neighbour { number, id, address }: &adapter::Neighbour) -> Neighbour {
    Neighbour { number: *number, id: id.to_string(), address: address.clone() }
}

fn endorsed(state: &State, id: NodeId) -> Result<Option<String>, Reject> {
    let Some(table) = state.tables().find(NODES_ENDORSED_CERTIFICATES) else { return Ok(None) };
    let row = state.get(table, &node_key(id)).map_err(crate::at_fault)?;
    let text = row.map(|row| String::from_utf8(row.to_vec())).transpose();
    text.map_err(|_| Reject::new(Blame::Node, 0, "the node's endorsed certificate is no text"))
}

/// Their rows by name, as members wrote them.
fn ledgers(state: &State) -> Map<String, Value> {
    let Some(table) = state.tables().find(LEDGERS) else { return Map::new() };
    let row = |(name, row): (&kv::Blob, &kv::Blob)| {
        Some((String::from_utf8(name.to_vec()).ok()?, serde_json::from_slice(row).ok()?))
    };
    state.range(table, ..).filter_map(row).collect()
}
