//! Who may vouch for hardware: its vendors, and whom members named beside them.

use attestation::amd::{Ark, Product};
use attestation::cca::Anchor;
use attestation::{Code, Kind, Refusal, Roots, maa, nitro};
use crypto::ForeignCertificate;
use governance::views::Root;

use super::policy::tee_of;

/// Of one kind; more are members' mistake, and each is tried.
const ROOTS_MAX: usize = 16;

/// Sets of roots, to be tried one after the other: the vendors' first. Where the verifier takes one root only, each has a set.
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

/// Whether a refusal says more than an earlier one: whose root it is, is not what is wrong.
pub fn is_nearer(refusal: &Refusal, earlier: &Refusal) -> bool {
    let elsewhere = |refusal: &Refusal| matches!(refusal.code, Code::OtherRoot | Code::NitroRoot);
    elsewhere(earlier) && !elsewhere(refusal)
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
            let ark = Ark { product, certificate: certificate(&row.root)? };
            all.iter_mut().for_each(|roots| roots.amd.0.push(ark.clone()));
        }
        "cca" => {
            let anchor = Anchor::of_jwk(text)?;
            all.iter_mut().for_each(|roots| roots.cca.0.push(anchor.clone()));
        }
        "maa" => {
            let instance = maa::Instance::new(row.issuer.as_deref().unwrap_or_default(), text)?;
            all.iter_mut().for_each(|roots| roots.maa.push(instance.clone()));
        }
        "vbs" => {
            let authority = certificate(&row.root)?;
            all.iter_mut().for_each(|roots| roots.vbs.0.push(authority.clone()));
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
