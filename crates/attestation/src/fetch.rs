//! What has to be fetched so that evidence is believed: which documents, from whom, and what to make of what comes.
//!
//! Quotes of Intel and reports of AMD say which platform they are of, and no more; the rest is had from a service of the vendor, or from a
//! cache of it nearby. The fetching itself is the caller's: here are URLs and bytes. **Nothing of it is believed here.** What comes is
//! signed by the vendor, and whoever verifies the evidence looks at that; so it does not matter who handed it over, or how.
//!
//! | evidence | service | documents |
//! |---|---|---|
//! | SGX, TDX | Intel's provisioning certification service, version 4, or a cache of it (PCCS) | TCB info, QE identity, both revocation lists |
//! | SEV-SNP | AMD's key distribution service (KDS) | the chip's certificate at this TCB, its issuers, their revocation list |

use crate::gather::Gathered;
use crate::{Endorsements, Kind, Refusal, amd, intel};

/// A document of a vendor's service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub url: String,
    /// No such document is larger.
    pub bytes_max: usize,
    /// The header that has its signer's chain.
    pub chain: Option<&'static str>,
}

/// What came: a body, and that header as it is (PEM, percent-encoded).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fetched {
    pub body: Vec<u8>,
    pub chain: Option<String>,
}

/// Who serves the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    Intel,
    Amd,
}

impl Vendor {
    /// `None`: evidence of this kind carries all that there is.
    #[must_use]
    pub fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Sgx | Kind::Tdx => Some(Self::Intel),
            Kind::SevSnp => Some(Self::Amd),
            // Behind Azure's paravisor nothing here asks for evidence.
            Kind::AzureVtpm => None,
            Kind::Nitro | Kind::ArmCca | Kind::Maa | Kind::Vbs | Kind::Virtual => None,
        }
    }
}

/// What is missing beside evidence. Two that are equal are answered by the same documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Intel(intel::Wanted),
    Amd(amd::Wanted),
}

impl Wanted {
    /// Beside evidence for hardware of this vendor.
    pub fn of(vendor: Vendor, gathered: &Gathered) -> Result<Self, Refusal> {
        match vendor {
            Vendor::Intel => intel::Wanted::of(&gathered.evidence).map(Self::Intel),
            Vendor::Amd => amd::Wanted::of(&gathered.evidence, gathered.of_host()?).map(Self::Amd),
        }
    }

    /// Whether the evidence may be shown without: its host gave all that must be there.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        matches!(self, Self::Amd(wanted) if wanted.is_optional())
    }

    /// The documents, at a service: `https://host[:port]`, as its vendor's tools are told it.
    #[must_use]
    pub fn documents(&self, service: &str) -> Vec<Document> {
        match self {
            Self::Intel(wanted) => wanted.documents(service),
            Self::Amd(wanted) => wanted.documents(service),
        }
    }

    /// What came for each of the documents, in their order.
    pub fn endorsements(&self, fetched: Vec<Fetched>) -> Result<Endorsements, Refusal> {
        match self {
            Self::Intel(_) => intel::Collateral::of_service(fetched).map(|it| Endorsements::Intel(Box::new(it))),
            Self::Amd(wanted) => wanted.endorsements(fetched).map(Endorsements::Amd),
        }
    }
}
