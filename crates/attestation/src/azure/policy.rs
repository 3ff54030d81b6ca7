//! What a service asks of an Azure machine.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Claims, Code, Kind, Refusal, amd, intel};

/// The defaults are those of production.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Of the paravisor's report.
    pub snp: amd::Policy,
    /// Of the paravisor's TD quote.
    pub intel: intel::Policy,
    pub require_secure_boot: bool,
    /// A console lets the host type into the guest. Every recorded machine has one.
    pub allow_console: bool,
    /// The quote must cover these PCRs; which values they may have is the manifest's business.
    pub pcrs: BTreeSet<u8>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            snp: amd::Policy::default(),
            intel: intel::Policy::default(),
            require_secure_boot: true,
            allow_console: false,
            // Firmware, boot loader, kernel and their settings.
            pcrs: (0..8).collect(),
        }
    }
}

/// The part of the policy that only this kind has.
pub(crate) fn policy(claims: &Claims, policy: &Policy) -> Result<(), Refusal> {
    hardware(claims, policy)?;
    if let Some(pcr) = policy.pcrs.iter().find(|pcr| !claims.measurements.contains_key(&format!("pcr{pcr}"))) {
        return Err(Refusal::new(Code::VtpmPcrSelection, format!("PCR {pcr} is not quoted")));
    }
    if policy.require_secure_boot && !claims.flag("secure-boot")? {
        return Err(Refusal::new(Code::VtpmSecureBoot, "by the runtime claims"));
    }
    if !policy.allow_console && claims.flag("console-enabled")? {
        return Err(Refusal::new(Code::VtpmConsole, "by the runtime claims"));
    }
    Ok(())
}

/// The hardware's policy sees the hardware's claims.
fn hardware(claims: &Claims, policy: &Policy) -> Result<(), Refusal> {
    let of = |kind| Claims { kind, ..claims.clone() };
    if claims.text("hardware")? == Kind::SevSnp.name() {
        return amd::policy(&of(Kind::SevSnp), &policy.snp);
    }
    intel::policy(&of(Kind::Tdx), &policy.intel)
}
