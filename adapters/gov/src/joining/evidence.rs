//! The forms in which evidence comes: those of CCF under its names, and any kind under its own.
//!
//! | `format` | `quote` (base64) | `endorsements` (base64) |
//! |---|---|---|
//! | `AMD_SEV_SNP_v1` | the report | its chain in PEM, leaf first, or the answer of Azure's host; `uvm_endorsements`: the COSE message |
//! | `OE_SGX_v1` | a DCAP quote | the collateral, JSON |
//! | `Insecure_Virtual` | a node's own statement | |
//! | the name of a kind (`tdx` …) | all of it, as `docs/formats/evidence.md` has it | |

use attestation::{Bytes, Endorsements, Kind, Presented, Refusal, amd, intel};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ledger::genesis::{QuoteInfo, VIRTUAL};

const SNP: &str = "AMD_SEV_SNP_v1";
const SGX: &str = "OE_SGX_v1";

/// Reads it. Nothing of it is believed yet.
pub fn presented(info: &QuoteInfo) -> Result<Presented, Refusal> {
    let QuoteInfo { format, quote, endorsements, uvm_endorsements } = info;
    let quote = bytes("quote", quote)?;
    let of = |kind, endorsements| Presented { kind, evidence: Bytes(quote.clone()), endorsements, event_log: None };
    match format.as_str() {
        SNP => {
            let uvm = uvm_endorsements.as_deref().filter(|text| !text.is_empty());
            let uvm = uvm.map(|text| bytes("uvm_endorsements", text)).transpose()?;
            let endorsements = bytes("endorsements", endorsements)?;
            let given = if endorsements.starts_with(b"{") {
                amd::Endorsements::of_thim(&endorsements)?.0
            } else {
                amd::Endorsements::of_pem(&endorsements)?
            };
            Ok(of(Kind::SevSnp, Endorsements::Amd(amd::Endorsements { uvm, ..given })))
        }
        SGX => {
            let collateral = intel::Collateral::parse(&bytes("endorsements", endorsements)?)?;
            Ok(of(Kind::Sgx, Endorsements::Intel(Box::new(collateral))))
        }
        VIRTUAL => Ok(of(Kind::Virtual, Endorsements::None)),
        name => {
            let kind: Kind = name.parse().map_err(|_| bad(format!("no evidence has the format {:?}", short(name))))?;
            let presented = Presented::parse(&quote)?;
            if presented.kind == kind {
                return Ok(presented);
            }
            Err(bad(format!("{} evidence under the name {kind}", presented.kind)))
        }
    }
}

/// The other way: what a platform gave, as nodes send it.
pub fn quote_info(presented: &Presented) -> QuoteInfo {
    match presented.kind {
        Kind::Virtual => QuoteInfo {
            format: VIRTUAL.to_owned(),
            quote: STANDARD.encode(&presented.evidence.0),
            ..QuoteInfo::default()
        },
        kind => QuoteInfo {
            format: kind.name().to_owned(),
            quote: STANDARD.encode(serde_json::to_vec(presented).unwrap_or_default()),
            ..QuoteInfo::default()
        },
    }
}

fn bytes(field: &str, text: &str) -> Result<Vec<u8>, Refusal> {
    STANDARD.decode(text).map_err(|_| bad(format!("{field} is not base64")))
}

fn bad(text: String) -> Refusal {
    Refusal::new(attestation::Code::BadEncoding, text)
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}
