//! What a network's governance starts from: the members that found it, and the constitution that they agreed on. No founder
//! has a privilege, and none counts before it has signed the state.

use governance::{Governance, tables};
use kv::{TableId, Tx};
use serde_json::json;

/// A member that founds the network.
#[derive(Clone)]
pub struct Member {
    pub certificate: crypto::Certificate,
}

#[derive(Clone)]
pub struct Founding {
    pub members: Vec<Member>,
    /// JavaScript.
    pub constitution: String,
}

impl Founding {
    pub(crate) fn write(&self, governance: &Governance, tx: &mut Tx<'_>) {
        let of = governance.tables();
        for Member { certificate } in &self.members {
            let id = crypto::sha256(certificate.der()).to_string();
            tx.put(of.members_certs, id.as_bytes(), certificate.to_pem().as_bytes());
            put(
                tx,
                of.members_info,
                id.as_bytes(),
                &json!({ "status": "Accepted", "recovery_role": "NonParticipant" }),
            );
        }
        put(tx, of.constitution, &tables::SINGLETON, &json!(self.constitution));
        put(
            tx,
            of.service_config,
            &tables::SINGLETON,
            &json!({
                "maximum_node_certificate_validity_days": 365,
                "maximum_service_certificate_validity_days": 365,
                "recent_cose_proposals_window_size": 100,
            }),
        );
    }
}

fn put(tx: &mut Tx<'_>, table: TableId, key: &[u8], row: &serde_json::Value) {
    tx.put(table, key, row.to_string().as_bytes());
}
