//! `coco member rotate`: a proposal that a member goes on with another certificate.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crypto::ForeignCertificate;
use serde_json::json;

use crate::cmd::proposal;
use crate::failure::Failure;
use crate::governance::{Place, Signer, Who};
use crate::printer::Printer;

pub struct Change<'a> {
    pub certificate: &'a Path,
    /// Of whoever signs, if of nobody else.
    pub member: Option<&'a str>,
    pub chain: Option<&'a Path>,
}

pub fn run(place: &Place, who: &Who, change: &Change<'_>, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let text = |path: &Path| fs::read_to_string(path).map_err(|e| Failure::file("read", path, &e));
    let signer = Signer::open(who, place)?;
    let member = change.member.map_or_else(|| signer.id.clone(), str::to_ascii_lowercase);
    let cert = text(change.certificate)?;
    let new = ForeignCertificate::from_pem(&cert)
        .map_err(|e| Failure::from_error(format!("{} cannot be used", change.certificate.display()), &e))?;
    let id = crypto::sha256(new.der()).to_string();
    if id == member {
        return Err(Failure::new(format!("{} is the member's certificate already", change.certificate.display()))
            .hint("`coco member new NAME` makes a new key and its certificate"));
    }
    if new.key().curve().is_none() {
        return Err(Failure::new(format!("{} has a key that members cannot sign with", change.certificate.display()))
            .hint("members sign with ECDSA on P-256, P-384 or P-521"));
    }
    let mut args = json!({ "member_id": member, "cert": cert });
    if let Some(chain) = change.chain {
        args["chain"] = text(chain)?.into();
    }
    let body = json!({ "actions": [{ "name": "rotate_member_certificate", "args": args }] }).to_string();
    let code = proposal::propose(place, &signer, &body, json, printer)?;
    printer.note(format!(
        "once it is accepted, the new key signs the state: coco member ack --certificate {} --key KEY",
        change.certificate.display()
    ));
    Ok(code)
}
