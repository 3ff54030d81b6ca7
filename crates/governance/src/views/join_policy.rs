//! What a node must run, and in what, to be let in: CCF's tables.

use std::collections::BTreeMap;

use kv::Tx;
use serde::Serialize;
use serde_json::Value;

use super::{all, rows};
use crate::{Governance, Refusal};

/// Who may join, as clients are told.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinPolicy {
    pub sgx: Sgx,
    #[serde(rename = "virtual")]
    pub no_tee: Virtual,
    pub snp: Snp,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Sgx {
    pub measurements: Vec<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Virtual {
    pub measurements: Vec<String>,
    pub host_data: Vec<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snp {
    pub measurements: Vec<String>,
    /// Security policies by their digests.
    pub host_data: BTreeMap<String, Value>,
    /// By issuer (DID) and feed.
    pub uvm_endorsements: BTreeMap<String, Value>,
    /// Lowest versions of the firmware's parts, by CPUID.
    pub tcb_versions: BTreeMap<String, Value>,
}

impl Governance {
    pub fn join_policy(&self, tx: &Tx<'_>) -> Result<JoinPolicy, Refusal> {
        let keys = |table: &str| -> Vec<String> { rows(tx, table).into_iter().map(|(key, _)| key).collect() };
        let map =
            |table: &str| -> Result<BTreeMap<String, Value>, Refusal> { Ok(all(tx, table)?.into_iter().collect()) };
        Ok(JoinPolicy {
            sgx: Sgx { measurements: keys("public:ccf.gov.nodes.sgx.measurements") },
            no_tee: Virtual {
                measurements: keys("public:ccf.gov.nodes.virtual.measurements"),
                host_data: keys("public:ccf.gov.nodes.virtual.host_data"),
            },
            snp: Snp {
                measurements: keys("public:ccf.gov.nodes.snp.measurements"),
                host_data: map("public:ccf.gov.nodes.snp.host_data")?,
                uvm_endorsements: map("public:ccf.gov.nodes.snp.uvm_endorsements")?,
                tcb_versions: map("public:ccf.gov.nodes.snp.tcb_versions")?,
            },
        })
    }
}
