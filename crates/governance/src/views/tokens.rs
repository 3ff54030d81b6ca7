//! Issuers of tokens, their keys, and the authorities behind them.

use std::collections::BTreeMap;

use kv::Tx;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{all, camel_case};
use crate::tables::JWT_KEYS;
use crate::{Governance, Refusal};

/// Issuers of tokens, as clients are told of them.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    pub issuers: BTreeMap<String, Issuer>,
    /// By key id.
    pub keys: BTreeMap<String, Value>,
    /// PEM, by name.
    pub ca_cert_bundles: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct Issuer {
    #[serde(default)]
    pub auto_refresh: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_cert_bundle_name: Option<String>,
}

impl Governance {
    pub fn tokens(&self, tx: &Tx<'_>) -> Result<Tokens, Refusal> {
        let keys = all::<Value>(tx, JWT_KEYS)?;
        Ok(Tokens {
            issuers: all(tx, "public:ccf.gov.jwt.issuers")?.into_iter().collect(),
            keys: keys.into_iter().map(|(kid, entries)| (kid, camel_case(entries))).collect(),
            ca_cert_bundles: all(tx, "public:ccf.gov.tls.ca_cert_bundles")?.into_iter().collect(),
        })
    }
}
