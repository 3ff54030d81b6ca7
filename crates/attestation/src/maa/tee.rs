//! What the service saw of the TEE, by the names of each kind.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::malformed;
use crate::{Bytes, Claims, Code, Refusal};

/// Where a kind's claims stand.
struct Names {
    measurements: &'static [(&'static str, &'static str)],
    report_data: &'static str,
    host_data: Option<&'static str>,
    svn: Option<&'static str>,
    debug: &'static [&'static str],
}

const SGX: Names = Names {
    measurements: &[("mrenclave", "x-ms-sgx-mrenclave"), ("mrsigner", "x-ms-sgx-mrsigner")],
    report_data: "x-ms-sgx-report-data",
    host_data: None,
    svn: Some("x-ms-sgx-svn"),
    // The second is an older name that a policy of the instance may still issue.
    debug: &["x-ms-sgx-is-debuggable", "is-debuggable"],
};

const SNP: Names = Names {
    measurements: &[("measurement", "x-ms-sevsnpvm-launchmeasurement")],
    report_data: "x-ms-sevsnpvm-reportdata",
    host_data: Some("x-ms-sevsnpvm-hostdata"),
    svn: Some("x-ms-sevsnpvm-guestsvn"),
    debug: &["x-ms-sevsnpvm-is-debuggable"],
};

const TDX: Names = Names {
    measurements: &[
        ("mrtd", "tdx_mrtd"),
        ("rtmr0", "tdx_rtmr0"),
        ("rtmr1", "tdx_rtmr1"),
        ("rtmr2", "tdx_rtmr2"),
        ("rtmr3", "tdx_rtmr3"),
    ],
    report_data: "tdx_report_data",
    host_data: None,
    svn: None,
    debug: &["tdx_td_attributes_debug"],
};

/// Adds what `object` says to the claims. A nested object speaks for the machine as a whole.
pub(super) fn tell(object: &Map<String, Value>, claims: &mut Claims) -> Result<(), Refusal> {
    for names in [&SGX, &SNP, &TDX] {
        for (name, field) in names.measurements {
            if let Some(value) = hex(object, field)? {
                claims.measure(name, &value.0);
            }
        }
        if let Some(report_data) = hex(object, names.report_data)? {
            claims.report_data = report_data;
        }
        if let Some(host_data) = names.host_data.map(|field| hex(object, field)).transpose()?.flatten() {
            claims.host_data = Some(host_data);
        }
        if let Some(field) = names.svn
            && let Some(svn) = object.get(field)
        {
            claims.svn = Some(svn.as_u64().ok_or_else(|| malformed(field))?);
        }
        for field in names.debug {
            if let Some(flag) = object.get(*field) {
                claims.debug |= flag.as_bool().ok_or_else(|| malformed(field))?;
                claims.tell("debug-known", true);
            }
        }
    }
    if let Some(product) = object.get("x-ms-sgx-product-id").and_then(Value::as_u64) {
        claims.tell("product-id", product);
    }
    let collateral = object.get("x-ms-sgx-collateral").and_then(Value::as_object);
    if let Some(hash) = collateral.map(|collateral| hex(collateral, "quotehash")).transpose()?.flatten() {
        claims.tell("quote-hash", hash.as_ref());
    }
    held_data(object, claims)
}

/// What the enclave holds is what its report data hashes.
fn held_data(object: &Map<String, Value>, claims: &Claims) -> Result<(), Refusal> {
    let Some(held) = object.get("x-ms-sgx-ehd") else { return Ok(()) };
    let held = held.as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let hash = crypto::sha256(&held.ok_or_else(|| malformed("x-ms-sgx-ehd"))?).0;
    if claims.report_data.0.starts_with(&hash) {
        return Ok(());
    }
    Err(Refusal::new(Code::MaaRuntime, "x-ms-sgx-ehd is not what the report data hashes"))
}

fn hex(object: &Map<String, Value>, field: &str) -> Result<Option<Bytes>, Refusal> {
    let Some(value) = object.get(field) else { return Ok(None) };
    let bytes = value.as_str().and_then(|text| const_hex::decode(text).ok());
    bytes.map(|bytes| Some(Bytes(bytes))).ok_or_else(|| malformed(field))
}
