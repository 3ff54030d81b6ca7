//! What generic verification authenticated, in a form that people can read and a ledger can keep.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Code, Kind, Refusal, Status};

/// Everything a policy may decide on. Each field is signed by the hardware or certified by its vendor.
///
/// Equal claims have equal JSON: all maps and sets are ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    pub kind: Kind,
    /// SHA-256 of the exact evidence bytes, cut where the format says that they end.
    #[serde(with = "digest")]
    pub evidence: Digest,
    /// What the node bound into its evidence.
    pub report_data: Bytes,
    /// What was loaded and measured, by the platform's own names in small letters ("mrenclave", "mrtd", "rtmr0", "measurement", "pcr0").
    pub measurements: BTreeMap<String, Bytes>,
    /// What the host or owner bound at launch and the code did not choose (SNP host_data, TDX mrconfigid, SGX configid).
    pub host_data: Option<Bytes>,
    /// Somebody outside can read or change the TEE's memory.
    pub debug: bool,
    /// The version that the code's signer gave it (ISVSVN, guest SVN); only rises.
    pub svn: Option<u64>,
    /// What `tcb` is compared within: FMSPC, or CPUID in hexadecimal.
    pub platform: Option<String>,
    /// Versions of the platform's trusted parts, by name.
    pub tcb: BTreeMap<String, u64>,
    /// The vendor's word on that TCB, where the vendor gives one (Intel).
    pub status: Option<Status>,
    /// Advisories that the vendor lists for that TCB.
    pub advisories: BTreeSet<String>,
    /// The lowest evaluation number among the endorsements (Intel): the highest one seen is a policy's lowest.
    pub evaluation: Option<u32>,
    /// All else that was authenticated, by name; what each kind puts here stands in its module.
    pub details: BTreeMap<String, Value>,
}

impl Claims {
    /// Claims of a kind with nothing said yet.
    pub fn new(kind: Kind, evidence: Digest, report_data: &[u8]) -> Self {
        Self {
            kind,
            evidence,
            report_data: Bytes::from(report_data),
            measurements: BTreeMap::new(),
            host_data: None,
            debug: false,
            svn: None,
            platform: None,
            tcb: BTreeMap::new(),
            status: None,
            advisories: BTreeSet::new(),
            evaluation: None,
            details: BTreeMap::new(),
        }
    }

    pub fn measure(&mut self, name: &str, bytes: &[u8]) {
        self.measurements.insert(name.to_owned(), Bytes::from(bytes));
    }

    pub fn tell(&mut self, name: &str, value: impl Into<Value>) {
        self.details.insert(name.to_owned(), value.into());
    }

    /// The flag `name` among the details. A policy that asks for what the evidence does not say must refuse, hence the error.
    pub fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.details.get(name) {
            Some(Value::Flag(flag)) => Ok(*flag),
            _ => Err(absent(name)),
        }
    }

    /// The number `name` among the details.
    pub fn number(&self, name: &str) -> Result<u64, Refusal> {
        match self.details.get(name) {
            Some(Value::Number(number)) => Ok(*number),
            _ => Err(absent(name)),
        }
    }

    /// The text `name` among the details.
    pub fn text(&self, name: &str) -> Result<&str, Refusal> {
        match self.details.get(name) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(absent(name)),
        }
    }

    /// The bytes `name` among the details.
    pub fn bytes(&self, name: &str) -> Result<&[u8], Refusal> {
        match self.details.get(name) {
            Some(Value::Bytes(bytes)) => Ok(&bytes.0),
            _ => Err(absent(name)),
        }
    }
}

fn absent(name: &str) -> Refusal {
    Refusal::new(Code::ClaimMissing, format!("the evidence does not say \"{name}\""))
}

/// Bytes that are written in hexadecimal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub Vec<u8>);

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&const_hex::encode(&self.0))
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&const_hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        const_hex::decode(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// One detail. In JSON: `{"number": 3}`, so that text and bytes stay apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    Flag(bool),
    Number(u64),
    Text(String),
    Bytes(Bytes),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => fmt::Display::fmt(flag, f),
            Self::Number(number) => fmt::Display::fmt(number, f),
            Self::Text(text) => f.write_str(text),
            Self::Bytes(bytes) => fmt::Display::fmt(bytes, f),
        }
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// A digest as its 64 characters.
mod digest {
    use super::{Deserialize, Deserializer, Digest, Serializer};

    pub fn serialize<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(digest)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_go_through_json_unchanged_and_refuse_what_they_do_not_know() {
        let mut claims = Claims::new(Kind::Sgx, Digest([7; 32]), &[1; 64]);
        claims.measure("mrenclave", &[2; 32]);
        claims.tell("smt", true);
        claims.tell("name", "x");
        claims.tell("level", 3_u64);
        claims.tell("key", &[4_u8, 5][..]);
        claims.status = Some(Status::SWHardeningNeeded);
        let text = serde_json::to_string(&claims).unwrap();
        assert_eq!(serde_json::from_str::<Claims>(&text).unwrap(), claims);
        assert!(text.contains(r#""key":{"bytes":"0405"}"#), "{text}");
        assert!(serde_json::from_str::<Claims>(&text.replacen("\"debug\"", "\"degub\"", 1)).is_err());
        assert_eq!(claims.flag("smt"), Ok(true));
        assert_eq!(claims.flag("name").unwrap_err().code, Code::ClaimMissing);
    }
}
