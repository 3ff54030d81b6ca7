//! `coco request send`: puts a signature to a request that was prepared, and sends it.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use governance::Kind;
use serde_json::Value;

use crate::cmd::{member, proposal};
use crate::failure::Failure;
use crate::governance::{Place, Prepared, Service};
use crate::printer::Printer;

/// More than any signature has.
const SIGNATURE_BYTES_MAX: u64 = 64 << 10;

pub fn run(place: &Place, file: &Path, signature: &Path, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let prepared = Prepared::read(file)?;
    let request = prepared.sealed(&read(signature)?)?;
    let service = Service::reach(place, printer)?;
    let name = &prepared.request.name;
    let sent = service.deliver(&prepared.path(), name, &request);
    match prepared.kind {
        Kind::Proposal => proposal::proposed(&service, name, sent, json, printer),
        Kind::Ballot => proposal::voted(&service, name, kept(&prepared.request.payload), &sent?, json, printer),
        Kind::Withdrawal => {
            let id = prepared.proposal_id.as_deref().unwrap_or_default();
            proposal::withdrawn(&service, name, id, &sent?, json, printer)
        }
        Kind::StateDigest | Kind::Ack => member::signed(&service, &prepared, sent?, json, printer),
        Kind::RecoveryShare => {
            printer.document(&crate::governance::plain_lines(&String::from_utf8_lossy(&sent?.body)));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(SIGNATURE_BYTES_MAX).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(SIGNATURE_BYTES_MAX).read_to_end(&mut bytes))
    };
    read.map_err(|e| Failure::file("read the signature in", path, &e))?;
    Ok(bytes)
}

/// What the ballot was that was signed.
fn kept(payload: &[u8]) -> proposal::Kept {
    let read: Value = serde_json::from_slice(payload).unwrap_or_default();
    proposal::Kept::of(read["ballot"].as_str().unwrap_or_default())
}
