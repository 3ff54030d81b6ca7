//! Windows VBS: reports of enclaves, signed by the secure kernel.
//!
//! ```text
//! pinned root ─▶ TPM's key (AK) ─▶ TPM quote ─▶ PCRs ◀─replay─ boot log ─▶ secure kernel's key (IDK_S) ─▶ enclave report
//! ```
//!
//! No vendor certifies IDK_S: it is made at boot and measured, so the log that names it must replay to what the TPM quotes.
//! The quote's nonce must be what the enclave bound, so that both are of one request.
//!
//! The layouts are those of the Windows SDK (`ntenclv.h`, `wbcl.h`) and were **never seen on hardware**: no public sample
//! exists. Which PCR holds the key's event is taken from the log; the algorithm number before the key is not interpreted.
//!
//! Evidence is JSON: `ak_chain` (DER, leaf first), `log` and `report` in base64url, `tpm_quote` with `message` and
//! `signature` in hexadecimal. Claims: report data is EnclaveData; measurements "unique-id", "author-id", "owner-id",
//! "module0" … and "pcr0" to "pcr23", those that are quoted; svn is the enclave's. Details:
//!
//! | | |
//! |---|---|
//! | `flags`, `signing-level`, `secure-kernel-svn`, `platform-svn` | numbers of the report |
//! | `family-id`, `image-id` | 16 bytes each |
//! | `secure-boot`, `test-signing`, `boot-debugging`, `kernel-debugging`, `hypervisor-debugging` | flags of the boot log, where it states them |

mod anchors;
mod evidence;
mod log;
mod policy;
mod report;

use crate::formats::signature::{PublicKey, Scheme};
use crate::formats::tpm::Quote;
use crate::{Claims, Code, Kind, Refusal};

pub use anchors::Anchors;
pub use evidence::{Evidence, TpmQuote};
use log::{Boot, Log};
pub use policy::Policy;
pub(crate) use policy::policy;
use report::Report;

/// A nonce shorter than a hash does not tie the two.
const NONCE_BYTES_MIN: usize = 32;

/// Authenticates a report by a key of the boot log, the log by the TPM, the TPM by a pinned root, at `now`.
pub fn verify(evidence: &[u8], anchors: &Anchors, now: u64) -> Result<Claims, Refusal> {
    let parts = Evidence::of_json(evidence)?;
    let report = Report::parse(&parts.report)?;
    let log = Log::parse(&parts.log)?;
    let key = log.secure_kernel_key()?;
    let ak = anchors.attestation_key(&parts.ak_chain, now)?;
    let message = parts.tpm_quote.message.as_slice();
    let quote = Quote::parse(message)?;
    let ak = ak.key()?;
    let scheme = if matches!(ak, PublicKey::Rsa(_)) { Scheme::Pkcs1Sha256 } else { Scheme::EcdsaSha256 };
    if !ak.verifies(scheme, message, &parts.tpm_quote.signature) {
        return Err(Refusal::new(Code::BadSignature, "the TPM quote is not signed by its key"));
    }
    let registers = log.replay(&quote)?;
    if !quote.selected.contains(&key.register) {
        return Err(Refusal::new(Code::VbsLogReplay, format!("the key is in PCR {}, not quoted", key.register)));
    }
    if quote.extra_data.len() < NONCE_BYTES_MIN || !report.enclave_data.starts_with(quote.extra_data) {
        return Err(Refusal::new(Code::Nonce, "the TPM quote has another nonce than the enclave bound"));
    }
    let idk = PublicKey::RsaParts { n: key.modulus, e: key.exponent };
    if !idk.verifies(Scheme::PssSha256, report.signed, report.signature) {
        let other_salt = idk.signed_with_other_salt(report.signed, report.signature);
        let code = if other_salt { Code::VbsSalt } else { Code::BadSignature };
        return Err(Refusal::new(code, "the report is not signed by the secure kernel of this boot"));
    }
    let mut claims = Claims::new(Kind::Vbs, crypto::sha256(evidence), report.enclave_data);
    for (index, value) in quote.selected.iter().zip(&registers) {
        claims.measure(&format!("pcr{index}"), value);
    }
    Boot::of(&log, &quote.selected)?.tell(&mut claims);
    report.tell(&mut claims);
    Ok(claims)
}
