//! The keys that everything else hangs on: one AMD root key (ARK) a product.

use super::Product;
use crate::Refusal;
use crate::formats::x509::Certificate;

/// A root, with the product that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ark {
    pub product: Product,
    /// DER.
    pub certificate: Vec<u8>,
}

/// Who is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots(pub Vec<Ark>);

impl Roots {
    /// AMD's own, as its key server hands them out (`kdsintf.amd.com/vcek/v1/{product}/cert_chain`).
    pub fn amd() -> Self {
        let ark = |product, certificate: &[u8]| Ark { product, certificate: certificate.to_vec() };
        Self(vec![
            ark(Product::Milan, include_bytes!("roots/ark-milan.der")),
            ark(Product::Genoa, include_bytes!("roots/ark-genoa.der")),
            ark(Product::Turin, include_bytes!("roots/ark-turin.der")),
        ])
    }

    pub(super) fn parsed(&self) -> Result<Vec<(Product, Certificate<'_>)>, Refusal> {
        self.0.iter().map(|ark| Ok((ark.product, Certificate::parse(&ark.certificate)?))).collect()
    }
}
