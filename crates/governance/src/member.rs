//! Who a member is: the digest of its certificate.

use std::fmt;

use base::Digest;
use crypto::ForeignCertificate;
use kv::Blob;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// SHA-256 of a member's certificate (DER). Written as 64 lower-case hexadecimal characters, in tables and to clients.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MemberId(pub Digest);

impl MemberId {
    #[must_use]
    pub fn of(certificate: &ForeignCertificate) -> Self {
        Self(crypto::sha256(certificate.der()))
    }

    /// Reads 64 hexadecimal characters of either case, as they stand in paths.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    /// The key of the member's rows.
    #[must_use]
    pub fn key(&self) -> Blob {
        Blob::from(self.to_string().into_bytes())
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for MemberId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MemberId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a member id is 64 hexadecimal characters"))
    }
}
