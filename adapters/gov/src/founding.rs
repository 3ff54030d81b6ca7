//! What a network's governance starts from: the members that found it, and the constitution that they agreed on.

use adapter::Fault;
use governance::state::members::Status;
use governance::tables::{MANIFEST_CODE, MANIFEST_TEE};
use governance::views::{Code, Tee};
use governance::{FoundingMember, Governance};
use kv::Tx;
use serde::Serialize;
use serde_json::json;

/// Written once, in the service's first batch. No founder counts before it has signed the state.
#[derive(Clone)]
pub struct Founding {
    pub members: Vec<Founder>,
    /// JavaScript.
    pub constitution: String,
    /// What a node measures itself as, where the TEE is virtual: nodes that run the same are let in, and no others. Absent: no node
    /// joins until members have filled the manifests.
    pub code: Option<[u8; 32]>,
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
/// How manifests name the TEE that protects nothing.
const VIRTUAL: &str = "virtual";

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
        governance.found(tx, &founding).map_err(Fault::new)?;
        self.code.map_or(Ok(()), |code| approve(&const_hex::encode(code), tx))
    }
}

/// The manifests say "virtual", and this code.
fn approve(measurement: &str, tx: &mut Tx<'_>) -> Result<(), Fault> {
    let tee = || VIRTUAL.to_owned();
    let row = Code {
        tee: tee(),
        measurement: measurement.to_owned(),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        expires: None,
        measurements: None,
        host_data: None,
        lowest_svn: None,
    };
    put(tx, MANIFEST_CODE, &format!("{VIRTUAL}:{measurement}"), &row)?;
    put(tx, MANIFEST_TEE, VIRTUAL, &Tee { tee: tee(), minimum_tcb: None, expires: None })
}

fn put(tx: &mut Tx<'_>, table: &'static str, key: &str, row: &impl Serialize) -> Result<(), Fault> {
    let id = tx.base().tables().find(table).ok_or_else(|| Fault::new(kv::TableError::Name(table.to_owned())))?;
    tx.put(id, key.as_bytes(), serde_json::to_vec(row).map_err(Fault::new)?);
    Ok(())
}
