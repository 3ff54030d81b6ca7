//! What a network's governance starts from: the members that found it, and the constitution that they agreed on.

use adapter::Fault;
use governance::state::members::Status;
use governance::{FoundingMember, Governance};
use kv::Tx;
use serde_json::json;

/// Written once, in the service's first batch. No founder counts before it has signed the state.
#[derive(Clone)]
pub struct Founding {
    pub members: Vec<Founder>,
    /// JavaScript.
    pub constitution: String,
}

#[derive(Clone)]
pub struct Founder {
    /// What it is called in its data, which members may change.
    pub name: String,
    /// PEM.
    pub certificate: String,
}

/// Shares that open the ledger after a disaster, until members decide otherwise.
const RECOVERY_THRESHOLD: u64 = 1;

impl Founding {
    pub(crate) fn write(&self, governance: &Governance, tx: &mut Tx<'_>) -> Result<(), Fault> {
        let member = |Founder { name, certificate }: &Founder| FoundingMember {
            certificate: certificate.clone(),
            encryption_key: None,
            data: Some(json!({ "name": name })),
            status: Status::Accepted,
        };
        let founding = governance::Founding {
            constitution: &self.constitution,
            members: self.members.iter().map(member).collect(),
            recovery_threshold: RECOVERY_THRESHOLD,
        };
        governance.found(tx, &founding).map(drop).map_err(Fault::new)
    }
}
