//! The HCL report: the paravisor's hardware report and the claims that it binds.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::formats::signature::PublicKey;
use crate::limits::SNP_REPORT_BYTES;
use crate::{Claims, Code, Reader, Refusal, json};

/// The TPM's index has less.
const REPORT_BYTES: usize = 4 << 10;
const HEADER_BYTES: u32 = 32;
const DATA_HEADER_BYTES: u32 = 20;
const REQUEST_TYPE: u32 = 2;
const TYPE_SNP: u32 = 2;
const TYPE_TDX: u32 = 4;
const HASH_SHA256: u32 = 1;

const TDREPORT_BYTES: usize = 1_024;
/// First byte of a TDREPORT; an SNP report begins with its version there.
const TDREPORT_TYPE: u8 = 0x81;
const RSA_BYTES: usize = 256;

/// What stands in the hardware area.
#[derive(Clone, Copy)]
pub(super) enum Hardware<'a> {
    Snp(&'a [u8]),
    Tdx(&'a [u8]),
}

impl<'a> Hardware<'a> {
    fn report_data(self) -> &'a [u8] {
        match self {
            Self::Snp(report) => &report[0x50..0x90],
            Self::Tdx(report) => &report[128..192],
        }
    }
}

pub(super) struct Report<'a> {
    pub(super) hardware: Hardware<'a>,
    /// JSON, exactly the bytes that were hashed.
    claims: &'a [u8],
}

impl<'a> Report<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Refusal> {
        if bytes.len() > REPORT_BYTES {
            return Err(Refusal::new(Code::OversizedLength, format!("an HCL report of {} bytes", bytes.len())));
        }
        let mut reader = Reader::new(bytes);
        if reader.take(4)? != b"HCLA" {
            return Err(malformed("it does not begin with HCLA"));
        }
        let version = reader.u32_le()?;
        if !matches!(version, 1 | 2) {
            return Err(Refusal::new(Code::WrongVersion, format!("HCL report of version {version}")));
        }
        let size = reader.u32_le()?;
        if reader.u32_le()? != REQUEST_TYPE {
            return Err(malformed("its request type"));
        }
        reader.zeros(4 + 12)?;
        let area = reader.take(SNP_REPORT_BYTES)?;
        let data_size = reader.u32_le()?;
        if reader.u32_le()? != 1 {
            return Err(Refusal::new(Code::WrongVersion, "runtime data of another version"));
        }
        let kind = reader.u32_le()?;
        if reader.u32_le()? != HASH_SHA256 {
            return Err(Refusal::new(Code::WrongAlgorithm, "runtime claims under another hash than SHA-256"));
        }
        let claims_size = reader.u32_le()?;
        let claims = reader.sized(claims_size, REPORT_BYTES)?;
        let whole = data_size.checked_add(HEADER_BYTES + SNP_REPORT_BYTES as u32);
        if claims_size.checked_add(DATA_HEADER_BYTES) != Some(data_size) || whole != Some(size) {
            return Err(Refusal::new(Code::OversizedLength, "the sizes of an HCL report contradict each other"));
        }
        if reader.left().iter().any(|byte| *byte != 0) {
            return Err(Refusal::new(Code::TrailingBytes, "after the runtime claims"));
        }
        Ok(Self { hardware: hardware(kind, area)?, claims })
    }

    /// The hardware area binds the runtime claims.
    pub(super) fn check_binding(&self) -> Result<(), Refusal> {
        self.check_bound(self.hardware.report_data())
    }

    /// The report data is the hash of the runtime claims, then zeros.
    pub(super) fn check_bound(&self, report_data: &[u8]) -> Result<(), Refusal> {
        let hash = crypto::sha256(self.claims).0;
        let bound = report_data.split_at_checked(hash.len());
        if bound.is_some_and(|(first, rest)| first == hash && rest.iter().all(|byte| *byte == 0)) {
            return Ok(());
        }
        Err(Refusal::new(Code::VtpmClaimsHash, const_hex::encode(report_data)))
    }

    pub(super) fn runtime_claims(&self) -> Result<RuntimeClaims, Refusal> {
        RuntimeClaims::parse(self.claims)
    }
}

/// The report type must say what the area is.
fn hardware(kind: u32, area: &[u8]) -> Result<Hardware<'_>, Refusal> {
    let is_tdreport = area[0] == TDREPORT_TYPE;
    match kind {
        TYPE_SNP if !is_tdreport => Ok(Hardware::Snp(area)),
        TYPE_TDX if is_tdreport => {
            let (report, rest) = area.split_at(TDREPORT_BYTES);
            if rest.iter().any(|byte| *byte != 0) {
                return Err(Refusal::new(Code::ReservedNotZero, "after the TDREPORT"));
            }
            Ok(Hardware::Tdx(report))
        }
        _ => Err(Refusal::new(Code::VtpmReportType, format!("type {kind}, first byte {:#x}", area[0]))),
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Jwk>,
    #[serde(rename = "vm-configuration")]
    configuration: Configuration,
    #[serde(rename = "user-data")]
    user_data: Option<String>,
}

#[derive(Deserialize)]
struct Jwk {
    kid: String,
    kty: String,
    n: String,
    e: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Configuration {
    secure_boot: Option<bool>,
    console_enabled: Option<bool>,
    tpm_enabled: Option<bool>,
    tpm_persisted: Option<bool>,
    #[serde(rename = "vmUniqueId")]
    vm_unique_id: Option<String>,
}

/// Modulus and exponent.
struct Rsa {
    n: Vec<u8>,
    e: Vec<u8>,
}

impl Rsa {
    fn of(jwk: &Jwk) -> Result<Self, Refusal> {
        let number = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed("a key"));
        let (n, e) = (number(&jwk.n)?, number(&jwk.e)?);
        if jwk.kty != "RSA" || n.len() != RSA_BYTES || e.is_empty() || e.len() > 4 {
            return Err(Refusal::new(Code::WrongAlgorithm, format!("{} is no RSA key of 2,048 bits", jwk.kid)));
        }
        Ok(Self { n, e })
    }

    fn key(&self) -> PublicKey<'_> {
        PublicKey::RsaParts { n: &self.n, e: &self.e }
    }
}

/// What the paravisor says of the machine.
pub(super) struct RuntimeClaims {
    attestation_key: Rsa,
    endorsement_key: Option<Rsa>,
    configuration: Configuration,
    user_data: Option<Vec<u8>>,
}

impl RuntimeClaims {
    fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let document: Document = json::parse(text, REPORT_BYTES, "runtime claims")?;
        let named = |kid: &'static str| document.keys.iter().filter(move |key| key.kid == kid);
        let mut keys = named("HCLAkPub");
        let attestation_key = keys.next().ok_or_else(|| malformed("no HCLAkPub"))?;
        if keys.next().is_some() {
            return Err(Refusal::new(Code::VtpmTwoKeys, "HCLAkPub"));
        }
        let user_data = document.user_data.map(|text| const_hex::decode(text).map_err(|_| malformed("user-data")));
        Ok(Self {
            attestation_key: Rsa::of(attestation_key)?,
            endorsement_key: named("HCLEkPub").next().map(Rsa::of).transpose()?,
            configuration: document.configuration,
            user_data: user_data.transpose()?,
        })
    }

    pub(super) fn attestation_key(&self) -> PublicKey<'_> {
        self.attestation_key.key()
    }

    pub(super) fn endorsement_key(&self) -> Option<PublicKey<'_>> {
        self.endorsement_key.as_ref().map(Rsa::key)
    }

    pub(super) fn tell(self, claims: &mut Claims) {
        let configuration = self.configuration;
        let flags = [
            ("secure-boot", configuration.secure_boot),
            ("console-enabled", configuration.console_enabled),
            ("tpm-enabled", configuration.tpm_enabled),
            ("tpm-persisted", configuration.tpm_persisted),
        ];
        for (name, flag) in flags {
            if let Some(flag) = flag {
                claims.tell(name, flag);
            }
        }
        if let Some(id) = configuration.vm_unique_id {
            claims.tell("vm-unique-id", id);
        }
        if let Some(user_data) = &self.user_data {
            claims.tell("user-data", user_data.as_slice());
        }
    }
}

fn malformed(text: &str) -> Refusal {
    Refusal::new(Code::BadEncoding, format!("HCL report: {text}"))
}
