//! The realm's half.

use aws_lc_rs::digest::{self, digest};

use super::token::{self, bytes, malformed};
use crate::formats::cbor::{self, Value};
use crate::formats::signature::PublicKey;
use crate::{Code, Refusal, limits};

const PROFILE: i64 = 265;
const PERSONALISATION: i64 = 44235;
/// Of what the realm measures.
const MEASUREMENT_HASH: i64 = 44236;
const KEY: i64 = 44237;
const INITIAL: i64 = 44238;
const EXTENSIBLE: i64 = 44239;
/// Of what binds the realm's key to the platform. The two may differ.
const KEY_HASH: i64 = 44240;

const PROFILE_NEWER: &str = "tag:arm.com,2023:realm#1.0.0";
const EXTENSIBLE_COUNT: usize = 4;

const COSE_KEY_TYPE: i64 = 1;
const COSE_KEY_TYPE_EC2: i64 = 2;
const COSE_CURVE: i64 = -1;
const COSE_CURVE_P256: i64 = 1;
const COSE_CURVE_P384: i64 = 2;
const COSE_X: i64 = -2;
const COSE_Y: i64 = -3;

/// What the realm says, read and not authenticated.
pub(super) struct Realm<'a> {
    pub(super) challenge: &'a [u8],
    pub(super) personalisation: &'a [u8],
    pub(super) initial: &'a [u8],
    pub(super) extensible: Vec<&'a [u8]>,
    key_hash: Hash,
    /// The claim as it stands: this is what the platform hashed.
    key_claim: &'a [u8],
    /// 0x04 ‖ x ‖ y
    point: Vec<u8>,
}

impl<'a> Realm<'a> {
    pub(super) fn decode(payload: &'a [u8]) -> Result<Self, Refusal> {
        let claims = cbor::decode(payload, limits::CCA_BYTES)?;
        let newer = match claims.at(PROFILE).map(Value::text) {
            None => false,
            Some(Some(PROFILE_NEWER)) => true,
            Some(other) => return Err(Refusal::new(Code::WrongVersion, format!("realm profile {other:?}"))),
        };
        let challenge = token::challenge(&claims, &[64])?;
        let (measured, key_hash) = (Hash::of(&claims, MEASUREMENT_HASH)?, Hash::of(&claims, KEY_HASH)?);
        let initial = bytes(&claims, INITIAL, |_| true)?;
        let extensible = claims.at(EXTENSIBLE).and_then(Value::array).and_then(|items| {
            items.iter().map(Value::bytes).collect::<Option<Vec<_>>>().filter(|items| items.len() == EXTENSIBLE_COUNT)
        });
        let extensible = extensible.ok_or_else(|| malformed(EXTENSIBLE))?;
        if extensible.iter().chain([&initial]).any(|value| value.len() != measured.bytes()) {
            return Err(Refusal::new(Code::CcaHashClaims, format!("measurements are not of {measured:?}")));
        }
        let key_claim = bytes(&claims, KEY, |_| true)?;
        let point = if newer { point_of_cose_key(key_claim)? } else { key_claim.to_vec() };
        if !matches!(point.len(), P256_POINT | P384_POINT) || point[0] != 4 {
            return Err(malformed(KEY));
        }
        Ok(Self {
            challenge,
            personalisation: bytes(&claims, PERSONALISATION, |length| length == 64)?,
            initial,
            extensible,
            key_hash,
            key_claim,
            point,
        })
    }

    pub(super) fn key(&self) -> PublicKey<'_> {
        if self.point.len() == P256_POINT { PublicKey::P256(&self.point) } else { PublicKey::P384(&self.point) }
    }

    /// What the platform's challenge must be.
    pub(super) fn key_hash(&self) -> Vec<u8> {
        digest(self.key_hash.algorithm(), self.key_claim).as_ref().to_vec()
    }
}

const P256_POINT: usize = 65;
const P384_POINT: usize = 97;

fn point_of_cose_key(bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    let key = cbor::decode(bytes, limits::CCA_BYTES)?;
    let number = |label| key.at(label).and_then(Value::integer);
    let length = match (number(COSE_KEY_TYPE), number(COSE_CURVE)) {
        (Some(COSE_KEY_TYPE_EC2), Some(COSE_CURVE_P256)) => 32,
        (Some(COSE_KEY_TYPE_EC2), Some(COSE_CURVE_P384)) => 48,
        _ => return Err(Refusal::new(Code::WrongAlgorithm, "the realm's key is on no curve of ours")),
    };
    let coordinate = |label| token::bytes(&key, label, |found| found == length);
    Ok([&[4], coordinate(COSE_X)?, coordinate(COSE_Y)?].concat())
}

/// A hash by its name in claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn of(claims: &Value<'_>, label: i64) -> Result<Self, Refusal> {
        match claims.at(label).and_then(Value::text) {
            Some("sha-256") => Ok(Self::Sha256),
            Some("sha-384") => Ok(Self::Sha384),
            Some("sha-512") => Ok(Self::Sha512),
            other => Err(Refusal::new(Code::CcaHashClaims, format!("claim {label} is {other:?}"))),
        }
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }

    fn bytes(self) -> usize {
        self.algorithm().output_len()
    }
}
