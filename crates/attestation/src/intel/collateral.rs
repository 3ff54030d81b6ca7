//! Endorsements of Intel: fetched from its provisioning service or a cache, by anybody. Fetching is not verifying.

use serde::{Deserialize, Serialize};

use crate::{Bytes, Code, Refusal, json, limits};

/// What Intel says about a platform family, its quoting enclave, and revoked certificates.
///
/// The fields have the names that caches of collateral use. `pck_crl_issuer_chain` is there because they deliver it; the list
/// must be of the authority that issued the quote's own PCK certificate, so nothing is taken from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collateral {
    #[serde(default)]
    pub pck_crl_issuer_chain: String,
    pub root_ca_crl: Bytes,
    pub pck_crl: Bytes,
    /// PEM: the signer, then the root.
    pub tcb_info_issuer_chain: String,
    /// The exact bytes of the `tcbInfo` value: they are what is signed.
    pub tcb_info: String,
    /// r ‖ s.
    pub tcb_info_signature: Bytes,
    pub qe_identity_issuer_chain: String,
    /// The exact bytes of the `enclaveIdentity` value.
    pub qe_identity: String,
    pub qe_identity_signature: Bytes,
    /// For a quote that carries no chain. If both have one, they must be equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pck_certificate_chain: Option<String>,
}

impl Collateral {
    /// Reads the JSON form.
    pub fn parse(json: &[u8]) -> Result<Self, Refusal> {
        let collateral: Self = json::parse(json, limits::COLLATERAL_BYTES, "the collateral")?;
        collateral.check_sizes()?;
        Ok(collateral)
    }

    /// Also for collateral that was not read from JSON.
    pub(super) fn check_sizes(&self) -> Result<(), Refusal> {
        let chains = limits::CHAIN_CERTIFICATES * limits::CERTIFICATE_BYTES * 2;
        let sizes = [
            ("root_ca_crl", self.root_ca_crl.0.len(), limits::CRL_BYTES),
            ("pck_crl", self.pck_crl.0.len(), limits::CRL_BYTES),
            ("pck_crl_issuer_chain", self.pck_crl_issuer_chain.len(), chains),
            ("tcb_info_issuer_chain", self.tcb_info_issuer_chain.len(), chains),
            ("tcb_info", self.tcb_info.len(), limits::TCB_INFO_BYTES),
            ("qe_identity_issuer_chain", self.qe_identity_issuer_chain.len(), chains),
            ("qe_identity", self.qe_identity.len(), limits::TCB_INFO_BYTES),
            ("pck_certificate_chain", self.pck_certificate_chain.as_ref().map_or(0, String::len), chains),
        ];
        match sizes.into_iter().find(|(_, size, limit)| size > limit) {
            Some((name, size, limit)) => {
                let text = format!("{name} has {size} bytes, at most {limit} are allowed");
                Err(Refusal::new(Code::OversizedLength, text))
            }
            None => Ok(()),
        }
    }
}
