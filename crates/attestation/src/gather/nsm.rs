//! AWS Nitro by way of `/dev/nsm`: CBOR in, CBOR out, one ioctl.
//!
//! ```text
//! {"Attestation": {"user_data": report data, "nonce": null, "public_key": null}}
//!   ◀ {"Attestation": {"document": COSE_Sign1 as bytes}}
//!   ◀ {"Error": "InvalidArgument"}
//! ```
//!
//! What the enclave binds goes into `user_data`: this is what the verifier reads as report data. The document has its whole
//! chain inside, so nothing needs to be fetched.

use std::convert::Infallible;
use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use super::{Attester, Error, Gathered, ioctl};
use crate::{Kind, limits};

/// The most that the driver hands on.
const RESPONSE_BYTES: usize = 0x3000;
/// More than any answer has: two levels of one entry each.
const ENTRIES_MAX: u32 = 16;

/// What answers: the kernel's device, or one that is scripted.
pub trait NsmDevice: Send + Sync {
    /// How many bytes of `response` are the answer.
    fn ask(&self, request: &[u8], response: &mut [u8]) -> io::Result<u64>;
    /// Its name, for people.
    fn name(&self) -> PathBuf;
}

/// The kernel's, under a path. Opened for each call: a node asks once in hours.
struct Kernel(PathBuf);

impl NsmDevice for Kernel {
    fn ask(&self, request: &[u8], response: &mut [u8]) -> io::Result<u64> {
        let device = OpenOptions::new().read(true).write(true).open(&self.0)?;
        ioctl::raw(&device, request, response)
    }

    fn name(&self) -> PathBuf {
        self.0.clone()
    }
}

/// Asks the Nitro Security Module.
pub struct Nsm {
    device: Box<dyn NsmDevice>,
    turn: Mutex<()>,
}

impl Nsm {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::on(Box::new(Kernel(path.into())))
    }

    /// On a device that is not the kernel's.
    pub fn on(device: Box<dyn NsmDevice>) -> Self {
        Self { device, turn: Mutex::new(()) }
    }
}

impl Attester for Nsm {
    fn evidence(&self, report_data: &[u8; 64]) -> Result<Gathered, Error> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let device = self.device.name();
        let mut response = vec![0; RESPONSE_BYTES];
        let asked = self.device.ask(&request(report_data), &mut response);
        let length = asked.map_err(|source| Error::File { path: device.clone(), source })?;
        let answer = usize::try_from(length).ok().and_then(|length| response.get(..length));
        let answer = answer.ok_or_else(|| format!("{length} bytes, more than there is room for"));
        let evidence = answer.and_then(document).map_err(|what| Error::Answer { device, what })?;
        Ok(Gathered { kind: Kind::Nitro, evidence, auxiliary: vec![], event_log: vec![] })
    }
}

fn request(report_data: &[u8; 64]) -> Vec<u8> {
    let written = |mut e: Encoder<Vec<u8>>| -> Result<Vec<u8>, minicbor::encode::Error<Infallible>> {
        e.map(1)?.str("Attestation")?.map(3)?;
        e.str("user_data")?.bytes(report_data)?.str("nonce")?.null()?.str("public_key")?.null()?;
        Ok(e.into_writer())
    };
    written(Encoder::new(Vec::new())).expect("a vector takes what is written")
}

/// The document of an answer. Its envelope is the hypervisor's and nobody signs it, so it may be in any form of CBOR.
fn document(answer: &[u8]) -> Result<Vec<u8>, String> {
    let mut decoder = Decoder::new(answer);
    let read = |error: minicbor::decode::Error| format!("it cannot be read: {error}");
    let mut document = None;
    let mut error = None;
    entries(&mut decoder, &mut |name, d| match (name, d.datatype()?) {
        ("Attestation", Type::Map | Type::MapIndef) => entries(d, &mut |name, d| {
            if name == "document" {
                document = Some(d.bytes()?.to_vec());
                return Ok(());
            }
            d.skip()
        }),
        ("Error", Type::String) => {
            error = Some(d.str()?.chars().take(40).collect::<String>());
            Ok(())
        }
        _ => d.skip(),
    })
    .map_err(read)?;
    if let Some(error) = error {
        return Err(format!("the module gives no document: {error}"));
    }
    let document = document.filter(|document| !document.is_empty()).ok_or("it has no document")?;
    if document.len() > limits::NITRO_BYTES {
        return Err(format!("a document of {} bytes", document.len()));
    }
    Ok(document)
}

type Decoded = Result<(), minicbor::decode::Error>;

/// The entries of a map whose keys are texts.
fn entries(d: &mut Decoder<'_>, each: &mut dyn FnMut(&str, &mut Decoder<'_>) -> Decoded) -> Decoded {
    let count = d.map()?;
    for at in 0..ENTRIES_MAX {
        match count {
            Some(count) if u64::from(at) == count => return Ok(()),
            None if d.datatype()? == Type::Break => return d.skip(),
            _ => {}
        }
        let name = d.str()?;
        each(name, d)?;
    }
    Err(minicbor::decode::Error::message("a map with too many entries"))
}
