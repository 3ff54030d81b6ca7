//! `coco attest`: what evidence of a TEE says, and whether a policy wants it. Offline, at any time of the past.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use attestation::{Binding, Claims, Policy, Presented, Refusal, Roots};
use serde_json::json;

use crate::cmd::columns::columns;
use crate::failure::Failure;
use crate::printer::{Printer, Tone};

/// Evidence is larger than any of its bounds allows only by mistake.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// Says what is authentic in it.
pub fn show(file: &Path, at: Option<u64>, as_json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let verdict = presented(file)?.verify(&Roots::vendors(), at.unwrap_or_else(now));
    tell(verdict, "authentic", as_json, printer)
}

/// Says whether a policy accepts it, bound to what was asked for.
pub fn verify(
    file: &Path,
    policy: &Path,
    report_data: Vec<u8>,
    at: Option<u64>,
    as_json: bool,
    printer: &Printer,
) -> Result<ExitCode, Failure> {
    let text = read(policy)?;
    let policy: Policy = serde_json::from_slice(&text)
        .map_err(|error| Failure::from_error(format!("{} is no policy", policy.display()), &error))?;
    let presented = presented(file)?;
    let verdict = presented.accept(&Roots::vendors(), &policy, &Binding::Exact(report_data), at.unwrap_or_else(now));
    tell(verdict, "accepted", as_json, printer)
}

fn presented(file: &Path) -> Result<Presented, Failure> {
    Presented::parse(&read(file)?).map_err(|refusal| {
        Failure::new(format!("{} is no evidence: {refusal}", file.display())).hint(
            "it is JSON: {\"kind\": \"tdx\", \"evidence\": hex, \"endorsements\": {...}}; see docs/formats/evidence.md",
        )
    })
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let size = fs::metadata(file).map_err(|error| Failure::file("read", file, &error))?.len();
    if size > FILE_BYTES_MAX {
        return Err(Failure::new(format!(
            "{} has {size} bytes, and at most {FILE_BYTES_MAX} are read",
            file.display()
        )));
    }
    fs::read(file).map_err(|error| Failure::file("read", file, &error))
}

fn tell(verdict: Result<Claims, Refusal>, word: &str, as_json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    match verdict {
        Ok(claims) if as_json => printer.json(&json!({ "verdict": word, "claims": claims }))?,
        Ok(claims) => {
            printer.data(format!("{}: {} evidence", printer.paint(Tone::Good, word), claims.kind));
            printer.data(table(&claims));
        }
        Err(refusal) if as_json => {
            let code = refusal.code;
            printer.json(&json!({
                "verdict": "refused", "code": code.id(), "blame": format!("{:?}", refusal.blame()), "reason": refusal.to_string(),
            }))?;
            return Ok(ExitCode::FAILURE);
        }
        Err(refusal) => {
            printer.data(format!("{}: {refusal}", printer.paint(Tone::Bad, "refused")));
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn table(claims: &Claims) -> String {
    let mut rows: Vec<[String; 2]> = Vec::new();
    let mut row = |name: &str, value: String| rows.push([name.to_owned(), value]);
    row("report data", claims.report_data.to_string());
    for (name, bytes) in &claims.measurements {
        row(name, bytes.to_string());
    }
    if let Some(host_data) = &claims.host_data {
        row("host data", host_data.to_string());
    }
    row("debug", if claims.debug { "YES: its memory can be read" } else { "no" }.to_owned());
    if let Some(svn) = claims.svn {
        row("version of the code", svn.to_string());
    }
    if let Some(platform) = &claims.platform {
        row("platform", platform.clone());
    }
    if !claims.tcb.is_empty() {
        let parts = claims.tcb.iter().map(|(name, version)| format!("{name} {version}"));
        row("TCB", parts.collect::<Vec<_>>().join(", "));
    }
    if let Some(status) = claims.status {
        row("vendor's word on it", format!("{status:?}"));
    }
    if !claims.advisories.is_empty() {
        row("advisories", claims.advisories.iter().cloned().collect::<Vec<_>>().join(", "));
    }
    for (name, value) in &claims.details {
        row(name, value.to_string());
    }
    row("SHA-256 of the evidence", claims.evidence.to_string());
    columns(["CLAIM", "VALUE"], rows)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
