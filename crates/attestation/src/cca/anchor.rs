//! The keys of known platforms.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::token::Platform;
use crate::formats::signature::PublicKey;
use crate::{Bytes, Code, Refusal, json};

/// Where a key's point lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    P256,
    P384,
}

/// One platform's key, from its vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// Which kind of platform; none means any.
    pub implementation_id: Option<Bytes>,
    /// Which machine; none means any of its kind.
    pub instance_id: Option<Bytes>,
    pub curve: Curve,
    /// 0x04 ‖ x ‖ y
    pub point: Vec<u8>,
}

/// Whose tokens are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Anchors(pub Vec<Anchor>);

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
    y: String,
}

const JWK_BYTES: usize = 4 << 10;

impl Anchor {
    /// A JSON web key for any platform; narrow it by setting the ids.
    pub fn of_jwk(text: &[u8]) -> Result<Self, Refusal> {
        let jwk: Jwk = json::parse(text, JWK_BYTES, "JSON web key")?;
        let (curve, bytes) = match (jwk.kty.as_str(), jwk.crv.as_str()) {
            ("EC", "P-256") => (Curve::P256, 32),
            ("EC", "P-384") => (Curve::P384, 48),
            _ => return Err(Refusal::new(Code::WrongAlgorithm, format!("a {} key on {}", jwk.kty, jwk.crv))),
        };
        let mut point = vec![4];
        for text in [jwk.x, jwk.y] {
            let number = URL_SAFE_NO_PAD.decode(text).ok().filter(|number| number.len() == bytes);
            point.extend(number.ok_or_else(|| Refusal::new(Code::BadEncoding, "a coordinate of a JSON web key"))?);
        }
        Ok(Self { implementation_id: None, instance_id: None, curve, point })
    }

    pub(super) fn key(&self) -> Result<PublicKey<'_>, Refusal> {
        let key = match self.curve {
            Curve::P256 => PublicKey::P256(&self.point),
            Curve::P384 => PublicKey::P384(&self.point),
        };
        if key.is_on_curve() { Ok(key) } else { Err(Refusal::new(Code::CcaCurve, format!("{:?}", self.curve))) }
    }

    fn is_of(&self, platform: &Platform<'_>) -> bool {
        let same = |wanted: &Option<Bytes>, given: &[u8]| wanted.as_ref().is_none_or(|wanted| wanted.as_ref() == given);
        same(&self.implementation_id, platform.implementation_id) && same(&self.instance_id, platform.instance_id)
    }
}

impl Anchors {
    /// The first that is of this platform.
    pub(super) fn of(&self, platform: &Platform<'_>) -> Result<&Anchor, Refusal> {
        self.0.iter().find(|anchor| anchor.is_of(platform)).ok_or_else(|| {
            let instance = const_hex::encode(platform.instance_id);
            Refusal::new(Code::OtherRoot, format!("no key is known of platform {instance}"))
        })
    }
}
