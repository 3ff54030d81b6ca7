//! AMD SEV-SNP: the report of a guest, the key of its chip, and who vouches for what it runs.
//!
//! ```text
//! pinned ARK ─▶ ASK or ASVK ─▶ VCEK (this chip at this TCB) or VLEK ─▶ report over the bytes as they came
//! root named by a DID ─▶ leaf with its purpose ─▶ UVM endorsement ─▶ "this measurement is release 101 of that feed"
//! ```
//!
//! What [`verify`] tells beyond the common claims (sizes in bytes):
//!
//! | detail | |
//! |---|---|
//! | `version`, `vmpl`, `policy`, `platform-info` | numbers of the report |
//! | `product` | Milan, Genoa or Turin |
//! | `signing-key` | "vcek" or "vlek" |
//! | `author-key`, `migration-agent` | flags |
//! | `committed-…` | the TCB that the firmware can go back to, part by part |
//! | `chip-id` 64, `family-id` 16, `image-id` 16, `id-key-digest` 48, `author-key-digest` 48, `report-id` 32 | |
//! | `crl-checked` | AMD's revocation list was among the endorsements |
//! | `uvm-issuer`, `uvm-feed`, `uvm-svn` | of the UVM endorsement, if there is one; then [`uvm_identity`] stands as measurement "uvm" |

mod chain;
mod endorsements;
mod policy;
mod report;
mod roots;
mod service;
mod uvm;
mod vek;

use crate::formats::signature::Scheme;
use crate::{Bytes, Claims, Code, Kind, Refusal};

pub use endorsements::Endorsements;
pub(crate) use policy::policy;
pub use policy::{Endorser, Policy};
pub use report::{Product, RawTcb, Report, SigningKey, Tcb};
pub use roots::{Ark, Roots};
pub use service::Wanted;
pub use uvm::{Endorsement, uvm_identity};

/// Bits of the guest policy.
const POLICY_MIGRATION_AGENT: u64 = 1 << 18;
const POLICY_DEBUG: u64 = 1 << 19;

/// Authenticates a report by the key of its chip or cloud, up to a pinned root, at `now` (seconds since 1970).
pub fn verify(evidence: &[u8], endorsements: &Endorsements, roots: &Roots, now: u64) -> Result<Claims, Refusal> {
    let report = Report::parse(evidence)?;
    let product = match report.cpuid() {
        None => None,
        Some([family, model, stepping]) => Some(Product::of_cpuid(family, model).ok_or_else(|| {
            Refusal::new(Code::SnpCpuid, format!("family {family:#x}, model {model:#x}, stepping {stepping}"))
        })?),
    };
    let vek = chain::verify(endorsements, roots, product, now)?;
    if vek.signing_key() != report.signing_key {
        let text = format!("the report says {:?}, the certificate {:?}", report.signing_key, vek.signing_key());
        return Err(Refusal::new(Code::OtherProduct, text));
    }
    report.refuse_other_layout(vek.product)?;
    if !vek.key.verifies(Scheme::EcdsaSha384, report.signed(), &report.signature()) {
        return Err(Refusal::new(Code::BadSignature, "the report is not signed by the key of its certificate"));
    }
    vek.certifies(&report)?;
    let mut claims = claims(evidence, &report, &vek);
    if let Some(endorsement) = &endorsements.uvm {
        let endorsement = Endorsement::verify(endorsement)?;
        if endorsement.measurement != report.measurement() {
            let text = format!("{} is endorsed", const_hex::encode(&endorsement.measurement));
            return Err(Refusal::new(Code::Measurement, text));
        }
        claims.measure("uvm", &uvm_identity(&endorsement.issuer, &endorsement.feed));
        claims.tell("uvm-issuer", endorsement.issuer);
        claims.tell("uvm-feed", endorsement.feed);
        claims.tell("uvm-svn", endorsement.svn);
    }
    Ok(claims)
}

fn claims(evidence: &[u8], report: &Report<'_>, vek: &chain::Vek<'_>) -> Claims {
    let mut claims = Claims::new(Kind::SevSnp, crypto::sha256(evidence), report.report_data());
    claims.measure("measurement", report.measurement());
    claims.host_data = Some(Bytes::from(report.host_data()));
    claims.debug = report.policy() & POLICY_DEBUG != 0;
    claims.svn = Some(u64::from(report.guest_svn()));
    claims.platform = report.cpuid().map(cpuid_name);
    for (part, version) in report.reported_tcb().parts(vek.product).named() {
        claims.tcb.insert(part.to_owned(), u64::from(version));
    }
    for (part, version) in report.committed_tcb().parts(vek.product).named() {
        claims.tell(&format!("committed-{part}"), u64::from(version));
    }
    claims.tell("version", u64::from(report.version()));
    claims.tell("vmpl", u64::from(report.vmpl()));
    claims.tell("policy", report.policy());
    claims.tell("platform-info", report.platform_info());
    claims.tell("product", vek.product.name());
    claims.tell(
        "signing-key",
        match report.signing_key {
            SigningKey::Vcek => "vcek",
            SigningKey::Vlek => "vlek",
        },
    );
    claims.tell("author-key", report.author_key_enabled());
    claims.tell("migration-agent", report.policy() & POLICY_MIGRATION_AGENT != 0);
    claims.tell("chip-id", report.chip_id());
    claims.tell("family-id", report.family_id());
    claims.tell("image-id", report.image_id());
    claims.tell("id-key-digest", report.id_key_digest());
    claims.tell("author-key-digest", report.author_key_digest());
    claims.tell("report-id", report.report_id());
    claims.tell("crl-checked", vek.crl_checked);
    claims
}

/// Family, model and stepping as the CPUID instruction packs them, in hexadecimal: "00a00f11".
fn cpuid_name([family, model, stepping]: [u8; 3]) -> String {
    let (family, model, stepping) = (u32::from(family), u32::from(model), u32::from(stepping));
    let packed = family.saturating_sub(0xF) << 20
        | (model >> 4) << 16
        | family.min(0xF) << 8
        | (model & 0xF) << 4
        | (stepping & 0xF);
    format!("{packed:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_is_named_as_the_processor_names_itself() {
        assert_eq!(cpuid_name([0x19, 0x01, 0x01]), "00a00f11");
        assert_eq!(cpuid_name([0x19, 0x11, 0x01]), "00a10f11");
        assert_eq!(cpuid_name([0x1A, 0x02, 0x01]), "00b00f21");
    }
}
