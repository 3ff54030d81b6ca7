//! `coco ledger verify`: is every bit of this ledger what was signed?

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use crypto::Certificate;
use ledger::verify::{Broken, Report};
use serde::Serialize;

use crate::failure::Failure;
use crate::printer::{Printer, Tone};

/// The result for scripts.
#[derive(Serialize)]
struct Outcome<'a> {
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<Summary>,
}

#[derive(Serialize)]
struct Place<'a> {
    file: &'a str,
    txid: Option<String>,
    reason: String,
}

#[derive(Serialize)]
struct Summary {
    chunks: u64,
    bytes: u64,
    entries: u64,
    signatures: u64,
    node_signatures: u64,
    last: String,
    /// SHA-256 of the service's public key.
    service: Option<String>,
    seconds: f64,
}

pub fn run(dir: &Path, service: Option<&Path>, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    super::check_directory(dir)?;
    let expected = service.map(read_certificate).transpose()?;
    let begun = Instant::now();
    let bar = printer.bar(0, "verifying  {bar:30}  {bytes} of {total_bytes}  {binary_bytes_per_sec}  entry {msg}");
    let result = ledger::verify(dir, None, |progress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes_done);
        bar.set_message(progress.txid.to_string());
    });
    bar.finish_and_clear();
    let report = match result {
        Ok(report) => report,
        Err(broken) => return Ok(say_broken(dir, &broken, json, printer)),
    };
    let found =
        report.service_certificate.as_deref().and_then(|pem| Certificate::from_pem(pem).ok()?.public_key().ok());
    if let Some((path, expected)) = expected
        && found.as_ref() != Some(&expected)
    {
        return Err(Failure::new(format!("the ledger in {} is not of the service in {path}", dir.display()))
            .hint("it is whole, but another service signed it; compare the certificates"));
    }
    let service = found.map(|key| key.fingerprint().to_string());
    say_whole(&report, service, begun.elapsed().as_secs_f64(), json, printer);
    Ok(ExitCode::SUCCESS)
}

fn read_certificate(path: &Path) -> Result<(String, crypto::PublicKey), Failure> {
    let name = path.display().to_string();
    let pem = fs::read_to_string(path).map_err(|e| Failure::file("read", path, &e))?;
    let key = Certificate::from_pem(&pem).and_then(|certificate| certificate.public_key());
    key.map(|key| (name, key)).map_err(|e| Failure::from_error(format!("{} is no certificate", path.display()), &e))
}

fn say_broken(dir: &Path, broken: &Broken, json: bool, printer: &Printer) -> ExitCode {
    if json {
        let txid = broken.txid.map(|txid| txid.to_string());
        let place = Place { file: &broken.file, txid, reason: broken.reason.to_string() };
        print_json(&Outcome { valid: false, broken: Some(place), verified: None }, printer);
    } else {
        printer.failure(
            &Failure::new(format!("the ledger in {} is broken: {broken}", dir.display()))
                .hint("what comes before that place is proven; another node's ledger may be whole"),
        );
    }
    ExitCode::FAILURE
}

fn say_whole(report: &Report, service: Option<String>, seconds: f64, json: bool, printer: &Printer) {
    if json {
        let verified = Summary {
            chunks: report.chunks,
            bytes: report.bytes,
            entries: report.entries,
            signatures: report.signatures,
            node_signatures: report.node_signatures,
            last: report.last.to_string(),
            service,
            seconds,
        };
        print_json(&Outcome { valid: true, broken: None, verified: Some(verified) }, printer);
        return;
    }
    let megabytes = report.bytes as f64 / 1e6;
    printer.data(format!(
        "{}: {} entries and {} signatures in {} {}, up to {}; {megabytes:.1} MB in {seconds:.2} s ({:.0} MB/s)",
        printer.paint(Tone::Good, "valid"),
        report.entries,
        report.signatures,
        report.chunks,
        if report.chunks == 1 { "chunk" } else { "chunks" },
        report.last,
        megabytes / seconds.max(1e-9)
    ));
    if let Some(service) = service {
        printer.show(format!("service key: SHA-256 {service}"));
    }
    if let Some(txid) = report.unproven {
        printer.note(format!(
            "the last signature's own tag ({txid}, 48 bytes) is proven by the next one, or by the ledger secret"
        ));
    }
}

fn print_json(outcome: &Outcome<'_>, printer: &Printer) {
    printer.data(serde_json::json!(outcome));
}
