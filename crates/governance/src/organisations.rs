//! Whose people somebody is: members record the certificates of an organisation, and whoever has a certificate under one of them is
//! one of its people, without a vote each.
//!
//! ```text
//!   the person's certificate, then those between (PEM, from anybody) ─▶ an authority in the organisation's row ─▶ Person
//! ```
//!
//! Every authority in the row is trusted by itself, intermediate ones too: an organisation that gives up one of them says so with
//! `set_organisation`. Time is the ledger's, an argument.

use crypto::ForeignCertificate;
use crypto::chain::{self, CHAIN_MAX, Flaw, Purpose};
use serde::{Deserialize, Serialize};

use crate::MemberId;

/// More than a chain of certificates in PEM has.
pub const CHAIN_BYTES_MAX: usize = 64 << 10;

/// A row of `organisations`, by the organisation's name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Organisation {
    /// The member or participant that speaks for it.
    pub owner: String,
    /// Roots and intermediate authorities, PEM.
    pub cert_bundle: String,
}

/// Somebody whom an organisation vouches for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Person {
    pub organisation: String,
    /// Who speaks for the organisation.
    pub owner: String,
    /// SHA-256 of the certificate: what its holder is called as a member or a user.
    pub id: MemberId,
    /// The name in the certificate, as the organisation wrote it.
    pub subject: String,
}

/// Why somebody is nobody's.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Stranger {
    #[error("the chain has more than {CHAIN_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the chain is not certificates in PEM, the person's first, {CHAIN_MAX} at most")]
    Malformed,
    /// With the reason of the organisation that comes closest.
    #[error("no organisation vouches for the certificate: {0}")]
    Unknown(Flaw),
    #[error("there is no such organisation")]
    Nobody,
}

/// Finds the organisation among `rows` that a person belongs to. `chain` is PEM, the person's certificate first; what is trusted may be
/// left out of it. `time` is in seconds since 1970.
pub fn person(
    rows: impl IntoIterator<Item = (String, Organisation)>,
    chain: &str,
    time: u64,
) -> Result<Person, Stranger> {
    if chain.len() > CHAIN_BYTES_MAX {
        return Err(Stranger::TooLarge);
    }
    let chain = ForeignCertificate::bundle(chain).map_err(|_| Stranger::Malformed)?;
    let leaf = chain.first().filter(|_| chain.len() <= CHAIN_MAX).ok_or(Stranger::Malformed)?;
    let mut why = None;
    for (name, organisation) in rows {
        // What is in the row was read when it was written; a person's own certificate does not vouch for itself.
        let mut trusted = ForeignCertificate::bundle(&organisation.cert_bundle).unwrap_or_default();
        trusted.retain(ForeignCertificate::is_authority);
        match chain::check(&chain, &trusted, time, Purpose::Person) {
            Ok(()) => {
                let (id, subject) = (MemberId::of(leaf), leaf.subject());
                return Ok(Person { organisation: name, owner: organisation.owner, id, subject });
            }
            // Of several organisations most know nothing of the chain; one that knows it says more.
            Err(Flaw::Untrusted) => why = why.or(Some(Flaw::Untrusted)),
            Err(flaw) => why = Some(flaw),
        }
    }
    Err(why.map_or(Stranger::Nobody, Stranger::Unknown))
}
