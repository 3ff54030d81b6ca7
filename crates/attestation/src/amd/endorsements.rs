//! What must come with a report, and the forms in which clouds hand it out.

use serde::Deserialize;

use super::RawTcb;
use crate::formats::x509;
use crate::{Refusal, json};

/// Certificates, revocation lists and the word on the guest's firmware. Nothing of it is believed before it is verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endorsements {
    /// DER, in this order: VCEK or VLEK, its issuer ASK or ASVK. The ARK may follow and must then be the pinned one.
    pub chain: Vec<Vec<u8>>,
    /// DER, of the ARK or of the leaf's issuer.
    pub crls: Vec<Vec<u8>>,
    /// Who vouches for the measurement: a COSE message, as confidential containers on Azure have it.
    pub uvm: Option<Vec<u8>>,
}

impl Endorsements {
    /// A chain in PEM, leaf first.
    pub fn of_pem(text: &[u8]) -> Result<Self, Refusal> {
        Ok(Self { chain: x509::of_pem(text)?, ..Self::default() })
    }

    /// The answer of Azure's host (THIM), with the TCB that it was fetched for: after an update of the firmware it may be stale.
    pub fn of_thim(text: &[u8]) -> Result<(Self, Option<RawTcb>), Refusal> {
        let answer: Thim = json::parse(text, x509::PEM_BYTES, "AMD certificates of the host")?;
        let mut chain = x509::of_pem(answer.vcek_cert.as_bytes())?;
        chain.extend(x509::of_pem(answer.certificate_chain.as_bytes())?);
        let tcb = answer.tcbm.and_then(|text| RawTcb::of_hex(&text));
        Ok((Self { chain, ..Self::default() }, tcb))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Thim {
    vcek_cert: String,
    certificate_chain: String,
    tcbm: Option<String>,
}
