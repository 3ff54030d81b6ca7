//! What a node must run, and in what, to be let in: CCF's tables, and the manifests of our own.

use std::collections::BTreeMap;

use kv::Tx;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{all, rows};
use crate::tables::{MANIFEST_CODE, MANIFEST_ROOTS, MANIFEST_TEE};
use crate::{Governance, Refusal};

/// Who may join, as clients are told.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinPolicy {
    pub sgx: Sgx,
    #[serde(rename = "virtual")]
    pub no_tee: Virtual,
    pub snp: Snp,
    /// Not in CCF's answer.
    pub manifests: Manifests,
    /// By kind of TEE, the lowest evaluation of a vendor's word that is taken: what most nodes have shown. Not in CCF's answer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub evaluations: BTreeMap<String, u32>,
    /// The script that is asked beside all this, if members set one. Not in CCF's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_join_policy: Option<String>,
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

/// What members approved, beside CCF's tables. A row that cannot be read approves nothing.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Manifests {
    pub code: Vec<Code>,
    pub tees: Vec<Tee>,
    pub roots: Vec<Root>,
}

/// Code that nodes may run, by its measurement in one kind of TEE.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Code {
    pub tee: String,
    /// The main one of its kind, in hexadecimal.
    pub measurement: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
    /// Further ones that the evidence must have, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measurements: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_data: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowest_svn: Option<u64>,
}

/// A kind of TEE that nodes may run in.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tee {
    pub tee: String,
    /// What its platforms must be beyond what is asked of all: a policy of `attestation`, of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_tcb: Option<Value>,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
}

/// Who may vouch for a kind of TEE, beside its vendor.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Root {
    pub tee: String,
    pub name: String,
    /// PEM; for Arm CCA a JSON web key, for Azure Attestation a set of them.
    pub root: String,
    /// Of AMD's: Milan, Genoa or Turin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Of Azure Attestation: its instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

impl Governance {
    #[must_use]
    pub fn manifests(&self, tx: &Tx<'_>) -> Manifests {
        Manifests {
            code: readable(tx, MANIFEST_CODE),
            tees: readable(tx, MANIFEST_TEE),
            roots: readable(tx, MANIFEST_ROOTS),
        }
    }

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
            manifests: self.manifests(tx),
            evaluations: self.evaluations(tx)?,
            node_join_policy: self.node_join_policy(tx)?,
        })
    }
}

fn readable<T: DeserializeOwned>(tx: &Tx<'_>, table: &str) -> Vec<T> {
    rows(tx, table).into_iter().filter_map(|(_, row)| serde_json::from_slice(&row).ok()).collect()
}
