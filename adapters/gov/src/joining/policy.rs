//! What members ask of a node's evidence: their manifests, and CCF's tables, as a policy of the verifier.
//!
//! The manifests: a kind of TEE counts while its row in the TEE manifest stands, and then the code manifest's rows for it do. CCF's
//! tables stand for themselves: they are written for SGX, SEV-SNP and virtual nodes only. A SEV-SNP guest that they
//! let in has host data in their table, and a measurement in it too, unless an endorsement of a listed issuer and feed
//! came with it.

use std::collections::BTreeMap;

use attestation::amd::{self, Endorser};
use attestation::{Bytes, Claims, CodeEntry, Kind, Policy};
use governance::Refusal;
use governance::views::{Code, JoinPolicy, Tee};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// How members' rows name a kind.
pub fn tee_of(kind: Kind) -> &'static str {
    match kind {
        Kind::SevSnp => "snp",
        Kind::ArmCca => "cca",
        Kind::AzureVtpm => "vtpm",
        kind => kind.name(),
    }
}

/// What a row of the code manifest calls the measurement: what the platform measures first of what its owner brings.
const MAIN: [(Kind, &[&str]); 9] = [
    (Kind::SevSnp, &["measurement"]),
    (Kind::Tdx, &["mrtd"]),
    (Kind::Sgx, &["mrenclave"]),
    (Kind::Nitro, &["pcr0"]),
    (Kind::ArmCca, &["rim"]),
    (Kind::AzureVtpm, &["pcr4"]),
    (Kind::Maa, &["mrenclave", "measurement", "mrtd"]),
    (Kind::Vbs, &["unique-id"]),
    (Kind::Virtual, &["code"]),
];

/// What tells a paravisor: of SEV-SNP, of whoever endorsed it, of TDX.
const OF_PARAVISORS: [&str; 3] = ["measurement", "uvm", "mrtd"];

/// The main measurement of what runs, with its name.
pub fn main_measurement(claims: &Claims) -> Option<(&'static str, &Bytes)> {
    let (_, names) = MAIN.iter().find(|(kind, _)| *kind == claims.kind)?;
    names.iter().find_map(|name| Some((*name, claims.measurements.get(*name)?)))
}

/// The policy for evidence with such claims, at a time (milliseconds since 1970).
pub fn policy(claims: &Claims, rows: &JoinPolicy, now: u64) -> Result<Policy, Refusal> {
    let stands = |expires: Option<u64>| expires.is_none_or(|expires| expires > now);
    let tee = tee_of(claims.kind);
    let row = rows.manifests.tees.iter().find(|row| row.tee == tee && stands(row.expires));
    let code = rows.manifests.code.iter().filter(|code| row.is_some() && code.tee == tee && stands(code.expires));
    let mut manifest: Vec<CodeEntry> = code.filter_map(|code| entry(claims, code)).collect();
    manifest.extend(of_ccf(claims, rows));
    if row.is_none() && manifest.is_empty() && claims.kind != Kind::Virtual {
        let message =
            format!("Members let no node in that runs in {tee}: the TEE manifest has no row for it that stands.");
        return Err(Refusal::InvalidQuote(message));
    }
    let allow_virtual = row.is_some() || !rows.no_tee.measurements.is_empty();
    let mut policy = Policy { manifest, allow_virtual, ..Policy::default() };
    if let Some(row) = row {
        set_platform(&mut policy, claims.kind, row)?;
    }
    let shown = rows.evaluations.get(tee).copied().unwrap_or(0);
    for intel in [&mut policy.intel, &mut policy.azure_vtpm.intel] {
        intel.lowest_evaluation = intel.lowest_evaluation.max(shown);
    }
    set_snp(&mut policy.snp, rows, row)?;
    Ok(policy)
}

/// An entry whose row cannot be read as one approves nothing.
fn entry(claims: &Claims, code: &Code) -> Option<CodeEntry> {
    let bytes = |hex: &str| const_hex::decode(hex).ok();
    let (main, _) = main_measurement(claims)?;
    let mut measurements = BTreeMap::from([(main.to_owned(), Bytes(bytes(&code.measurement)?))]);
    for (name, hex) in code.measurements.iter().flatten() {
        if measurements.insert(name.clone(), Bytes(bytes(hex)?)).is_some() {
            return None;
        }
    }
    // Registers that a paravisor of anybody's reports say nothing.
    if claims.kind == Kind::AzureVtpm && !OF_PARAVISORS.iter().any(|name| measurements.contains_key(*name)) {
        return None;
    }
    let host_data = match &code.host_data {
        Some(hex) => Some(Bytes(bytes(hex)?)),
        None => None,
    };
    Some(CodeEntry { kind: claims.kind, measurements, host_data, lowest_svn: code.lowest_svn })
}

fn of_ccf(claims: &Claims, rows: &JoinPolicy) -> Vec<CodeEntry> {
    let kind = claims.kind;
    let entries = |name: &str, measurements: &[String], host_data: Option<Bytes>| -> Vec<CodeEntry> {
        let decoded = measurements.iter().filter_map(|hex| const_hex::decode(hex).ok());
        decoded
            .map(|bytes| CodeEntry { host_data: host_data.clone(), ..CodeEntry::new(kind, &[(name, &bytes)]) })
            .collect()
    };
    let hosted = claims.host_data.as_ref();
    match kind {
        Kind::Sgx => entries("mrenclave", &rows.sgx.measurements, None),
        Kind::Virtual => {
            let listed = |hosted: &Bytes| rows.no_tee.host_data.contains(&hosted.to_string());
            let asked = !rows.no_tee.host_data.is_empty();
            if asked && !hosted.is_some_and(listed) {
                return Vec::new();
            }
            entries("code", &rows.no_tee.measurements, None)
        }
        Kind::SevSnp => {
            let Some(hosted) = hosted.filter(|hosted| rows.snp.host_data.contains_key(&hosted.to_string())) else {
                return Vec::new();
            };
            let mut all = entries("measurement", &rows.snp.measurements, Some(hosted.clone()));
            let feeds = rows.snp.uvm_endorsements.iter().flat_map(|(issuer, feeds)| {
                feeds.as_object().into_iter().flatten().map(move |(feed, _)| amd::uvm_identity(issuer, feed))
            });
            all.extend(feeds.map(|identity| CodeEntry {
                host_data: Some(hosted.clone()),
                ..CodeEntry::new(kind, &[("uvm", &identity)])
            }));
            all
        }
        _ => Vec::new(),
    }
}

/// What the TEE manifest asks of platforms of this kind.
fn set_platform(policy: &mut Policy, kind: Kind, row: &Tee) -> Result<(), Refusal> {
    let Some(asked) = row.minimum_tcb.as_ref().filter(|asked| !asked.is_null()) else { return Ok(()) };
    match kind {
        Kind::Sgx | Kind::Tdx => policy.intel = read(row, asked)?,
        Kind::SevSnp => policy.snp = read(row, asked)?,
        Kind::Nitro => policy.nitro = read(row, asked)?,
        Kind::ArmCca => policy.cca = read(row, asked)?,
        Kind::AzureVtpm => policy.azure_vtpm = read(row, asked)?,
        Kind::Maa => policy.maa = read(row, asked)?,
        Kind::Vbs => policy.vbs = read(row, asked)?,
        Kind::Virtual => {}
    }
    Ok(())
}

fn read<T: DeserializeOwned>(row: &Tee, asked: &Value) -> Result<T, Refusal> {
    T::deserialize(asked).map_err(|error| {
        let message =
            format!("What the TEE manifest asks of {} cannot be read, and members must set it anew: {error}", row.tee);
        Refusal::InternalError(message)
    })
}

/// Who may vouch for measurements is what members say and nobody else. Their table of lowest versions goes before the default.
fn set_snp(policy: &mut amd::Policy, rows: &JoinPolicy, row: Option<&Tee>) -> Result<(), Refusal> {
    let said = row.and_then(|row| row.minimum_tcb.as_ref()).is_some_and(|asked| asked.get("endorsers").is_some());
    if !said {
        policy.endorsers.clear();
    }
    for (issuer, feeds) in &rows.snp.uvm_endorsements {
        for (feed, row) in feeds.as_object().into_iter().flatten() {
            let svn = row.get("svn").and_then(number);
            let unread = || unreadable("nodes.snp.uvm_endorsements", issuer);
            let lowest_svn = svn.ok_or_else(unread)?;
            policy.endorsers.push(Endorser { issuer: issuer.clone(), feed: feed.clone(), lowest_svn });
        }
    }
    for (platform, row) in &rows.snp.tcb_versions {
        let parts = row.as_object().ok_or_else(|| unreadable("nodes.snp.tcb_versions", platform))?;
        let parts = parts.iter().filter_map(|(part, version)| {
            let part = if part == "boot_loader" { "bootloader" } else { part };
            Some((part.to_owned(), version.as_u64()?))
        });
        policy.lowest_tcb.insert(platform.clone(), parts.collect());
    }
    Ok(())
}

/// CCF writes it as a text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn unreadable(table: &str, row: &str) -> Refusal {
    Refusal::InternalError(format!("The row {row} of {table} cannot be read, and members must set it anew."))
}
