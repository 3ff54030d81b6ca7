//! `coco member new`: the key and the certificate of someone who is to become a member, and the proposal that makes them one.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use crypto::KeyPair;
use crypto::certificate::{self, Validity};
use development::{Layout, Network};
use serde::Serialize;
use serde_json::json;

use crate::failure::Failure;
use crate::printer::Printer;

const DAY: u64 = 24 * 60 * 60;

/// Who may read a file.
#[derive(Clone, Copy)]
enum Readers {
    Everyone,
    Owner,
}

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    id: String,
    certificate: &'a Path,
    key: &'a Path,
    proposal: &'a Path,
}

/// Where members' files go if nobody says.
pub fn home(dir: &Path) -> Result<PathBuf, Failure> {
    match Network::read(dir)? {
        Some(_) => Ok(Layout::new(dir).members()),
        None => std::env::current_dir().map_err(|e| Failure::from_error("cannot find the current directory", &e)),
    }
}

pub fn run(name: &str, out: &Path, days: u64, json: bool, printer: &Printer) -> Result<ExitCode, Failure> {
    let [certificate, key, proposal] =
        ["cert.pem", "privk.pem", "proposal.json"].map(|what| out.join(format!("{name}_{what}")));
    if let Some(there) = [&certificate, &key, &proposal].into_iter().find(|path| path.exists()) {
        return Err(Failure::new(format!("{} is there already", there.display()))
            .hint("a key that is lost is lost: nothing is written over. Choose another name, or another --out"));
    }
    let failed = |e| Failure::from_error(format!("cannot make a member called {name}"), &e);
    let pair = KeyPair::generate().map_err(failed)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // Clocks differ.
    let validity = Validity { from: now.saturating_sub(DAY), until: now + days * DAY };
    let made = certificate::member(&pair, name, validity).map_err(failed)?;
    let id = crypto::sha256(made.der()).to_string();
    let action = json!({ "name": "set_member", "args": { "cert": made.to_pem(), "member_data": { "name": name } } });
    let body = format!("{:#}\n", json!({ "actions": [action] }));

    fs::create_dir_all(out).map_err(|e| Failure::file("make", out, &e))?;
    write(&key, pair.to_pkcs8_pem().map_err(failed)?.as_bytes(), Readers::Owner)?;
    write(&certificate, made.to_pem().as_bytes(), Readers::Everyone)?;
    write(&proposal, body.as_bytes(), Readers::Everyone)?;

    if json {
        printer.json(&Shown { name, id, certificate: &certificate, key: &key, proposal: &proposal })?;
        return Ok(ExitCode::SUCCESS);
    }
    printer.data(format!("made {name}, who is a member of nothing yet"));
    printer.data(format!("  id           {id}"));
    printer.data(format!("  certificate  {}", certificate.display()));
    printer.data(format!("  key          {}   keep it: whoever has it is {name}", key.display()));
    printer.data(format!("  proposal     {}", proposal.display()));
    printer.note("what is next");
    printer.note(format!("  1. a member proposes it    coco proposal new {}", proposal.display()));
    printer.note("  2. members vote            coco proposal vote ID --yes");
    printer.note(format!(
        "  3. {name} signs the state    coco member ack --certificate {} --key {}",
        certificate.display(),
        key.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Never over a file that is there.
fn write(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), Failure> {
    let mode = match readers {
        Readers::Everyone => 0o644,
        Readers::Owner => 0o600,
    };
    let written = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    written().map_err(|e| Failure::file("write", path, &e))
}
