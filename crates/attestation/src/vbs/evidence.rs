//! The container: what a machine hands out, in one JSON document.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::{Code, Refusal, json};

/// A log of 1 MiB, encoded, with the rest.
const EVIDENCE_BYTES: usize = 2 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Of the TPM's attestation key: DER, leaf first.
    pub ak_chain: Vec<Vec<u8>>,
    pub tpm_quote: TpmQuote,
    /// The Windows boot log (WBCL).
    pub log: Vec<u8>,
    /// As `EnclaveGetAttestationReport` returns it.
    pub report: Vec<u8>,
}

/// The TPM's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TpmQuote {
    /// `TPMS_ATTEST`.
    pub message: Vec<u8>,
    /// PKCS#1 with SHA-256, or r and s side by side.
    pub signature: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    ak_chain: Vec<String>,
    tpm_quote: QuoteDocument,
    log: String,
    report: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuoteDocument {
    message: String,
    signature: String,
}

impl Evidence {
    pub fn of_json(text: &[u8]) -> Result<Self, Refusal> {
        if text.is_empty() {
            return Err(Refusal::new(Code::Empty, "no evidence"));
        }
        let document: Document = json::parse(text, EVIDENCE_BYTES, "VBS evidence")?;
        let base64url = |text: &String| URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed("base64url"));
        let hex = |text: &String| const_hex::decode(text).map_err(|_| malformed("hexadecimal"));
        Ok(Self {
            ak_chain: document.ak_chain.iter().map(base64url).collect::<Result<_, _>>()?,
            tpm_quote: TpmQuote {
                message: hex(&document.tpm_quote.message)?,
                signature: hex(&document.tpm_quote.signature)?,
            },
            log: base64url(&document.log)?,
            report: base64url(&document.report)?,
        })
    }

    /// The bytes that [`super::verify`] reads.
    pub fn to_json(&self) -> Vec<u8> {
        let document = Document {
            ak_chain: self.ak_chain.iter().map(|der| URL_SAFE_NO_PAD.encode(der)).collect(),
            tpm_quote: QuoteDocument {
                message: const_hex::encode(&self.tpm_quote.message),
                signature: const_hex::encode(&self.tpm_quote.signature),
            },
            log: URL_SAFE_NO_PAD.encode(&self.log),
            report: URL_SAFE_NO_PAD.encode(&self.report),
        };
        serde_json::to_vec(&document).expect("strings and lists of strings have a JSON form")
    }
}

fn malformed(form: &str) -> Refusal {
    Refusal::new(Code::BadEncoding, format!("VBS evidence: {form}"))
}
