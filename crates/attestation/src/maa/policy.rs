//! What a service asks of a token.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Claims, Code, Refusal, json, limits};

/// The defaults accept no token: no policy of the service is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// What may be attested: "sgx", "sevsnpvm", "tdxvm", "azurevm".
    pub types: BTreeSet<String>,
    /// What a machine with a virtual TPM ("azurevm") may run on.
    pub isolation: BTreeSet<String>,
    /// Policies of the service under which tokens count, as tokens name them (base64url of SHA-256).
    pub policy_hashes: BTreeSet<String>,
    /// Members that the runtime data must have, for instance a nonce or a key.
    pub runtime: BTreeMap<String, Value>,
}

/// A machine, not a TEE by itself: it must say what isolates it.
const AZURE_VM: &str = "azurevm";

impl Default for Policy {
    fn default() -> Self {
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            types: all(&["sgx", "sevsnpvm", "tdxvm", AZURE_VM]),
            isolation: all(&["sevsnpvm", "tdxvm"]),
            policy_hashes: BTreeSet::new(),
            runtime: BTreeMap::new(),
        }
    }
}

/// The part of the policy that only this kind has.
pub(crate) fn policy(claims: &Claims, policy: &Policy) -> Result<(), Refusal> {
    let kind = claims.text("attestation-type").unwrap_or("none");
    if !policy.types.contains(kind) {
        return Err(Refusal::new(Code::MaaType, format!("\"{kind}\"")));
    }
    let isolation = claims.text("isolation-type").ok();
    let isolated = match isolation {
        Some(isolation) => policy.isolation.contains(isolation),
        None => kind != AZURE_VM,
    };
    if !isolated {
        return Err(Refusal::new(Code::MaaNestedType, format!("\"{}\"", isolation.unwrap_or("none"))));
    }
    if claims.debug || !claims.details.contains_key("debug-known") {
        return Err(Refusal::new(Code::MaaDebuggable, if claims.debug { "it says so" } else { "it says nothing" }));
    }
    let hash = claims.text("policy-hash").unwrap_or("none");
    if !policy.policy_hashes.contains(hash) {
        return Err(Refusal::new(Code::MaaPolicyHash, hash));
    }
    runtime(claims, policy)
}

fn runtime(claims: &Claims, policy: &Policy) -> Result<(), Refusal> {
    if policy.runtime.is_empty() {
        return Ok(());
    }
    let text = claims.text("runtime").unwrap_or("{}");
    let runtime: Value = json::parse(text.as_bytes(), limits::JWT_BYTES, "runtime data")?;
    match policy.runtime.iter().find(|(name, wanted)| runtime.get(name.as_str()) != Some(wanted)) {
        None => Ok(()),
        Some((name, _)) => Err(Refusal::new(Code::MaaRuntime, format!("\"{name}\" of the runtime data"))),
    }
}
