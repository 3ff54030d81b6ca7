//! What a service asks of an enclave and of the Windows below it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Claims, Code, Refusal};

/// The defaults are those of production. Which boot chain is right is the manifest's business, by PCRs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    pub require_secure_boot: bool,
    /// The quote must cover these.
    pub pcrs: BTreeSet<u8>,
    pub lowest_secure_kernel_svn: u64,
    pub lowest_platform_svn: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            require_secure_boot: true,
            // Firmware, boot loader, secure boot, and what Windows measures of itself.
            pcrs: [0, 2, 4, 7, 11, 12, 13].into(),
            lowest_secure_kernel_svn: 0,
            lowest_platform_svn: 0,
        }
    }
}

const FLAGS: [(u64, Code); 3] = [(1, Code::VbsFullDebug), (2, Code::VbsDynamicDebug), (4, Code::VbsDynamicDebugActive)];

/// The part of the policy that only this kind has.
pub(crate) fn policy(claims: &Claims, policy: &Policy) -> Result<(), Refusal> {
    let flags = claims.number("flags")?;
    if let Some((_, code)) = FLAGS.into_iter().find(|(flag, _)| flags & flag != 0) {
        return Err(Refusal::new(code, format!("flags {flags:#x}")));
    }
    boot(claims, policy)?;
    let lowest = [("secure-kernel-svn", policy.lowest_secure_kernel_svn), ("platform-svn", policy.lowest_platform_svn)];
    for (name, lowest) in lowest {
        let found = claims.number(name)?;
        if found < lowest {
            return Err(Refusal::new(Code::LowSvn, format!("{name} {found}, at least {lowest}")));
        }
    }
    Ok(())
}

/// Debugging below the enclave, or drivers of anybody's, are as bad as debugging it.
fn boot(claims: &Claims, policy: &Policy) -> Result<(), Refusal> {
    if let Some(pcr) = policy.pcrs.iter().find(|pcr| !claims.measurements.contains_key(&format!("pcr{pcr}"))) {
        return Err(Refusal::new(Code::VtpmPcrSelection, format!("PCR {pcr} is not quoted")));
    }
    if policy.require_secure_boot && !claims.flag("secure-boot")? {
        return Err(Refusal::new(Code::VtpmSecureBoot, "by the boot log"));
    }
    for name in ["boot-debugging", "kernel-debugging", "hypervisor-debugging", "test-signing"] {
        if claims.flag(name).unwrap_or(false) {
            return Err(Refusal::new(Code::DebugBit, format!("{name} is on in the boot log")));
        }
    }
    Ok(())
}
