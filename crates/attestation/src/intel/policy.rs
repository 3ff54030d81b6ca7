//! What a service asks of an Intel platform, beyond code, debug and binding.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::report::td_attributes;
use crate::{Claims, Code, Kind, Refusal, Status};

/// The default allows an up-to-date platform in any configuration, and no optional feature of a TD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// TCB statuses that are allowed whenever.
    pub statuses: BTreeSet<Status>,
    /// Further statuses, each for so many seconds after the date of the platform's TCB level.
    pub grace: BTreeMap<Status, u64>,
    /// Advisories of which none may apply.
    pub denied_advisories: BTreeSet<String>,
    /// The highest evaluation number that was seen where it counts: older collateral is a rollback.
    pub lowest_evaluation: u32,
    pub allow_dynamic_platform: bool,
    pub allow_cached_keys: bool,
    pub allow_smt: bool,
    /// Bits of the TD attributes that may be set; `DEBUG` is refused in any case.
    pub td_attributes: u64,
    /// The extended features that a TD must have, exactly; `None` allows any.
    pub xfam: Option<u64>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            statuses: BTreeSet::from([Status::UpToDate]),
            grace: BTreeMap::new(),
            denied_advisories: BTreeSet::new(),
            lowest_evaluation: 0,
            allow_dynamic_platform: true,
            allow_cached_keys: true,
            allow_smt: true,
            td_attributes: td_attributes::SEPT_VE_DISABLE | td_attributes::LASS,
            xfam: None,
        }
    }
}

/// In this order: rollback, advisories, status, configuration, features.
pub(crate) fn policy(claims: &Claims, policy: &Policy) -> Result<(), Refusal> {
    if claims.evaluation.is_none_or(|evaluation| evaluation < policy.lowest_evaluation) {
        let text = format!("evaluation {:?}, {} was seen", claims.evaluation, policy.lowest_evaluation);
        return Err(Refusal::new(Code::LowEvaluation, text));
    }
    if let Some(advisory) = claims.advisories.intersection(&policy.denied_advisories).next() {
        return Err(Refusal::new(Code::DeniedAdvisory, advisory));
    }
    status(claims, policy)?;
    configuration(claims, policy)?;
    if claims.kind == Kind::Tdx { features(claims, policy) } else { Ok(()) }
}

fn status(claims: &Claims, policy: &Policy) -> Result<(), Refusal> {
    let Some(status) = claims.status else {
        return Err(Refusal::new(Code::ClaimMissing, "the claims have no TCB status"));
    };
    if status == Status::Revoked {
        return Err(Refusal::new(status.code(), "a revoked platform is never accepted"));
    }
    if policy.statuses.contains(&status) {
        return Ok(());
    }
    let in_grace = match policy.grace.get(&status) {
        Some(seconds) => claims.number("tcb-date")?.saturating_add(*seconds) >= claims.number("verified-at")?,
        None => false,
    };
    if in_grace {
        return Ok(());
    }
    let advisories: Vec<&str> = claims.advisories.iter().map(String::as_str).collect();
    Err(Refusal::new(status.code(), format!("not allowed; advisories: {}", advisories.join(", "))))
}

/// A certificate of the Processor CA says nothing of these, and then they are not so.
fn configuration(claims: &Claims, policy: &Policy) -> Result<(), Refusal> {
    let flags = [
        ("dynamic-platform", policy.allow_dynamic_platform),
        ("cached-keys", policy.allow_cached_keys),
        ("smt", policy.allow_smt),
    ];
    for (name, allowed) in flags {
        if !allowed && claims.details.contains_key(name) && claims.flag(name)? {
            return Err(Refusal::new(Code::PlatformFlag, name));
        }
    }
    Ok(())
}

fn features(claims: &Claims, policy: &Policy) -> Result<(), Refusal> {
    let attributes = claims.number("attributes")? & !td_attributes::DEBUG;
    if attributes & !policy.td_attributes != 0 {
        let text = format!("attributes {attributes:016x}, allowed {:016x}", policy.td_attributes);
        return Err(Refusal::new(Code::TdAttributes, text));
    }
    let xfam = claims.number("xfam")?;
    if policy.xfam.is_some_and(|wanted| wanted != xfam) {
        return Err(Refusal::new(Code::TdAttributes, format!("XFAM {xfam:016x}")));
    }
    Ok(())
}
