//! The second half: what a service wants, decided on claims alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Binding, Bytes, Claims, Code, Kind, Refusal, amd, azure, cca, intel, maa, nitro, vbs};

/// What a service accepts. The default accepts nothing: its manifest is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// The code that may run. One entry must match.
    pub manifest: Vec<CodeEntry>,
    /// A node without hardware is accepted: for development only.
    pub allow_virtual: bool,
    pub intel: intel::Policy,
    pub snp: amd::Policy,
    pub nitro: nitro::Policy,
    pub cca: cca::Policy,
    pub azure_vtpm: azure::Policy,
    pub maa: maa::Policy,
    pub vbs: vbs::Policy,
}

/// One code that may run: by its measurement, or by its signer with the product and the lowest version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeEntry {
    pub kind: Kind,
    /// All of these must be among the claims' measurements and equal. An entry without any matches nothing.
    pub measurements: BTreeMap<String, Bytes>,
    /// What the host must have bound at launch; `None` allows anything.
    #[serde(default)]
    pub host_data: Option<Bytes>,
    /// The lowest version of the code that its signer gave. Claims without a version are refused then.
    #[serde(default)]
    pub lowest_svn: Option<u64>,
}

impl CodeEntry {
    pub fn new(kind: Kind, measurements: &[(&str, &[u8])]) -> Self {
        let named = measurements.iter().map(|(name, bytes)| ((*name).to_owned(), Bytes::from(*bytes)));
        Self { kind, measurements: named.collect(), host_data: None, lowest_svn: None }
    }

    fn measured(&self, claims: &Claims) -> bool {
        let equal = |(name, wanted)| claims.measurements.get(name) == Some(wanted);
        self.kind == claims.kind && !self.measurements.is_empty() && self.measurements.iter().all(equal)
    }

    fn recent(&self, claims: &Claims) -> bool {
        self.lowest_svn.is_none_or(|lowest| claims.svn.is_some_and(|svn| svn >= lowest))
    }

    fn hosted(&self, claims: &Claims) -> bool {
        self.host_data.is_none() || self.host_data == claims.host_data
    }
}

/// Decides on authenticated claims. The order is fixed: what only this kind has, debug, code, binding.
pub fn policy(claims: &Claims, policy: &Policy, binding: &Binding) -> Result<(), Refusal> {
    of_kind(claims, policy)?;
    if claims.debug {
        return Err(Refusal::new(Code::DebugBit, format!("{} evidence with the debug bit set", claims.kind)));
    }
    code(claims, &policy.manifest)?;
    binding.check(claims)
}

fn of_kind(claims: &Claims, policy: &Policy) -> Result<(), Refusal> {
    match claims.kind {
        Kind::Sgx | Kind::Tdx => intel::policy(claims, &policy.intel),
        Kind::SevSnp => amd::policy(claims, &policy.snp),
        Kind::Nitro => nitro::policy(claims, &policy.nitro),
        Kind::ArmCca => cca::policy(claims, &policy.cca),
        Kind::AzureVtpm => azure::policy(claims, &policy.azure_vtpm),
        Kind::Maa => maa::policy(claims, &policy.maa),
        Kind::Vbs => vbs::policy(claims, &policy.vbs),
        Kind::Virtual if policy.allow_virtual => Ok(()),
        Kind::Virtual => Err(Refusal::new(Code::Virtual, "the policy must say \"virtual\" to accept it")),
    }
}

/// Of several entries for one measurement, one must agree in all; the refusal names what the nearest lacks.
fn code(claims: &Claims, manifest: &[CodeEntry]) -> Result<(), Refusal> {
    let measured: Vec<_> = manifest.iter().filter(|entry| entry.measured(claims)).collect();
    if measured.is_empty() {
        let names = claims.measurements.iter().map(|(name, bytes)| format!("{name} {bytes}")).collect::<Vec<_>>();
        return Err(Refusal::new(Code::Measurement, names.join(", ")));
    }
    let recent: Vec<_> = measured.into_iter().filter(|entry| entry.recent(claims)).collect();
    if recent.is_empty() {
        return Err(Refusal::new(Code::LowSvn, format!("version {:?}", claims.svn)));
    }
    if !recent.iter().any(|entry| entry.hosted(claims)) {
        let code = if claims.kind == Kind::SevSnp { Code::SnpHostData } else { Code::Measurement };
        let found = claims.host_data.as_ref().map_or_else(|| "none".to_owned(), Bytes::to_string);
        return Err(Refusal::new(code, format!("host data {found}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use base::Digest;

    use super::*;

    fn claims() -> Claims {
        let mut claims = Claims::new(Kind::Virtual, Digest::ZERO, &[9; 64]);
        claims.measure("code", &[1; 32]);
        claims.host_data = Some(Bytes(vec![2; 32]));
        claims.svn = Some(5);
        claims
    }

    fn verdict(claims: &Claims, entries: Vec<CodeEntry>) -> Option<Code> {
        let wanted = Policy { manifest: entries, allow_virtual: true, ..Policy::default() };
        policy(claims, &wanted, &Binding::Exact(vec![9; 64])).err().map(|refusal| refusal.code)
    }

    #[test]
    fn one_entry_must_agree_in_all_it_says() {
        let plain = CodeEntry::new(Kind::Virtual, &[("code", &[1; 32])]);
        assert_eq!(verdict(&claims(), vec![plain.clone()]), None);
        let other_kind = CodeEntry { kind: Kind::Sgx, ..plain.clone() };
        let other_code = CodeEntry::new(Kind::Virtual, &[("code", &[3; 32])]);
        let half = CodeEntry::new(Kind::Virtual, &[("code", &[1; 32]), ("more", &[1; 32])]);
        let empty = CodeEntry::new(Kind::Virtual, &[]);
        assert_eq!(verdict(&claims(), vec![other_kind, other_code, half, empty]), Some(Code::Measurement));
        let newer = CodeEntry { lowest_svn: Some(6), ..plain.clone() };
        assert_eq!(verdict(&claims(), vec![newer.clone()]), Some(Code::LowSvn));
        let hosted = CodeEntry { host_data: Some(Bytes(vec![3; 32])), ..plain.clone() };
        assert_eq!(verdict(&claims(), vec![newer, hosted.clone()]), Some(Code::Measurement));
        assert_eq!(verdict(&claims(), vec![hosted, plain]), None);
    }

    #[test]
    fn a_policy_is_json_and_leaves_out_what_is_as_by_default() {
        assert_eq!(serde_json::from_str::<Policy>("{}").unwrap(), Policy::default());
        let text = r#"{"manifest":[{"kind":"tdx","measurements":{"mrtd":"00ff"}}],"intel":{"lowest_evaluation":18}}"#;
        let wanted = serde_json::from_str::<Policy>(text).unwrap();
        assert_eq!(wanted.manifest, [CodeEntry::new(Kind::Tdx, &[("mrtd", &[0, 0xff])])]);
        assert_eq!(wanted.intel.lowest_evaluation, 18);
        assert_eq!(wanted.intel.statuses, intel::Policy::default().statuses);
        assert_eq!(serde_json::from_str::<Policy>(&serde_json::to_string(&wanted).unwrap()).unwrap(), wanted);
        assert!(serde_json::from_str::<Policy>(r#"{"allow_vitrual":true}"#).is_err());
    }

    #[test]
    fn debug_and_virtual_are_refused_by_default() {
        let plain = CodeEntry::new(Kind::Virtual, &[("code", &[1; 32])]);
        let debug = Claims { debug: true, ..claims() };
        assert_eq!(verdict(&debug, vec![plain.clone()]), Some(Code::DebugBit));
        let production = Policy { manifest: vec![plain], ..Policy::default() };
        let refusal = policy(&claims(), &production, &Binding::Exact(vec![9; 64])).unwrap_err();
        assert_eq!(refusal.code, Code::Virtual);
    }
}
