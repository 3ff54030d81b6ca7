//! The payload: a map of nine names, each of its own type and size.
//!
//! Documents until early 2025 count the map's entries, later ones leave it open; both are signed as they stand.

use crate::formats::cbor::{self, Value};
use crate::{Code, Refusal, limits};

const FIELD_BYTES: usize = 1_024;
const PCR_BYTES: usize = 48;
const PCRS: u64 = 32;

/// What the hypervisor says, read and not authenticated.
pub(super) struct Document<'a> {
    pub(super) module_id: &'a str,
    /// Milliseconds since 1970.
    pub(super) timestamp: u64,
    pub(super) pcrs: Vec<(u64, &'a [u8])>,
    pub(super) certificate: &'a [u8],
    /// Root first.
    pub(super) cabundle: Vec<&'a [u8]>,
    pub(super) public_key: Option<&'a [u8]>,
    pub(super) user_data: Option<&'a [u8]>,
    pub(super) nonce: Option<&'a [u8]>,
}

impl<'a> Document<'a> {
    pub(super) fn decode(payload: &'a [u8]) -> Result<Self, Refusal> {
        let payload = cbor::decode_open(payload, limits::NITRO_BYTES)?;
        let entries = payload.map().ok_or_else(|| malformed("payload"))?;
        if let Some((name, _)) = entries.iter().find(|(name, _)| !name.text().is_some_and(|name| NAMES.contains(&name)))
        {
            return Err(Refusal::new(Code::BadEncoding, format!("unknown field {name:?}")));
        }
        if payload.named("digest").and_then(Value::text) != Some("SHA384") {
            return Err(Refusal::new(Code::NitroDigest, "PCRs of another digest are not compared"));
        }
        let module_id = payload.named("module_id").and_then(Value::text).filter(|text| !text.is_empty());
        let cabundle = payload.named("cabundle").and_then(Value::array).ok_or_else(|| malformed("cabundle"))?;
        Ok(Self {
            module_id: module_id.ok_or_else(|| malformed("module_id"))?,
            timestamp: payload.named("timestamp").and_then(Value::unsigned).ok_or_else(|| malformed("timestamp"))?,
            pcrs: pcrs(payload.named("pcrs"))?,
            certificate: present(payload.named("certificate"), "certificate")?,
            cabundle: cabundle.iter().map(|item| present(Some(item), "cabundle")).collect::<Result<_, _>>()?,
            public_key: optional(payload.named("public_key"), "public_key")?,
            user_data: optional(payload.named("user_data"), "user_data")?,
            nonce: optional(payload.named("nonce"), "nonce")?,
        })
    }
}

const NAMES: [&str; 9] =
    ["module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle", "public_key", "user_data", "nonce"];

fn pcrs<'a>(value: Option<&Value<'a>>) -> Result<Vec<(u64, &'a [u8])>, Refusal> {
    let entries = value.and_then(Value::map).ok_or_else(|| malformed("pcrs"))?;
    if entries.is_empty() {
        return Err(malformed("pcrs"));
    }
    let wrong = || Refusal::new(Code::NitroPcrSize, "48 bytes under 0 to 31 are a PCR");
    entries
        .iter()
        .map(|(index, value)| {
            let index = index.unsigned().filter(|index| *index < PCRS).ok_or_else(wrong)?;
            let value = value.bytes().filter(|value| value.len() == PCR_BYTES).ok_or_else(wrong)?;
            Ok((index, value))
        })
        .collect()
}

fn present<'a>(value: Option<&Value<'a>>, name: &str) -> Result<&'a [u8], Refusal> {
    optional(value, name)?.filter(|bytes| !bytes.is_empty()).ok_or_else(|| malformed(name))
}

/// Absent, null, or bytes.
fn optional<'a>(value: Option<&Value<'a>>, name: &str) -> Result<Option<&'a [u8]>, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bytes(bytes)) if bytes.len() <= FIELD_BYTES => Ok(Some(bytes)),
        Some(Value::Bytes(bytes)) => {
            Err(Refusal::new(Code::NitroFieldSize, format!("\"{name}\" has {} bytes", bytes.len())))
        }
        Some(_) => Err(malformed(name)),
    }
}

fn malformed(name: &str) -> Refusal {
    Refusal::new(Code::BadEncoding, format!("\"{name}\" is absent or of another type"))
}
