//! A request that waits for its signature, in a file: it may travel to the machine that has the key, and its signature back.
//!
//! Nothing in the file is believed but what is signed: who signs and what is asked for are read out of the protected headers and the
//! payload, so that whoever signs sees what it signs, whoever wrote the file.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::ForeignCertificate;
use crypto::foreign_key::{Curve, Hash};
use governance::Kind;
use governance::envelope::Headers;
use serde::{Deserialize, Serialize};

use super::signer::{curve_of, hash_of, verify};
use super::{Request, algorithm, path, signature};
use crate::failure::Failure;

const FORMAT: &str = "coco-request-1";
/// A request as text, and what is around it.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    name: String,
    certificate: String,
    protected: String,
    payload: String,
}

/// What a key has to know, as `ccf_cose_sign1_prepare` prints it and Azure's Key Vault takes it.
#[derive(Serialize)]
pub struct Task {
    alg: &'static str,
    /// The digest, in base64.
    value: String,
}

/// A request that was read back, or is about to be written.
pub struct Prepared {
    pub request: Request,
    pub kind: Kind,
    pub created_at: u64,
    pub proposal_id: Option<String>,
    /// The member's id.
    pub signer: String,
    pub curve: Curve,
}

impl Prepared {
    /// Reads what is signed out of the request itself.
    pub fn of(request: Request) -> Result<Self, String> {
        request.check_size().map_err(|failure| failure.message)?;
        let curve = curve_of(&request.certificate, &request.name).map_err(|failure| failure.message)?;
        let headers = Headers::read(&request.protected).ok_or("its protected headers cannot be read")?;
        let kind = Kind::of(headers.kind).ok_or("it is of no kind that is known here")?;
        let signer = crypto::sha256(request.certificate.der()).to_string();
        if headers.kid != signer {
            return Err("it is to be signed by another one than its certificate's".into());
        }
        if headers.algorithm != algorithm(curve).0 {
            return Err("it is to be signed in another way than its certificate's key does".into());
        }
        let proposal_id = if kind.names_proposal() { headers.proposal_id.map(str::to_owned) } else { None };
        let is_id = |id: &String| id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit());
        if kind.names_proposal() && !proposal_id.as_ref().is_some_and(is_id) {
            return Err("it names no proposal".into());
        }
        let created_at = headers.created_at;
        Ok(Self { request, kind, created_at, proposal_id, signer, curve })
    }

    pub fn read(file: &Path) -> Result<Self, Failure> {
        let broken = |why: String| {
            Failure::new(format!("{} is no request that was prepared: {why}", file.display()))
                .hint("commands that sign write such a file with --prepare FILE")
        };
        let size = fs::metadata(file).map_err(|e| Failure::file("read", file, &e))?.len();
        if size > FILE_BYTES_MAX {
            return Err(broken(format!("it has {size} bytes")));
        }
        let text = fs::read(file).map_err(|e| Failure::file("read", file, &e))?;
        let read: File = serde_json::from_slice(&text).map_err(|e| broken(e.to_string()))?;
        if read.format != FORMAT {
            return Err(broken(format!("it is of the form {:?}", read.format)));
        }
        let certificate =
            ForeignCertificate::from_pem(&read.certificate).map_err(|e| broken(format!("its certificate is {e}")))?;
        let bytes = |text: &str| STANDARD.decode(text).map_err(|e| broken(e.to_string()));
        let request = Request {
            name: super::plain(&read.name),
            certificate,
            protected: bytes(&read.protected)?,
            payload: bytes(&read.payload)?,
        };
        Self::of(request).map_err(broken)
    }

    /// Never over a file that is there: its signature may be under way.
    pub fn write(&self, file: &Path) -> Result<(), Failure> {
        let document = File {
            format: FORMAT.into(),
            name: self.request.name.clone(),
            certificate: self.request.certificate.to_pem(),
            protected: STANDARD.encode(&self.request.protected),
            payload: STANDARD.encode(&self.request.payload),
        };
        let text = serde_json::to_string_pretty(&document).expect("texts are JSON") + "\n";
        let written = fs::OpenOptions::new().write(true).create_new(true).open(file);
        written
            .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
            .map_err(|e| Failure::file("write", file, &e))
    }

    pub fn digest(&self) -> Vec<u8> {
        hash_of(self.curve).of(&self.request.to_be_signed())
    }

    pub fn task(&self) -> Task {
        Task { alg: algorithm(self.curve).1, value: STANDARD.encode(self.digest()) }
    }

    pub fn hash_name(&self) -> &'static str {
        match hash_of(self.curve) {
            Hash::Sha256 => "SHA-256",
            Hash::Sha384 => "SHA-384",
            Hash::Sha512 => "SHA-512",
        }
    }

    /// Where a service takes it.
    pub fn path(&self) -> String {
        path(self.kind, self.proposal_id.as_deref(), &self.signer)
    }

    /// As it is sent, with a signature in any of the forms that tools write. One that is not the member's over this request is refused.
    pub fn sealed(&self, given: &[u8]) -> Result<Vec<u8>, Failure> {
        let message = self.request.to_be_signed();
        let candidates = signature::read(given, self.curve).map_err(|why| {
            Failure::new(format!("that is no signature by a key on this curve: {why}"))
                .hint("known are r ‖ s and DER, as bytes or in base64, and {\"value\": base64}")
        })?;
        let right = |candidate: &&Vec<u8>| verify(&self.request.certificate, self.curve, &message, candidate).is_ok();
        let right = candidates.iter().find(right).ok_or_else(|| {
            Failure::new(format!("the signature is not the one of {} over this request", self.request.name)).hint(format!(
                "nothing was sent. Was it the key of this certificate, and the {} digest that `coco request show` prints? A digest is signed as it is, not hashed again",
                self.hash_name()
            ))
        })?;
        Ok(self.request.sealed(right))
    }
}
