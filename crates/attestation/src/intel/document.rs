//! Intel's two signed documents, JSON: TCB info (a platform family's levels) and QE identity (the quoting enclave's).
//!
//! The signature covers the exact bytes, so they are kept as they came and parsed only after it holds.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};

use super::{chain, date, pem};
use crate::formats::x509::Certificate;
use crate::{Code, Refusal, Status, json, limits};

/// TCB info, version 3.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TcbInfo {
    /// "SGX" or "TDX".
    pub id: String,
    pub version: u32,
    pub issue_date: String,
    pub next_update: String,
    #[serde(deserialize_with = "hex")]
    pub fmspc: [u8; 6],
    #[serde(deserialize_with = "hex")]
    pub pce_id: [u8; 2],
    pub tcb_evaluation_data_number: u32,
    pub tcb_levels: Vec<TcbLevel>,
    pub tdx_module: Option<Module>,
    #[serde(default)]
    pub tdx_module_identities: Vec<ModuleIdentity>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TcbLevel {
    pub tcb: Tcb,
    pub tcb_date: String,
    pub tcb_status: Status,
    #[serde(rename = "advisoryIDs", default)]
    pub advisory_ids: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Tcb {
    #[serde(rename = "sgxtcbcomponents")]
    pub sgx: [Component; 16],
    pub pcesvn: u16,
    #[serde(rename = "tdxtcbcomponents")]
    pub tdx: Option<[Component; 16]>,
}

/// One component's version; what else it says (a category, a type) is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Component {
    pub svn: u8,
}

/// The TDX module that has no entry of its own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Module {
    #[serde(deserialize_with = "hex")]
    pub mrsigner: [u8; 48],
    #[serde(deserialize_with = "hex")]
    pub attributes: [u8; 8],
    #[serde(deserialize_with = "hex")]
    pub attributes_mask: [u8; 8],
}

/// A TDX module by its version: "TDX_" and two hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModuleIdentity {
    pub id: String,
    #[serde(flatten)]
    pub module: Module,
    pub tcb_levels: Vec<SvnLevel>,
}

/// A level of an enclave or module, which has one version.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SvnLevel {
    pub tcb: Svn,
    pub tcb_date: String,
    pub tcb_status: Status,
    #[serde(rename = "advisoryIDs", default)]
    pub advisory_ids: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Svn {
    pub isvsvn: u16,
}

/// What a quoting enclave must look like.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QeIdentity {
    /// "QE" for SGX, "TD_QE" for TDX.
    pub id: String,
    pub version: u32,
    pub issue_date: String,
    pub next_update: String,
    pub tcb_evaluation_data_number: u32,
    /// As the report has it: little-endian.
    #[serde(deserialize_with = "hex")]
    pub miscselect: [u8; 4],
    #[serde(rename = "miscselectMask", deserialize_with = "hex")]
    pub miscselect_mask: [u8; 4],
    #[serde(deserialize_with = "hex")]
    pub attributes: [u8; 16],
    #[serde(rename = "attributesMask", deserialize_with = "hex")]
    pub attributes_mask: [u8; 16],
    #[serde(deserialize_with = "hex")]
    pub mrsigner: [u8; 32],
    pub isvprodid: u16,
    pub tcb_levels: Vec<SvnLevel>,
}

fn hex<'de, D: Deserializer<'de>, const N: usize>(deserializer: D) -> Result<[u8; N], D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return Err(D::Error::custom(format!("{text:?} is not {N} bytes in hexadecimal")));
    }
    const_hex::decode_to_slice(&text, &mut bytes).map_err(D::Error::custom)?;
    Ok(bytes)
}

/// How one of the two documents is checked.
struct Rules {
    what: &'static str,
    unsigned: Code,
    other_signer: Code,
    versions: &'static [u32],
    version_code: Code,
}

const TCB_INFO: Rules = Rules {
    what: "TCB info",
    unsigned: Code::TcbInfoUnsigned,
    other_signer: Code::TcbInfoSigner,
    versions: &[3],
    version_code: Code::TcbInfoVersion,
};
const QE_IDENTITY: Rules = Rules {
    what: "QE identity",
    unsigned: Code::QeIdentityUnsigned,
    other_signer: Code::QeIdentitySigner,
    versions: &[2, 3],
    version_code: Code::WrongVersion,
};

/// A document with its signature (r ‖ s) and its signer's chain (PEM).
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    pub text: &'a str,
    pub signature: &'a [u8],
    pub chain: &'a str,
}

impl Signed<'_> {
    /// The TCB info, if Intel signed it and it holds at `now`.
    pub fn tcb_info(&self, root: &[u8], now: u64) -> Result<TcbInfo, Refusal> {
        let root = Certificate::parse(root)?;
        self.tcb_info_under(&root, now)
    }

    /// The QE identity, if Intel signed it and it holds at `now`.
    pub fn qe_identity(&self, root: &[u8], now: u64) -> Result<QeIdentity, Refusal> {
        let root = Certificate::parse(root)?;
        self.qe_identity_under(&root, now)
    }

    pub(super) fn tcb_info_under(&self, root: &Certificate<'_>, now: u64) -> Result<TcbInfo, Refusal> {
        let info: TcbInfo = self.open(&TCB_INFO, root, now)?;
        window("TCB info", &info.issue_date, &info.next_update, now)?;
        Ok(info)
    }

    pub(super) fn qe_identity_under(&self, root: &Certificate<'_>, now: u64) -> Result<QeIdentity, Refusal> {
        let identity: QeIdentity = self.open(&QE_IDENTITY, root, now)?;
        window("QE identity", &identity.issue_date, &identity.next_update, now)?;
        Ok(identity)
    }

    /// Signature first; then the version, since another version may have other fields.
    fn open<T: DeserializeOwned>(&self, rules: &Rules, root: &Certificate<'_>, now: u64) -> Result<T, Refusal> {
        if self.signature.is_empty() {
            return Err(Refusal::new(rules.unsigned, rules.what));
        }
        let ders = pem::certificates(self.chain.as_bytes())?;
        let certificates = chain::parse(&ders)?;
        chain::check_tcb_signer(&certificates, root, now)?;
        if !chain::signed(self.text.as_bytes(), self.signature, &certificates[0].key()?) {
            return Err(Refusal::new(rules.other_signer, format!("{} by another key", rules.what)));
        }
        let Version { version } = json::parse(self.text.as_bytes(), limits::TCB_INFO_BYTES, rules.what)?;
        if !rules.versions.contains(&version) {
            return Err(Refusal::new(rules.version_code, format!("{} of version {version}", rules.what)));
        }
        json::parse(self.text.as_bytes(), limits::TCB_INFO_BYTES, rules.what)
    }

    /// The serial number of the document's signer, for revocation.
    pub(super) fn signer_serial(&self) -> Result<Vec<u8>, Refusal> {
        let ders = pem::certificates(self.chain.as_bytes())?;
        let certificates = chain::parse(&ders)?;
        Ok(certificates.first().map(|signer| signer.serial().to_vec()).unwrap_or_default())
    }
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

fn window(what: &str, from: &str, to: &str, now: u64) -> Result<(), Refusal> {
    if now < date::seconds(from)? {
        return Err(Refusal::new(Code::NotYetValid, format!("{what} holds from {from}")));
    }
    if now > date::seconds(to)? {
        return Err(Refusal::new(Code::Expired, format!("{what} held until {to}")));
    }
    Ok(())
}
