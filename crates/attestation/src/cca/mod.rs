//! Arm CCA: two tokens in one, of the platform and of the realm that runs on it.
//!
//! ```text
//! platform key (CPAK), known beforehand ─▶ platform token: firmware, lifecycle, hash of ─▶ realm key ─▶ realm token: code, challenge
//! ```
//!
//! There is no chain: whoever sells the platform says which keys are of real machines, and these are the [`Anchors`].
//! What the realm bound ([`Claims::report_data`]) is its challenge; host data is the personalisation value. What [`verify`]
//! tells beyond the common claims:
//!
//! | | |
//! |---|---|
//! | measurements | `rim`, `rem0` to `rem3` of the realm; `platform0`, `platform1` … of the platform's software, in its order |
//! | `lifecycle` | number; 0x3000 to 0x30FF is secured |
//! | `profile` | of the platform token |
//! | `implementation-id` 32 bytes, `instance-id` 33 bytes, `configuration` | which platform |
//! | `platform0-type`, `platform0-version`, `platform0-signer` … | of each part of its software, where it says so |

mod anchor;
mod realm;
mod token;

use serde::{Deserialize, Serialize};

use crate::{Bytes, Claims, Code, Kind, Refusal, limits};

pub use anchor::{Anchor, Anchors, Curve};
use realm::Realm;
use token::Platform;

/// Authenticates a token by the key of its platform. Nothing in it has a time.
pub fn verify(evidence: &[u8], anchors: &Anchors) -> Result<Claims, Refusal> {
    if evidence.is_empty() {
        return Err(Refusal::new(Code::Empty, "no token"));
    }
    if evidence.len() > limits::CCA_BYTES {
        return Err(Refusal::new(Code::OversizedLength, format!("{} bytes", evidence.len())));
    }
    let (platform, realm) = token::parts(evidence)?;
    let platform = token::message(platform)?;
    let realm = token::message(realm)?;
    let platform_claims = Platform::decode(platform.payload)?;
    let realm_claims = Realm::decode(realm.payload)?;
    let anchor = anchors.of(&platform_claims)?;
    if !token::is_signed_by(&platform, &anchor.key()?)? {
        return Err(Refusal::new(Code::BadSignature, "the platform token is not signed by its platform's key"));
    }
    let hash = realm_claims.key_hash();
    if hash.len() != platform_claims.challenge.len() {
        return Err(Refusal::new(
            Code::CcaHashClaims,
            "the platform's challenge is no hash of the kind that is claimed",
        ));
    }
    if hash != platform_claims.challenge {
        return Err(Refusal::new(Code::CcaNotBound, "the platform's challenge is not the hash of the realm's key"));
    }
    if !token::is_signed_by(&realm, &realm_claims.key())? {
        return Err(Refusal::new(Code::CcaRealmKey, "the realm token is not signed by the key in it"));
    }
    Ok(claims(evidence, &platform_claims, &realm_claims))
}

fn claims(evidence: &[u8], platform: &Platform<'_>, realm: &Realm<'_>) -> Claims {
    let mut claims = Claims::new(Kind::ArmCca, crypto::sha256(evidence), realm.challenge);
    claims.measure("rim", realm.initial);
    for (index, value) in realm.extensible.iter().enumerate() {
        claims.measure(&format!("rem{index}"), value);
    }
    for (index, part) in platform.software.iter().enumerate() {
        let name = format!("platform{index}");
        claims.measure(&name, part.measurement);
        claims.tell(&format!("{name}-signer"), part.signer);
        if let Some(text) = part.kind {
            claims.tell(&format!("{name}-type"), text);
        }
        if let Some(text) = part.version {
            claims.tell(&format!("{name}-version"), text);
        }
    }
    claims.host_data = Some(Bytes::from(realm.personalisation));
    claims.platform = Some(const_hex::encode(platform.implementation_id));
    claims.debug = matches!(platform.lifecycle, LIFECYCLE_DEBUG..LIFECYCLE_DECOMMISSIONED);
    claims.tell("lifecycle", u64::from(platform.lifecycle));
    claims.tell("profile", platform.profile);
    claims.tell("implementation-id", platform.implementation_id);
    claims.tell("instance-id", platform.instance_id);
    claims.tell("configuration", platform.configuration);
    claims
}

/// Two states in which the platform or its realms can be debugged, then the end of its life.
const LIFECYCLE_DEBUG: u16 = 0x4000;
const LIFECYCLE_DECOMMISSIONED: u16 = 0x6000;
const LIFECYCLE_SECURED: std::ops::RangeInclusive<u64> = 0x3000..=0x30FF;

/// What a service asks of this kind beyond the common policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {}

/// The part of the policy that only this kind has. Firmware and realm are in the manifest, side by side.
pub(crate) fn policy(claims: &Claims, _: &Policy) -> Result<(), Refusal> {
    let lifecycle = claims.number("lifecycle")?;
    if LIFECYCLE_SECURED.contains(&lifecycle) {
        return Ok(());
    }
    Err(Refusal::new(Code::CcaLifecycle, format!("{lifecycle:#x}")))
}
