//! What a service asks of an SEV-SNP guest, on claims alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Product, RawTcb};
use crate::{Bytes, Claims, Code, Refusal};

/// The defaults are those of production.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Of the report. Before 3 a report does not say what processor it is of.
    pub lowest_version: u64,
    /// A key that AMD gave to a cloud may sign in place of the chip's.
    pub allow_vlek: bool,
    /// SHA-384 of the author key that must have signed the guest's identity; without one, no author key is allowed.
    pub author_key: Option<Bytes>,
    /// 0 is the most privileged level: below it, something else in the guest can ask for reports.
    pub highest_vmpl: u64,
    /// The lowest TCB by platform (CPUID in hexadecimal), part by part. A platform without a line is refused.
    pub lowest_tcb: BTreeMap<String, BTreeMap<String, u64>>,
    /// AMD's revocation list must be among the endorsements.
    pub require_crl: bool,
    /// Who may vouch for measurements. An endorsement by anybody else is refused, even if nothing would depend on it.
    pub endorsers: Vec<Endorser>,
}

/// Who may vouch for which measurements, since which release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endorser {
    /// A DID of method x509.
    pub issuer: String,
    pub feed: String,
    pub lowest_svn: u64,
}

impl Endorser {
    /// Microsoft, for the utility VM of confidential containers on Azure; 100 is the first release that CCF trusts.
    pub fn azure_containers() -> Self {
        Self {
            issuer: "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2"
                .to_owned(),
            feed: "ContainerPlat-AMD-UVM".to_owned(),
            lowest_svn: 100,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        let mut policy = Self {
            lowest_version: 3,
            allow_vlek: false,
            author_key: None,
            highest_vmpl: 0,
            lowest_tcb: BTreeMap::new(),
            require_crl: false,
            endorsers: vec![Endorser::azure_containers()],
        };
        for (platform, tcb) in LOWEST_TCB {
            policy.set_lowest_tcb(platform, tcb).expect("the table below names platforms and TCBs that are known");
        }
        policy
    }
}

/// As CCF sets them out: Milan, Genoa. A Turin needs a line of the operator's.
const LOWEST_TCB: [(&str, &str); 2] = [("00a00f11", "d315000000000004"), ("00a10f11", "541700000000000a")];

impl Policy {
    /// Sets a platform's line, both as CCF's proposals write them: "00a00f11", "d315000000000004".
    pub fn set_lowest_tcb(&mut self, platform: &str, tcb: &str) -> Result<(), Refusal> {
        let product =
            Product::of_platform(platform).ok_or_else(|| Refusal::new(Code::SnpCpuid, format!("\"{platform}\"")))?;
        let tcb = RawTcb::of_hex(tcb).filter(|tcb| tcb.is_laid_out_for(product));
        let tcb = tcb.ok_or_else(|| Refusal::new(Code::SnpLayout, format!("no TCB of {}", product.name())))?;
        let parts = tcb.parts(product).named().map(|(part, version)| (part.to_owned(), u64::from(version)));
        self.lowest_tcb.insert(platform.to_owned(), parts.collect());
        Ok(())
    }
}

/// The part of the policy that only this kind has.
pub(crate) fn policy(claims: &Claims, policy: &Policy) -> Result<(), Refusal> {
    report(claims, policy)?;
    guest(claims, policy)?;
    tcb(claims, policy)?;
    if policy.require_crl && !claims.flag("crl-checked")? {
        return Err(Refusal::new(Code::CrlMissing, "the ARK's revocation list"));
    }
    endorsement(claims, policy)
}

fn report(claims: &Claims, policy: &Policy) -> Result<(), Refusal> {
    let version = claims.number("version")?;
    if version < policy.lowest_version {
        return Err(Refusal::new(Code::SnpVersionLow, format!("{version}, at least {}", policy.lowest_version)));
    }
    if claims.text("signing-key")? != "vcek" && !policy.allow_vlek {
        return Err(Refusal::new(Code::SnpVlek, "a cloud's key signed"));
    }
    let enabled = claims.flag("author-key")?;
    let expected = match &policy.author_key {
        None => !enabled,
        Some(digest) => enabled && claims.bytes("author-key-digest")? == digest.as_ref(),
    };
    if !expected {
        return Err(Refusal::new(Code::SnpAuthorKey, format!("author key in use: {enabled}")));
    }
    Ok(())
}

fn guest(claims: &Claims, policy: &Policy) -> Result<(), Refusal> {
    if claims.debug {
        return Err(Refusal::new(Code::SnpDebugPolicy, format!("{:#x}", claims.number("policy")?)));
    }
    if claims.flag("migration-agent")? {
        return Err(Refusal::new(Code::SnpMigrationAgent, format!("{:#x}", claims.number("policy")?)));
    }
    let vmpl = claims.number("vmpl")?;
    if vmpl > policy.highest_vmpl {
        let code = match vmpl {
            1 => Code::SnpVmpl1,
            2 => Code::SnpVmpl2,
            _ => Code::SnpVmpl3,
        };
        return Err(Refusal::new(code, format!("VMPL {vmpl}, at most {}", policy.highest_vmpl)));
    }
    Ok(())
}

/// The committed TCB counts too: the firmware can go back to it without the guest's notice.
fn tcb(claims: &Claims, policy: &Policy) -> Result<(), Refusal> {
    let platform = claims.platform.as_deref().unwrap_or("unknown");
    let Some(lowest) = policy.lowest_tcb.get(platform) else {
        return Err(Refusal::new(Code::SnpReportedTcb, format!("the policy has no line for platform {platform}")));
    };
    for (part, lowest) in lowest {
        let reported = claims.tcb.get(part).copied();
        if reported.is_none_or(|reported| reported < *lowest) {
            return Err(Refusal::new(Code::SnpReportedTcb, format!("{part} {reported:?}, at least {lowest}")));
        }
    }
    for (part, lowest) in lowest {
        let committed = claims.number(&format!("committed-{part}"))?;
        if committed < *lowest {
            return Err(Refusal::new(Code::SnpCommittedTcb, format!("{part} {committed}, at least {lowest}")));
        }
    }
    Ok(())
}

fn endorsement(claims: &Claims, policy: &Policy) -> Result<(), Refusal> {
    if !claims.measurements.contains_key("uvm") {
        return Ok(());
    }
    let (issuer, feed, svn) = (claims.text("uvm-issuer")?, claims.text("uvm-feed")?, claims.number("uvm-svn")?);
    let of_issuer: Vec<_> = policy.endorsers.iter().filter(|endorser| endorser.issuer == issuer).collect();
    if of_issuer.is_empty() {
        return Err(Refusal::new(Code::UvmIssuer, issuer));
    }
    let of_feed: Vec<_> = of_issuer.into_iter().filter(|endorser| endorser.feed == feed).collect();
    if of_feed.is_empty() {
        return Err(Refusal::new(Code::UvmFeed, feed));
    }
    if !of_feed.iter().any(|endorser| svn >= endorser.lowest_svn) {
        return Err(Refusal::new(Code::UvmSvn, format!("release {svn}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_set_as_proposals_write_it() {
        let mut policy = Policy::default();
        assert_eq!(policy.lowest_tcb["00a00f11"]["microcode"], 0xd3);
        assert_eq!(policy.lowest_tcb["00a10f11"]["bootloader"], 0x0a);
        policy.set_lowest_tcb("00b00f21", "5100000004030201").unwrap();
        let turin = [("fmc", 1), ("bootloader", 2), ("tee", 3), ("snp", 4), ("microcode", 0x51)];
        assert_eq!(policy.lowest_tcb["00b00f21"], turin.map(|(part, version)| (part.to_owned(), version)).into());
        let code = |platform: &str, tcb: &str| policy.clone().set_lowest_tcb(platform, tcb).unwrap_err().code;
        assert_eq!(code("00c00f11", "d315000000000004"), Code::SnpCpuid);
        assert_eq!(code("a00f11", "d315000000000004"), Code::SnpCpuid);
        assert_eq!(code("00a00f11", "5100000004030201"), Code::SnpLayout);
        assert_eq!(code("00a00f11", "d3"), Code::SnpLayout);
    }
}
