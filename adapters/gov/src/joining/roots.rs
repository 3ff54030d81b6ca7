//! Who may vouch for hardware: its vendors, and whom members named beside them.

use attestation::amd::{self, Ark, Product};
use attestation::cca::{Anchor, Anchors};
use attestation::{Code, Kind, Refusal, Roots, maa, nitro, vbs};
use crypto::ForeignCertificate;
use governance::views::Root;

use super::policy::tee_of;

/// Of one kind; more are members' mistake, and each is tried.
const ROOTS_MAX: usize = 16;

/// Sets of roots, to be tried one after the other: the vendors' first, then one for each root that members named. In one
/// set, the verifier would look at one root of a name only, and a root that was renewed, or that somebody named by mistake,
/// would hide another.
pub fn roots(kind: Kind, rows: &[Root]) -> Vec<Roots> {
    let mut all = vec![Roots::vendors()];
    // On Azure's virtual TPM the hardware below is AMD's or Intel's.
    let tees: &[&str] = if kind == Kind::AzureVtpm { &["vtpm", "snp", "tdx", "sgx"] } else { &[tee_of(kind)] };
    for row in rows.iter().filter(|row| tees.contains(&row.tee.as_str())).take(ROOTS_MAX) {
        if let Err(refusal) = add(&mut all, row) {
            // Whoever it would have vouched for is refused, and told nothing of it.
            tracing::warn!(tee = row.tee, name = row.name, %refusal, "a root that members named cannot be read");
        }
    }
    all
}

/// Whether a refusal says more than an earlier one: that a root is not the one of this evidence is told only if none is.
pub fn is_nearer(refusal: &Refusal, earlier: &Refusal) -> bool {
    let distance = |refusal: &Refusal| match refusal.code {
        Code::OtherRoot | Code::NitroRoot => 2,
        Code::BadSignature => 1,
        _ => 0,
    };
    distance(refusal) < distance(earlier)
}

fn add(all: &mut Vec<Roots>, row: &Root) -> Result<(), Refusal> {
    let text = row.root.as_bytes();
    match row.tee.as_str() {
        "sgx" | "tdx" => {
            let intel = certificate(&row.root)?;
            all.push(Roots { intel, ..all[0].clone() });
        }
        "nitro" => {
            let nitro = nitro::Root::of_pem(text)?;
            all.push(Roots { nitro, ..all[0].clone() });
        }
        "snp" => {
            let product = [Product::Milan, Product::Genoa, Product::Turin].into_iter();
            let product = product.into_iter().find(|product| Some(product.name()) == row.product.as_deref());
            let product = product.ok_or_else(|| Refusal::new(Code::BadEncoding, "no product"))?;
            let amd = amd::Roots(vec![Ark { product, certificate: certificate(&row.root)? }]);
            all.push(Roots { amd, ..all[0].clone() });
        }
        "cca" => {
            let cca = Anchors(vec![Anchor::of_jwk(text)?]);
            all.push(Roots { cca, ..all[0].clone() });
        }
        "maa" => {
            let instance = maa::Instance::new(row.issuer.as_deref().unwrap_or_default(), text)?;
            all.iter_mut().for_each(|roots| roots.maa.push(instance.clone()));
        }
        "vbs" => {
            let vbs = vbs::Anchors(vec![certificate(&row.root)?]);
            all.push(Roots { vbs, ..all[0].clone() });
        }
        _ => return Err(Refusal::new(Code::BadEncoding, "nobody vouches for this kind of TEE")),
    }
    Ok(())
}

fn certificate(pem: &str) -> Result<Vec<u8>, Refusal> {
    let certificate = ForeignCertificate::from_pem(pem);
    let certificate = certificate.map_err(|error| Refusal::new(Code::BadEncoding, error.to_string()))?;
    Ok(certificate.der().to_vec())
}
