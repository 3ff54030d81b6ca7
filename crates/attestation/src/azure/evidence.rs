//! The container: three parts of different authors in one JSON document.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

use crate::formats::tpm::{PCR_BYTES, PCRS};
use crate::{Code, Refusal, json, limits};

/// An HCL report of 4 KiB, a TD quote of 16 KiB and a TPM quote, encoded.
const EVIDENCE_BYTES: usize = 64 << 10;

/// Recorded evidence is padded, and the same library writes it without padding elsewhere.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a machine hands out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// As it stands in the TPM's index 0x01400001.
    pub hcl_report: Vec<u8>,
    pub tpm_quote: TpmQuote,
    /// TDX only.
    pub td_quote: Option<Vec<u8>>,
}

/// The TPM's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TpmQuote {
    /// `TPMS_ATTEST`.
    pub message: Vec<u8>,
    /// PKCS#1 with SHA-256.
    pub signature: Vec<u8>,
    /// SHA-256 bank, only those that the quote covers, in rising order.
    pub pcrs: Vec<[u8; PCR_BYTES]>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    hcl_report: String,
    tpm_quote: QuoteDocument,
    #[serde(skip_serializing_if = "Option::is_none")]
    td_quote: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct QuoteDocument {
    message: String,
    signature: String,
    pcrs: Vec<String>,
}

impl Evidence {
    pub fn of_json(text: &[u8]) -> Result<Self, Refusal> {
        if text.is_empty() {
            return Err(Refusal::new(Code::Empty, "no evidence"));
        }
        let document: Document = json::parse(text, EVIDENCE_BYTES, "vTPM evidence")?;
        let td_quote = document.td_quote.map(|text| base64url(&text, "td_quote")).transpose()?;
        if td_quote.as_ref().is_some_and(|quote| quote.len() > limits::QUOTE_BYTES) {
            return Err(Refusal::new(Code::OversizedLength, "td_quote"));
        }
        let QuoteDocument { message, signature, pcrs } = document.tpm_quote;
        if pcrs.len() > PCRS {
            return Err(Refusal::new(Code::OversizedLength, format!("{} PCRs", pcrs.len())));
        }
        let pcr = |text: &String| const_hex::decode_to_array(text).map_err(|_| malformed("pcrs"));
        Ok(Self {
            hcl_report: base64url(&document.hcl_report, "hcl_report")?,
            tpm_quote: TpmQuote {
                message: const_hex::decode(message).map_err(|_| malformed("message"))?,
                signature: const_hex::decode(signature).map_err(|_| malformed("signature"))?,
                pcrs: pcrs.iter().map(pcr).collect::<Result<_, _>>()?,
            },
            td_quote,
        })
    }

    /// The bytes that [`super::verify`] reads.
    pub fn to_json(&self) -> Vec<u8> {
        let document = Document {
            hcl_report: BASE64URL.encode(&self.hcl_report),
            tpm_quote: QuoteDocument {
                message: const_hex::encode(&self.tpm_quote.message),
                signature: const_hex::encode(&self.tpm_quote.signature),
                pcrs: self.tpm_quote.pcrs.iter().map(const_hex::encode).collect(),
            },
            td_quote: self.td_quote.as_ref().map(|quote| BASE64URL.encode(quote)),
        };
        serde_json::to_vec(&document).expect("strings and lists of strings have a JSON form")
    }
}

fn base64url(text: &str, name: &str) -> Result<Vec<u8>, Refusal> {
    BASE64URL.decode(text).map_err(|_| malformed(name))
}

fn malformed(name: &str) -> Refusal {
    Refusal::new(Code::BadEncoding, format!("\"{name}\" of vTPM evidence"))
}
