//! Azure's confidential VMs: the hardware vouches for a paravisor, the paravisor for a virtual TPM, the TPM for the guest.
//!
//! ```text
//! SNP report or TD quote of the paravisor ─▶ SHA-256 of runtime claims ─▶ attestation key in them ─▶ TPM quote ─▶ PCRs, nonce
//! ```
//!
//! Evidence is JSON: `hcl_report` and, for TDX, `td_quote` in base64url, and `tpm_quote` with `message` and `signature` in
//! hexadecimal and the `pcrs` that it covers, in rising order.
//!
//! What the guest bound ([`Claims::report_data`]) is the TPM quote's nonce, filled with zeros to 64 bytes. The rest is the
//! hardware's own claims (its measurements are the paravisor's), and beyond them:
//!
//! | | |
//! |---|---|
//! | measurements | `pcr0` to `pcr23`, those that the quote covers |
//! | `hardware` | "sev-snp" or "tdx" |
//! | `secure-boot`, `console-enabled`, `tpm-enabled`, `tpm-persisted` | flags of the machine, where it states them |
//! | `vm-unique-id`, `user-data` | as the machine states them; user data is what the guest wrote |
//! | `extra-data` | the TPM quote's nonce as it is |
//! | `reset-count`, `restart-count`, `tpm-firmware` | numbers of the TPM quote |

mod evidence;
mod hcl;
mod policy;

use crate::formats::signature::{PublicKey, Scheme};
use crate::formats::tpm::Quote;
use crate::{Claims, Code, Kind, Refusal, amd, intel};

pub use evidence::{Evidence, TpmQuote};
use hcl::{Hardware, Report};
pub use policy::Policy;
pub(crate) use policy::policy;

/// Who vouches for the hardware.
#[derive(Debug, Clone, Copy)]
pub enum Endorsements<'a> {
    Snp {
        endorsements: &'a amd::Endorsements,
        roots: &'a amd::Roots,
    },
    Tdx {
        collateral: &'a intel::Collateral,
        /// DER; [`intel::ROOT`] in production.
        root: &'a [u8],
    },
}

/// Authenticates the TPM quote by its key, the key by the runtime claims, and these by the hardware, at `now`.
pub fn verify(evidence: &[u8], endorsements: &Endorsements<'_>, now: u64) -> Result<Claims, Refusal> {
    let parts = Evidence::of_json(evidence)?;
    let report = Report::parse(&parts.hcl_report)?;
    report.check_binding()?;
    let runtime = report.runtime_claims()?;
    let quote = Quote::parse(&parts.tpm_quote.message)?;
    let message = parts.tpm_quote.message.as_slice();
    let signed_by = |key: PublicKey<'_>| key.verifies(Scheme::Pkcs1Sha256, message, &parts.tpm_quote.signature);
    if !signed_by(runtime.attestation_key()) {
        let by_other = runtime.endorsement_key().is_some_and(signed_by);
        let code = if by_other { Code::VtpmQuoteKey } else { Code::BadSignature };
        return Err(Refusal::new(code, "the TPM quote is not signed by HCLAkPub of the runtime claims"));
    }
    quote.check_registers(&parts.tpm_quote.pcrs)?;
    let mut claims = hardware(&report, &parts, endorsements, now)?;
    claims.kind = Kind::AzureVtpm;
    claims.evidence = crypto::sha256(evidence);
    claims.report_data = quote.padded_nonce();
    for (index, value) in quote.selected.iter().zip(&parts.tpm_quote.pcrs) {
        claims.measure(&format!("pcr{index}"), value);
    }
    claims.tell("extra-data", quote.extra_data);
    claims.tell("reset-count", u64::from(quote.reset_count));
    claims.tell("restart-count", u64::from(quote.restart_count));
    claims.tell("tpm-firmware", quote.firmware_version);
    runtime.tell(&mut claims);
    Ok(claims)
}

/// The hardware's own claims, if what it bound is the runtime claims.
fn hardware(
    report: &Report<'_>,
    parts: &Evidence,
    endorsements: &Endorsements<'_>,
    now: u64,
) -> Result<Claims, Refusal> {
    let (mut claims, name) = match (report.hardware, endorsements) {
        (Hardware::Snp(bytes), Endorsements::Snp { endorsements, roots }) => {
            (amd::verify(bytes, endorsements, roots, now)?, Kind::SevSnp)
        }
        (Hardware::Tdx(_), Endorsements::Tdx { collateral, root }) => {
            let quote = parts.td_quote.as_deref().ok_or_else(|| Refusal::new(Code::Empty, "no TD quote"))?;
            (intel::verify(quote, collateral, root, now)?, Kind::Tdx)
        }
        _ => return Err(Refusal::new(Code::OtherProduct, "the endorsements are of other hardware than the report")),
    };
    if claims.kind != name {
        return Err(Refusal::new(Code::VtpmReportType, format!("a quote of {}", claims.kind)));
    }
    // A TD quote is another structure than the report in the HCL report: it must bind the same claims.
    report.check_bound(&claims.report_data.0)?;
    claims.tell("hardware", name.name());
    Ok(claims)
}
