//! The outer token and the platform's half.

use crate::formats::cbor::{self, Value};
use crate::formats::cose::{self, Sign1};
use crate::formats::signature::{PublicKey, Scheme};
use crate::{Code, Refusal, limits};

const TAG_CCA: u64 = 399;
const PLATFORM_TOKEN: i64 = 44234;
const REALM_TOKEN: i64 = 44241;

const CHALLENGE: i64 = 10;
const INSTANCE_ID: i64 = 256;
const PROFILE: i64 = 265;
const LIFECYCLE: i64 = 2395;
const IMPLEMENTATION_ID: i64 = 2396;
const SOFTWARE: i64 = 2399;
const CONFIGURATION: i64 = 2401;

const PROFILES: [&str; 2] = ["http://arm.com/CCA-SSD/1.0.0", "tag:arm.com,2023:cca_platform#1.0.0"];
/// Of one software component.
const PART_KIND: i64 = 1;
const PART_MEASUREMENT: i64 = 2;
const PART_VERSION: i64 = 4;
const PART_SIGNER: i64 = 5;
/// Real platforms list about ten.
const SOFTWARE_PARTS: usize = 64;

/// Platform token and realm token, each a COSE message.
pub(super) fn parts(evidence: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let Value::Tag(TAG_CCA, collection) = cbor::decode(evidence, limits::CCA_BYTES)? else {
        return Err(Refusal::new(Code::CcaTag, "no tag 399"));
    };
    let part = |label| collection.at(label).and_then(Value::bytes);
    match (part(PLATFORM_TOKEN), part(REALM_TOKEN), collection.map()) {
        (Some(platform), Some(realm), Some([_, _])) => Ok((platform, realm)),
        _ => Err(Refusal::new(Code::BadEncoding, "not one platform token and one realm token")),
    }
}

pub(super) fn message(token: &[u8]) -> Result<Sign1<'_>, Refusal> {
    let message = Sign1::decode(token, limits::CCA_BYTES)?;
    if message.tagged { Ok(message) } else { Err(Refusal::new(Code::CcaTag, "a token without tag 18")) }
}

/// The algorithm must be the one of the key's curve.
pub(super) fn is_signed_by(message: &Sign1<'_>, key: &PublicKey<'_>) -> Result<bool, Refusal> {
    let scheme = match (message.algorithm(), key) {
        (Some(cose::ES256), PublicKey::P256(_)) => Scheme::EcdsaSha256,
        (Some(cose::ES384), PublicKey::P384(_)) => Scheme::EcdsaSha384,
        (other, _) => return Err(Refusal::new(Code::WrongAlgorithm, format!("algorithm {other:?} for this key"))),
    };
    Ok(message.is_signed_by(key, scheme))
}

/// What the platform says, read and not authenticated.
pub(super) struct Platform<'a> {
    pub(super) profile: &'a str,
    /// The hash of the realm's key.
    pub(super) challenge: &'a [u8],
    pub(super) implementation_id: &'a [u8],
    pub(super) instance_id: &'a [u8],
    pub(super) lifecycle: u16,
    pub(super) configuration: &'a [u8],
    pub(super) software: Vec<Part<'a>>,
}

/// A part of the platform's software.
pub(super) struct Part<'a> {
    pub(super) kind: Option<&'a str>,
    pub(super) version: Option<&'a str>,
    pub(super) measurement: &'a [u8],
    pub(super) signer: &'a [u8],
}

impl<'a> Platform<'a> {
    pub(super) fn decode(payload: &'a [u8]) -> Result<Self, Refusal> {
        let claims = cbor::decode(payload, limits::CCA_BYTES)?;
        let profile = claims.at(PROFILE).and_then(Value::text).unwrap_or("none");
        if !PROFILES.contains(&profile) {
            return Err(Refusal::new(Code::WrongVersion, format!("platform profile \"{profile}\"")));
        }
        let challenge = challenge(&claims, &[32, 48, 64])?;
        let lifecycle = claims.at(LIFECYCLE).and_then(Value::unsigned).and_then(|n| u16::try_from(n).ok());
        let software = claims.at(SOFTWARE).and_then(Value::array).filter(|parts| parts.len() <= SOFTWARE_PARTS);
        let software = software.ok_or_else(|| malformed(SOFTWARE))?.iter().map(Part::of);
        Ok(Self {
            profile,
            challenge,
            implementation_id: bytes(&claims, IMPLEMENTATION_ID, |length| length == 32)?,
            instance_id: bytes(&claims, INSTANCE_ID, |length| length == 33)?,
            lifecycle: lifecycle.ok_or_else(|| malformed(LIFECYCLE))?,
            configuration: bytes(&claims, CONFIGURATION, |_| true)?,
            software: software.collect::<Result<_, _>>()?,
        })
    }
}

impl<'a> Part<'a> {
    fn of(value: &Value<'a>) -> Result<Self, Refusal> {
        let is_digest = |length: usize| matches!(length, 32 | 48 | 64);
        Ok(Self {
            kind: optional_text(value, PART_KIND)?,
            version: optional_text(value, PART_VERSION)?,
            measurement: bytes(value, PART_MEASUREMENT, is_digest)?,
            signer: bytes(value, PART_SIGNER, is_digest)?,
        })
    }
}

/// Without a challenge a token could be of any time and for anybody.
pub(super) fn challenge<'a>(claims: &Value<'a>, lengths: &[usize]) -> Result<&'a [u8], Refusal> {
    let challenge = claims.at(CHALLENGE).ok_or_else(|| Refusal::new(Code::CcaChallenge, "claim 10"))?;
    challenge.bytes().filter(|challenge| lengths.contains(&challenge.len())).ok_or_else(|| malformed(CHALLENGE))
}

pub(super) fn bytes<'a>(claims: &Value<'a>, label: i64, fits: impl Fn(usize) -> bool) -> Result<&'a [u8], Refusal> {
    let bytes = claims.at(label).and_then(Value::bytes);
    bytes.filter(|bytes| fits(bytes.len())).ok_or_else(|| malformed(label))
}

fn optional_text<'a>(claims: &Value<'a>, label: i64) -> Result<Option<&'a str>, Refusal> {
    claims.at(label).map(|value| value.text().ok_or_else(|| malformed(label))).transpose()
}

pub(super) fn malformed(label: i64) -> Refusal {
    Refusal::new(Code::BadEncoding, format!("claim {label} is absent or of another form"))
}
