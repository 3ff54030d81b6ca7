//! From version numbers to a status: which level a platform reaches, and what its parts make of that.

use super::date;
use super::document::{Component, Module, QeIdentity, SvnLevel, TcbInfo, TcbLevel};
use super::pck::Platform;
use super::report::{EnclaveReport, TdReport};
use crate::{Code, Refusal, Status};

/// A level that was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) status: Status,
    pub(super) advisories: Vec<String>,
    /// Seconds since 1970: the TCB was current then.
    pub(super) date: u64,
}

impl Reached {
    fn of(status: Status, advisories: &[String], date: &str) -> Result<Self, Refusal> {
        Ok(Self { status, advisories: advisories.to_vec(), date: date::seconds(date)? })
    }

    /// A part of the platform can only make the whole worse, and only by being out of date or revoked.
    pub(super) fn with_part(mut self, part: &Self) -> Self {
        self.status = converge(self.status, part.status);
        self.advisories.extend(part.advisories.iter().cloned());
        self.date = self.date.min(part.date);
        self
    }
}

fn converge(whole: Status, part: Status) -> Status {
    match (part, whole) {
        (Status::Revoked, _) => Status::Revoked,
        (Status::OutOfDate, Status::UpToDate | Status::SWHardeningNeeded) => Status::OutOfDate,
        (Status::OutOfDate, Status::ConfigurationNeeded | Status::ConfigurationAndSWHardeningNeeded) => {
            Status::OutOfDateConfigurationNeeded
        }
        _ => whole,
    }
}

/// A TD that was launched on an old module under which the module was updated since: a new launch would be up to date.
fn relaunch(launched: Status, current: Status) -> Status {
    let old = |status| matches!(status, Status::OutOfDate | Status::OutOfDateConfigurationNeeded);
    let configuration = |status| {
        matches!(
            status,
            Status::ConfigurationNeeded
                | Status::ConfigurationAndSWHardeningNeeded
                | Status::OutOfDateConfigurationNeeded
        )
    };
    match (old(launched), old(current)) {
        (true, false) if configuration(launched) || configuration(current) => {
            Status::TDRelaunchAdvisedConfigurationNeeded
        }
        (true, false) => Status::TDRelaunchAdvised,
        _ => launched,
    }
}

/// The status of an SGX platform.
pub(super) fn of_sgx(info: &TcbInfo, platform: &Platform, qe: &Reached) -> Result<Reached, Refusal> {
    let level = level(info, platform, None)?.with_part(qe);
    not_revoked(&level)?;
    Ok(level)
}

/// The status of a TDX platform: by the versions at launch, and by those now where the report has them.
pub(super) fn of_tdx(info: &TcbInfo, platform: &Platform, td: &TdReport, qe: &Reached) -> Result<Reached, Refusal> {
    let mut launched = at(info, platform, &td.tee_tcb_svn)?.with_part(qe);
    module(info, &td.tee_tcb_svn)?.check(td)?;
    not_revoked(&launched)?;
    if let Some(td15) = &td.td15 {
        let current = at(info, platform, &td15.tee_tcb_svn2)?.with_part(qe);
        not_revoked(&current)?;
        launched.status = relaunch(launched.status, current.status);
    }
    Ok(launched)
}

fn at(info: &TcbInfo, platform: &Platform, svn: &[u8; 16]) -> Result<Reached, Refusal> {
    let level = level(info, platform, Some(svn))?;
    match module(info, svn)?.levels {
        Some(levels) => Ok(level.with_part(&svn_level(levels, svn[0].into(), MODULE, Code::NoTcbLevel)?)),
        None => Ok(level),
    }
}

fn not_revoked(level: &Reached) -> Result<(), Refusal> {
    if level.status == Status::Revoked {
        return Err(Refusal::new(Code::StatusRevoked, "Intel has revoked this TCB level"));
    }
    Ok(())
}

/// The highest level that the platform reaches in every component.
fn level(info: &TcbInfo, platform: &Platform, td: Option<&[u8; 16]>) -> Result<Reached, Refusal> {
    let mut levels: Vec<&TcbLevel> = info.tcb_levels.iter().collect();
    levels.sort_by(|a, b| {
        let key = |level: &TcbLevel| (level.tcb.sgx, level.tcb.pcesvn, level.tcb.tdx.filter(|_| td.is_some()));
        key(b).cmp(&key(a))
    });
    let found = levels.into_iter().find(|level| reaches(level, platform, td));
    let Some(found) = found else {
        let text = format!("components {}, PCESVN {}", const_hex::encode(platform.components), platform.pcesvn);
        return Err(Refusal::new(Code::NoTcbLevel, text));
    };
    in_range(found.tcb_status, TCB_INFO, "TCB info")?;
    Reached::of(found.tcb_status, &found.advisory_ids, &found.tcb_date)
}

fn reaches(level: &TcbLevel, platform: &Platform, td: Option<&[u8; 16]>) -> bool {
    let all = |have: &[u8], need: &[Component]| have.iter().zip(need).all(|(have, need)| *have >= need.svn);
    let sgx = all(&platform.components, &level.tcb.sgx) && platform.pcesvn >= level.tcb.pcesvn;
    // A module with a version of its own is judged by its identity, not by the first two components.
    let tdx = td.is_none_or(|svn| {
        let skipped = if svn[1] == 0 { 0 } else { 2 };
        level.tcb.tdx.as_ref().is_some_and(|need| all(&svn[skipped..], &need[skipped..]))
    });
    sgx && tdx
}

/// Which statuses Intel gives in which document. Another one is an error of the document, whatever it is meant to say.
const TCB_INFO: &[Status] = &[
    Status::UpToDate,
    Status::OutOfDate,
    Status::ConfigurationNeeded,
    Status::Revoked,
    Status::OutOfDateConfigurationNeeded,
    Status::SWHardeningNeeded,
    Status::ConfigurationAndSWHardeningNeeded,
];
const MODULE: &[Status] = &[Status::UpToDate, Status::OutOfDate, Status::Revoked];
const QE: &[Status] = &[
    Status::UpToDate,
    Status::OutOfDate,
    Status::ConfigurationNeeded,
    Status::Revoked,
    Status::OutOfDateConfigurationNeeded,
];

fn in_range(status: Status, allowed: &[Status], document: &str) -> Result<(), Refusal> {
    if allowed.contains(&status) {
        return Ok(());
    }
    Err(Refusal::new(Code::BadEncoding, format!("{document} with the status {status}")))
}

/// The highest level that a single version reaches.
fn svn_level(levels: &[SvnLevel], svn: u16, allowed: &[Status], none: Code) -> Result<Reached, Refusal> {
    let reached = levels.iter().filter(|level| svn >= level.tcb.isvsvn).max_by_key(|level| level.tcb.isvsvn);
    let Some(level) = reached else {
        return Err(Refusal::new(none, format!("version {svn}")));
    };
    in_range(level.tcb_status, allowed, "an identity")?;
    Reached::of(level.tcb_status, &level.advisory_ids, &level.tcb_date)
}

/// What the TCB info says of the TDX module with these versions.
struct Expected<'a> {
    module: &'a Module,
    levels: Option<&'a [SvnLevel]>,
}

fn module<'a>(info: &'a TcbInfo, svn: &[u8; 16]) -> Result<Expected<'a>, Refusal> {
    let missing = |text: String| Refusal::new(Code::ModuleIdentityMissing, text);
    if svn[1] == 0 {
        let module = info.tdx_module.as_ref().ok_or_else(|| missing("the TCB info has no tdxModule".to_owned()))?;
        return Ok(Expected { module, levels: None });
    }
    let id = format!("TDX_{:02X}", svn[1]);
    let found = info.tdx_module_identities.iter().find(|identity| identity.id.eq_ignore_ascii_case(&id));
    let identity = found.ok_or_else(|| missing(id))?;
    Ok(Expected { module: &identity.module, levels: Some(&identity.tcb_levels) })
}

impl Expected<'_> {
    fn check(&self, td: &TdReport) -> Result<(), Refusal> {
        if td.mrsignerseam != self.module.mrsigner {
            return Err(Refusal::new(Code::MrSignerSeam, const_hex::encode(td.mrsignerseam)));
        }
        let given = u64::from_le_bytes(td.seam_attributes);
        let mask = u64::from_le_bytes(self.module.attributes_mask);
        if given != u64::from_le_bytes(self.module.attributes) & mask {
            return Err(Refusal::new(Code::SeamAttributes, format!("{given:016x}")));
        }
        Ok(())
    }
}

/// The quoting enclave against its identity, and the level that it reaches.
pub(super) fn of_qe(identity: &QeIdentity, report: &EnclaveReport) -> Result<Reached, Refusal> {
    if report.mrsigner != identity.mrsigner {
        return Err(Refusal::new(Code::QeMrsigner, const_hex::encode(report.mrsigner)));
    }
    if report.isvprodid != identity.isvprodid {
        return Err(Refusal::new(Code::QeProdId, report.isvprodid.to_string()));
    }
    let masked = |bytes: u128, mask: u128| bytes & mask;
    let miscselect_mask = u32::from_le_bytes(identity.miscselect_mask);
    let mask = u128::from_le_bytes(identity.attributes_mask);
    let attributes = u128::from_le_bytes(report.attributes);
    if report.miscselect & miscselect_mask != u32::from_le_bytes(identity.miscselect) & miscselect_mask
        || masked(attributes, mask) != masked(u128::from_le_bytes(identity.attributes), mask)
    {
        let text = format!("attributes {attributes:032x}, miscselect {:08x}", report.miscselect);
        return Err(Refusal::new(Code::QeAttributes, text));
    }
    if report.debug() {
        return Err(Refusal::new(Code::QeDebug, format!("attributes {attributes:032x}")));
    }
    svn_level(&identity.tcb_levels, report.isvsvn, QE, Code::QeIsvSvn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_makes_the_whole_worse_by_being_out_of_date_or_revoked_only() {
        use Status::*;
        for whole in Status::ALL {
            for part in [UpToDate, ConfigurationNeeded, SWHardeningNeeded] {
                assert_eq!(converge(whole, part), whole);
            }
            assert_eq!(converge(whole, Revoked), Revoked);
        }
        assert_eq!(converge(UpToDate, OutOfDate), OutOfDate);
        assert_eq!(converge(SWHardeningNeeded, OutOfDate), OutOfDate);
        assert_eq!(converge(ConfigurationNeeded, OutOfDate), OutOfDateConfigurationNeeded);
        assert_eq!(converge(ConfigurationAndSWHardeningNeeded, OutOfDate), OutOfDateConfigurationNeeded);
    }

    #[test]
    fn a_relaunch_is_advised_where_the_launch_was_old_and_today_is_not() {
        use Status::*;
        assert_eq!(relaunch(OutOfDate, UpToDate), TDRelaunchAdvised);
        assert_eq!(relaunch(OutOfDate, SWHardeningNeeded), TDRelaunchAdvised);
        assert_eq!(relaunch(OutOfDate, ConfigurationNeeded), TDRelaunchAdvisedConfigurationNeeded);
        assert_eq!(relaunch(OutOfDateConfigurationNeeded, UpToDate), TDRelaunchAdvisedConfigurationNeeded);
        assert_eq!(relaunch(OutOfDate, OutOfDate), OutOfDate);
        assert_eq!(relaunch(UpToDate, OutOfDate), UpToDate);
        assert_eq!(relaunch(SWHardeningNeeded, UpToDate), SWHardeningNeeded);
    }
}
