//! What must come with a report, and the forms in which clouds hand it out.

use serde::Deserialize;
use x509_parser::pem::Pem;

use super::RawTcb;
use crate::{Code, Refusal, json, limits};

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

/// More than a chain of four with their text.
const PEM_BYTES: usize = 64 << 10;

impl Endorsements {
    /// A chain in PEM, leaf first.
    pub fn of_pem(text: &[u8]) -> Result<Self, Refusal> {
        Ok(Self { chain: certificates(text)?, ..Self::default() })
    }

    /// The answer of Azure's host (THIM), with the TCB that it was fetched for: after an update of the firmware it may be stale.
    pub fn of_thim(text: &[u8]) -> Result<(Self, Option<RawTcb>), Refusal> {
        let answer: Thim = json::parse(text, PEM_BYTES, "AMD certificates of the host")?;
        let mut chain = certificates(answer.vcek_cert.as_bytes())?;
        chain.extend(certificates(answer.certificate_chain.as_bytes())?);
        // Written as one number, the highest byte first.
        let tcb = answer.tcbm.and_then(|text| {
            let mut bytes: [u8; 8] = const_hex::decode_to_array(text).ok()?;
            bytes.reverse();
            Some(RawTcb(bytes))
        });
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

fn certificates(text: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
    if text.len() > PEM_BYTES {
        return Err(Refusal::new(Code::OversizedLength, format!("{} bytes of PEM", text.len())));
    }
    let mut chain = Vec::new();
    for pem in Pem::iter_from_buffer(text) {
        let pem = pem.map_err(|e| Refusal::new(Code::BadEncoding, format!("PEM: {e}")))?;
        if pem.label != "CERTIFICATE" {
            return Err(Refusal::new(Code::BadEncoding, format!("a {} among certificates", pem.label)));
        }
        if chain.len() == limits::CHAIN_CERTIFICATES {
            return Err(Refusal::new(Code::OversizedLength, "too many certificates"));
        }
        chain.push(pem.contents);
    }
    Ok(chain)
}
