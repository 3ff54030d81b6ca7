//! What a node shows of itself, and the one call that verifies any kind of it.

use serde::{Deserialize, Serialize};

use crate::{
    Binding, Bytes, Claims, Code, Kind, Policy, Refusal, amd, azure, cca, intel, json, limits, maa, nitro, vbs,
    virtual_tee,
};

/// Evidence with what vouches for it. Its JSON is what a joining node sends and what a ledger may keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presented {
    pub kind: Kind,
    pub evidence: Bytes,
    #[serde(default, skip_serializing_if = "Endorsements::is_none")]
    pub endorsements: Endorsements,
    /// What firmware and loader measured (TDX only): it must replay to the registers that the evidence certifies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_log: Option<Bytes>,
}

/// What a vendor signs about a platform, carried by whoever fetched it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endorsements {
    /// The evidence carries all of it.
    #[default]
    None,
    Intel(Box<intel::Collateral>),
    Amd(#[serde(with = "amd_form")] amd::Endorsements),
}

impl Endorsements {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// Whom a service trusts to vouch for hardware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// DER.
    pub intel: Vec<u8>,
    pub amd: amd::Roots,
    pub nitro: nitro::Root,
    /// Keys of single platforms: Arm has no root of them all.
    pub cca: cca::Anchors,
    /// Instances of the service, each with its keys.
    pub maa: Vec<maa::Instance>,
    /// Authorities of TPMs.
    pub vbs: vbs::Anchors,
}

impl Roots {
    /// The vendors' own, and nobody where a vendor has none.
    pub fn vendors() -> Self {
        Self {
            intel: intel::ROOT.to_vec(),
            amd: amd::Roots::amd(),
            nitro: nitro::Root::aws(),
            cca: cca::Anchors::default(),
            maa: Vec::new(),
            vbs: vbs::Anchors::default(),
        }
    }
}

impl Presented {
    /// Reads the JSON form.
    pub fn parse(json: &[u8]) -> Result<Self, Refusal> {
        json::parse(json, limits::PRESENTED_BYTES, "evidence")
    }

    /// Both halves: claims that are authentic at `now` and that the policy wants, bound to what was asked for.
    pub fn accept(&self, roots: &Roots, policy: &Policy, binding: &Binding, now: u64) -> Result<Claims, Refusal> {
        let claims = self.verify(roots, now)?;
        crate::policy(&claims, policy, binding)?;
        Ok(claims)
    }

    /// Generic verification at `now`: authenticated claims, which a policy then decides on.
    pub fn verify(&self, roots: &Roots, now: u64) -> Result<Claims, Refusal> {
        let evidence = &self.evidence.0;
        let claims = match (self.kind, &self.endorsements) {
            (Kind::Sgx | Kind::Tdx, Endorsements::Intel(given)) => intel::verify(evidence, given, &roots.intel, now),
            (Kind::SevSnp, Endorsements::Amd(given)) => amd::verify(evidence, given, &roots.amd, now),
            (Kind::AzureVtpm, Endorsements::Amd(given)) => {
                azure::verify(evidence, &azure::Endorsements::Snp { endorsements: given, roots: &roots.amd }, now)
            }
            (Kind::AzureVtpm, Endorsements::Intel(given)) => {
                azure::verify(evidence, &azure::Endorsements::Tdx { collateral: given, root: &roots.intel }, now)
            }
            (Kind::Nitro, Endorsements::None) => nitro::verify(evidence, &roots.nitro, now),
            (Kind::ArmCca, Endorsements::None) => cca::verify(evidence, &roots.cca),
            (Kind::Maa, Endorsements::None) => token(evidence, &roots.maa, now),
            (Kind::Vbs, Endorsements::None) => vbs::verify(evidence, &roots.vbs, now),
            (Kind::Virtual, Endorsements::None) => virtual_tee::verify(evidence),
            _ => Err(Refusal::new(Code::ChainIncomplete, format!("{} evidence with other endorsements", self.kind))),
        }?;
        // The evidence says itself whether it is of an enclave or of a TD.
        if claims.kind != self.kind {
            let text = format!("{} evidence under the name {}", claims.kind, self.kind);
            return Err(Refusal::new(Code::OtherProduct, text));
        }
        match &self.event_log {
            None => Ok(claims),
            Some(log) if self.kind == Kind::Tdx => intel::event_log::check(claims, &log.0),
            Some(_) => Err(Refusal::new(Code::TrailingBytes, format!("an event log with {} evidence", self.kind))),
        }
    }
}

/// A token is of one instance; where several are trusted, one of them must have made it. The refusal is that of the instance
/// that did, or the first one's.
fn token(evidence: &[u8], instances: &[maa::Instance], now: u64) -> Result<Claims, Refusal> {
    let elsewhere = |refusal: &Refusal| matches!(refusal.code, Code::MaaKid | Code::MaaIssuer | Code::BadSignature);
    let mut refusal: Option<Refusal> = None;
    for instance in instances {
        match maa::verify(evidence, instance, now) {
            Ok(claims) => return Ok(claims),
            Err(other) if refusal.as_ref().is_none_or(|refusal| elsewhere(refusal) && !elsewhere(&other)) => {
                refusal = Some(other);
            }
            Err(_) => {}
        }
    }
    Err(refusal.unwrap_or_else(|| Refusal::new(Code::MaaIssuer, "no instance is trusted")))
}

/// Certificates and lists in hexadecimal.
mod amd_form {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::{Bytes, amd};

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        chain: Vec<Bytes>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        crls: Vec<Bytes>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uvm: Option<Bytes>,
    }

    pub fn serialize<S: Serializer>(given: &amd::Endorsements, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = |parts: &[Vec<u8>]| parts.iter().map(|part| Bytes(part.clone())).collect();
        let form = Form { chain: bytes(&given.chain), crls: bytes(&given.crls), uvm: given.uvm.clone().map(Bytes) };
        form.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<amd::Endorsements, D::Error> {
        let Form { chain, crls, uvm } = Form::deserialize(deserializer)?;
        let parts = |parts: Vec<Bytes>| parts.into_iter().map(|part| part.0).collect();
        Ok(amd::Endorsements { chain: parts(chain), crls: parts(crls), uvm: uvm.map(|part| part.0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CodeEntry;

    fn virtual_node() -> Presented {
        let evidence = Bytes(virtual_tee::evidence(&[1; 32], &[2; 64], None));
        Presented { kind: Kind::Virtual, evidence, endorsements: Endorsements::None, event_log: None }
    }

    fn code(presented: &Presented) -> Option<Code> {
        presented.verify(&Roots::vendors(), 0).err().map(|refusal| refusal.code)
    }

    #[test]
    fn what_a_node_shows_goes_through_json_unchanged() {
        let plain = virtual_node();
        let amd = amd::Endorsements { chain: vec![vec![1], vec![2]], crls: vec![vec![3]], uvm: Some(vec![4]) };
        let more =
            Presented { endorsements: Endorsements::Amd(amd), event_log: Some(Bytes(vec![5])), ..virtual_node() };
        for presented in [plain, more] {
            let text = serde_json::to_vec(&presented).unwrap();
            assert_eq!(Presented::parse(&text), Ok(presented));
        }
        assert_eq!(Presented::parse(b"{}").unwrap_err().code, Code::BadEncoding);
    }

    #[test]
    fn a_virtual_node_is_accepted_where_the_policy_says_so() {
        let node = virtual_node();
        let (roots, binding) = (Roots::vendors(), Binding::Exact(vec![2; 64]));
        let manifest = vec![CodeEntry::new(Kind::Virtual, &[("code", &[1; 32])])];
        let development = Policy { allow_virtual: true, manifest, ..Policy::default() };
        assert_eq!(node.accept(&roots, &development, &binding, 0), node.verify(&roots, 0));
        let production = Policy { allow_virtual: false, ..development };
        assert_eq!(node.accept(&roots, &production, &binding, 0).unwrap_err().code, Code::Virtual);
    }

    #[test]
    fn evidence_under_another_name_or_with_foreign_parts_is_refused() {
        assert_eq!(code(&virtual_node()), None);
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Virtual) {
            assert!(code(&Presented { kind, ..virtual_node() }).is_some(), "{kind}");
        }
        let foreign = Presented { endorsements: Endorsements::Amd(amd::Endorsements::default()), ..virtual_node() };
        assert_eq!(code(&foreign), Some(Code::ChainIncomplete));
        assert_eq!(code(&Presented { event_log: Some(Bytes(vec![])), ..virtual_node() }), Some(Code::TrailingBytes));
    }
}
