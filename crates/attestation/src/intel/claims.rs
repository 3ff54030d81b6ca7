//! What a verified quote says.

use super::pck::Platform;
use super::quote::{Body, Quote};
use super::report::{EnclaveReport, TdReport, td_attributes};
use super::tcb::Reached;
use crate::{Bytes, Claims, Kind};

/// Details of every quote: "quote-version", "pceid", "ppid", "sgx-type", "dynamic-platform", "cached-keys", "smt" (where the
/// certificate says so), "platform-instance", "qe-svn", "qe-status", "tcb-date", "verified-at" (seconds since 1970).
pub(super) fn of(
    quote: &Quote<'_>,
    platform: &Platform,
    qe: &Reached,
    level: &Reached,
    evaluation: u32,
    now: u64,
) -> Claims {
    let mut claims = body(quote);
    claims.platform = Some(const_hex::encode(platform.fmspc));
    claims.status = Some(level.status);
    claims.advisories = level.advisories.iter().cloned().collect();
    claims.evaluation = Some(evaluation);
    for (number, svn) in (1..).zip(platform.components) {
        claims.tcb.insert(format!("sgx-{number:02}"), svn.into());
    }
    claims.tcb.insert("pce".to_owned(), platform.pcesvn.into());
    claims.tell("pceid", &platform.pceid[..]);
    claims.tell("ppid", &platform.ppid[..]);
    claims.tell("cpusvn", &platform.cpusvn[..]);
    claims.tell("sgx-type", platform.sgx_type);
    let flags =
        [("dynamic-platform", platform.dynamic_platform), ("cached-keys", platform.cached_keys), ("smt", platform.smt)];
    for (name, flag) in flags {
        if let Some(flag) = flag {
            claims.tell(name, flag);
        }
    }
    if let Some(instance) = &platform.instance {
        claims.tell("platform-instance", &instance[..]);
    }
    claims.tell("qe-svn", u64::from(quote.qe_report.isvsvn));
    claims.tell("qe-status", qe.status.to_string());
    claims.tell("tcb-date", level.date);
    claims.tell("verified-at", now);
    claims
}

/// What the report says, whoever vouches for it.
pub(super) fn body(quote: &Quote<'_>) -> Claims {
    let mut claims = match &quote.body {
        Body::Sgx(report) => of_enclave(quote, report),
        Body::Tdx(report) => of_td(quote, report),
    };
    claims.tell("quote-version", u64::from(quote.version));
    claims
}

/// The product number is among the measurements, so that a manifest can name signer and product. Further details: "configsvn", "miscselect", "attributes", "familyid", "extprodid".
fn of_enclave(quote: &Quote<'_>, report: &EnclaveReport) -> Claims {
    let mut claims = Claims::new(Kind::Sgx, crypto::sha256(quote.bytes), &report.report_data);
    claims.measure("mrenclave", &report.mrenclave);
    claims.measure("mrsigner", &report.mrsigner);
    claims.measure("isvprodid", &report.isvprodid.to_be_bytes());
    claims.host_data = Some(Bytes::from(&report.configid[..]));
    claims.debug = report.debug();
    claims.svn = Some(report.isvsvn.into());
    claims.tell("configsvn", u64::from(report.configsvn));
    claims.tell("miscselect", u64::from(report.miscselect));
    claims.tell("attributes", &report.attributes[..]);
    claims.tell("familyid", &report.familyid[..]);
    claims.tell("extprodid", &report.extprodid[..]);
    claims
}

/// Further details: "attributes", "xfam", "seam-attributes"; "tee-tcb-svn2" from TDX 1.5 on; "td-id", "vmid", "dev-info" in 1.5ex.
fn of_td(quote: &Quote<'_>, report: &TdReport) -> Claims {
    let mut claims = Claims::new(Kind::Tdx, crypto::sha256(quote.bytes), &report.report_data);
    claims.measure("mrtd", &report.mrtd);
    for (index, rtmr) in report.rtmr.iter().enumerate() {
        claims.measure(&format!("rtmr{index}"), rtmr);
    }
    claims.measure("mrseam", &report.mrseam);
    claims.measure("mrsignerseam", &report.mrsignerseam);
    claims.measure("mrowner", &report.mrowner);
    claims.measure("mrownerconfig", &report.mrownerconfig);
    claims.host_data = Some(Bytes::from(&report.mrconfigid[..]));
    claims.debug = report.attributes & td_attributes::DEBUG != 0;
    for (number, svn) in report.tee_tcb_svn.iter().enumerate() {
        claims.tcb.insert(format!("tdx-{number:02}"), (*svn).into());
    }
    claims.tell("attributes", report.attributes);
    claims.tell("xfam", report.xfam);
    claims.tell("seam-attributes", &report.seam_attributes[..]);
    if let Some(td15) = &report.td15 {
        claims.tell("tee-tcb-svn2", &td15.tee_tcb_svn2[..]);
    }
    if let Some(ex) = &report.td15ex {
        claims.tell("td-id", &ex.td_id[..]);
        claims.tell("vmid", u64::from(ex.vmid));
        claims.tell("dev-info", &ex.dev_info[..]);
    }
    claims
}
