//! `coco request sign`: where the key is. Says what is signed, and prints the signature as other tools print theirs.

use std::path::Path;
use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::says;
use crate::failure::Failure;
use crate::governance::{Prepared, Signer, Source};
use crate::printer::Printer;

/// As Azure's Key Vault answers and `ccf_cose_sign1_finish` reads.
#[derive(Serialize)]
struct Signature {
    kid: String,
    /// `r ‖ s`, in base64 for URLs.
    value: String,
}

pub fn run(file: &Path, key: &Path, printer: &Printer) -> Result<ExitCode, Failure> {
    let prepared = Prepared::read(file)?;
    let request = &prepared.request;
    let signer = Signer::of(request.certificate.clone(), &request.name, &Source::settle(key)?)?;
    says::all(&prepared).into_iter().for_each(|line| printer.note(line));
    let signature = signer.sign(&request.to_be_signed())?;
    printer.json(&Signature { kid: signer.id, value: URL_SAFE_NO_PAD.encode(signature) })?;
    Ok(ExitCode::SUCCESS)
}
