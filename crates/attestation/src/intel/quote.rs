//! The envelope: a report, the quoting enclave's signature over it, and who vouches for the quoting enclave.
//!
//! ```text
//! v3   header 48 · enclave report 384                             · u32 length · signature data
//! v4   header 48 · TD report 584                                  · u32 length · signature data
//! v5   header 48 · u16 body type · u32 size · body of that size   · u32 length · signature data
//!
//! signature data v3      signature 64 · attestation key 64 · QE part
//! signature data v4, v5  signature 64 · attestation key 64 · u16 6 · u32 length · QE part
//! QE part                QE report 384 · its signature 64 · u16 length · auth data · u16 type · u32 length · certification data
//! ```
//!
//! Real quotes stand in fixed buffers: zeros may follow, and nothing else. What was cut off is not part of [`Quote::bytes`].

use super::claims;
use super::report::{ENCLAVE_BYTES, EnclaveReport, TD10_BYTES, TD15_BYTES, TD15EX_BYTES, TdReport};
use crate::{Claims, Code, Reader, Refusal, limits};

const HEADER_BYTES: usize = 48;
/// The quoting enclave's vendor: Intel.
const INTEL: [u8; 16] =
    [0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07];
const KEY_TYPE_P256: u16 = 2;
const TEE_SGX: u32 = 0;
const TEE_TDX: u32 = 0x81;
/// Certification data that holds a QE part.
const NESTED: u16 = 6;
/// Certification data that holds the PCK certificate's chain, PEM.
const CHAIN: u16 = 5;

/// A quote that was read and that nobody vouched for yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote<'a> {
    /// The exact evidence, without padding.
    pub bytes: &'a [u8],
    pub version: u16,
    /// What the attestation key signed: header and body.
    pub signed: &'a [u8],
    pub body: Body,
    pub signature: [u8; 64],
    /// x and y.
    pub attestation_key: [u8; 64],
    /// What the PCK signed.
    pub qe_report_bytes: &'a [u8],
    pub qe_report: EnclaveReport,
    pub qe_signature: [u8; 64],
    pub qe_auth_data: &'a [u8],
    /// The PCK chain in PEM, if the quote has one (it may carry a mere pointer to it).
    pub chain: Option<&'a [u8]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    Sgx(Box<EnclaveReport>),
    Tdx(Box<TdReport>),
}

impl<'a> Quote<'a> {
    pub fn parse(evidence: &'a [u8]) -> Result<Self, Refusal> {
        if evidence.is_empty() {
            return Err(Refusal::new(Code::Empty, "a quote"));
        }
        if evidence.len() > limits::QUOTE_BYTES {
            return Err(Refusal::new(Code::OversizedLength, format!("a quote of {} bytes", evidence.len())));
        }
        let mut reader = Reader::new(evidence);
        let version = header(&mut reader)?;
        let body = body(&mut reader, version)?;
        let signed = &evidence[..reader.at()];
        let length = reader.u32_le()?;
        let data = reader.sized(length, limits::QUOTE_BYTES)?;
        let bytes = &evidence[..reader.at()];
        if reader.left().iter().any(|byte| *byte != 0) {
            let text = format!("{} bytes follow the quote and are not padding", reader.left().len());
            return Err(Refusal::new(Code::TrailingBytes, text));
        }
        let signed = Signed { bytes, version, signed, body };
        signed.with(data)
    }

    /// What the report says, whoever vouches for it: to look at, and to know which collateral to ask for. Nothing to decide on.
    pub fn unverified_claims(&self) -> Claims {
        claims::body(self)
    }
}

/// What stands before the signature data.
struct Signed<'a> {
    bytes: &'a [u8],
    version: u16,
    signed: &'a [u8],
    body: Body,
}

impl<'a> Signed<'a> {
    fn with(self, data: &'a [u8]) -> Result<Quote<'a>, Refusal> {
        let mut reader = Reader::part(data);
        let signature = reader.array()?;
        let attestation_key = reader.array()?;
        let part = if self.version == 3 { reader.left() } else { nested(&mut reader)? };
        let mut reader = Reader::part(part);
        let qe_report_bytes = reader.take(ENCLAVE_BYTES)?;
        let qe_signature = reader.array()?;
        let length = reader.u16_le()?;
        let qe_auth_data = reader.sized(length.into(), limits::QUOTE_BYTES)?;
        let kind = reader.u16_le()?;
        let length = reader.u32_le()?;
        let certification = reader.sized(length, limits::QUOTE_BYTES)?;
        reader.end()?;
        Ok(Quote {
            bytes: self.bytes,
            version: self.version,
            signed: self.signed,
            body: self.body,
            signature,
            attestation_key,
            qe_report_bytes,
            qe_report: EnclaveReport::parse(qe_report_bytes)?,
            qe_signature,
            qe_auth_data,
            chain: chain(kind, certification)?,
        })
    }
}

/// Types 1 to 4 and 7 point to a certificate that is kept elsewhere; a QE part cannot stand in a QE part.
/// Some tools write a chain in DER: as good as none.
fn chain(kind: u16, certification: &[u8]) -> Result<Option<&[u8]>, Refusal> {
    match kind {
        CHAIN if certification.starts_with(b"-----BEGIN") => Ok(Some(certification)),
        CHAIN => Ok(None),
        1..=4 | 7 => Ok(None),
        _ => Err(Refusal::new(Code::CertificationNesting, format!("certification data of type {kind} in the QE part"))),
    }
}

fn nested<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Refusal> {
    let kind = reader.u16_le()?;
    if kind != NESTED {
        return Err(Refusal::new(Code::CertificationNesting, format!("type {kind} where the QE part belongs")));
    }
    let length = reader.u32_le()?;
    let part = reader.sized(length, limits::QUOTE_BYTES)?;
    if !reader.is_empty() {
        let text = format!("{} bytes follow the QE part", reader.left().len());
        return Err(Refusal::new(Code::CertificationNesting, text));
    }
    Ok(part)
}

fn header(reader: &mut Reader<'_>) -> Result<u16, Refusal> {
    let version = reader.u16_le()?;
    if !(3..=5).contains(&version) {
        return Err(Refusal::new(Code::WrongVersion, format!("quote version {version}")));
    }
    let key_type = reader.u16_le()?;
    if key_type != KEY_TYPE_P256 {
        return Err(Refusal::new(Code::WrongAlgorithm, format!("attestation key type {key_type}")));
    }
    let tee = reader.u32_le()?;
    match (version, tee) {
        (3, TEE_SGX) | (4 | 5, TEE_TDX) => {}
        (3, _) => return Err(Refusal::new(Code::ReservedNotZero, format!("{tee:#x} at offset 4 of a quote v3"))),
        (_, TEE_SGX) => return Err(Refusal::new(Code::SgxBodyInV4, format!("an SGX quote of version {version}"))),
        _ => return Err(Refusal::new(Code::WrongVersion, format!("TEE type {tee:#x}"))),
    }
    reader.take(4)?;
    let vendor = reader.array::<16>()?;
    if vendor != INTEL {
        return Err(Refusal::new(Code::QeVendor, const_hex::encode(vendor)));
    }
    reader.take(20)?;
    debug_assert_eq!(reader.at(), HEADER_BYTES);
    Ok(version)
}

fn body(reader: &mut Reader<'_>, version: u16) -> Result<Body, Refusal> {
    match version {
        3 => Ok(Body::Sgx(Box::new(EnclaveReport::parse(reader.take(ENCLAVE_BYTES)?)?))),
        4 => Ok(Body::Tdx(Box::new(TdReport::parse(reader.take(TD10_BYTES)?)?))),
        _ => typed_body(reader),
    }
}

fn typed_body(reader: &mut Reader<'_>) -> Result<Body, Refusal> {
    let kind = reader.u16_le()?;
    let size = reader.u32_le()?;
    let expected = match kind {
        1 => return Err(Refusal::new(Code::SgxBodyInV4, "body type 1 in a quote v5")),
        2 => TD10_BYTES,
        3 => TD15_BYTES,
        4 => TD15EX_BYTES,
        _ => return Err(Refusal::new(Code::BodyType, format!("body type {kind}"))),
    };
    if usize::try_from(size) != Ok(expected) {
        return Err(Refusal::new(Code::BodyType, format!("body type {kind} of {size} bytes")));
    }
    Ok(Body::Tdx(Box::new(TdReport::parse(reader.take(expected)?)?)))
}
