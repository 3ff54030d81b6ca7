//! AWS Nitro Enclaves: a document that the hypervisor signs, with its whole chain inside.
//!
//! ```text
//! pinned root G1 ─▶ region ─▶ zone ─▶ instance ─▶ leaf of three hours ─▶ COSE_Sign1 over PCRs, nonce, public key
//! ```
//!
//! What the enclave bound ([`Claims::report_data`]) is its `user_data`, or its `public_key` if it gave no user data. What
//! [`verify`] tells beyond the common claims: measurements `pcr0` to `pcr31` as the document has them, and the details
//! `module-id`, `timestamp` (milliseconds since 1970), `nonce`, `public-key` and `user-data` where they are present.
//!
//! There is no TCB and no revocation list: AWS renews the chain every few hours instead.

mod chain;
mod document;

use serde::{Deserialize, Serialize};

use crate::formats::cose::{self, Sign1};
use crate::formats::signature::Scheme;
use crate::formats::x509::{self, Certificate};
use crate::{Bytes, Claims, Code, Kind, Refusal, limits};

use document::Document;

/// Clocks of different machines differ; a document from further ahead is not believed.
const CLOCK_SKEW_SECONDS: u64 = 300;

/// The certificate, DER, that a document's chain must begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root(pub Vec<u8>);

impl Root {
    /// G1, as AWS publishes it: SHA-256 641a0321…bb5b, until 2049.
    pub fn aws() -> Self {
        Self(include_bytes!("roots/aws-g1.der").to_vec())
    }

    /// Another root, in PEM: one certificate that parses.
    pub fn of_pem(text: &[u8]) -> Result<Self, Refusal> {
        let mut certificates = x509::of_pem(text)?;
        let root = certificates.pop().ok_or_else(|| Refusal::new(Code::BadEncoding, "no certificate in the PEM"))?;
        let parsed = Certificate::parse(&root)?;
        if !parsed.is_self_issued() || !parsed.may_certify() {
            return Err(Refusal::new(Code::NitroRoot, format!("\"{}\" is no root", parsed.common_name())));
        }
        Ok(Self(root))
    }
}

/// Authenticates a document up to the pinned root, at `now` (seconds since 1970).
pub fn verify(evidence: &[u8], root: &Root, now: u64) -> Result<Claims, Refusal> {
    if evidence.is_empty() {
        return Err(Refusal::new(Code::Empty, "no document"));
    }
    if evidence.len() > limits::NITRO_BYTES {
        return Err(Refusal::new(Code::OversizedLength, format!("{} bytes", evidence.len())));
    }
    let message = Sign1::decode(evidence, limits::NITRO_BYTES)?;
    if message.tagged {
        return Err(Refusal::new(Code::NitroTagged, "AWS writes none, and one form is enough"));
    }
    if message.algorithm() != Some(cose::ES384) {
        return Err(Refusal::new(Code::NitroAlgorithm, format!("algorithm {:?}", message.algorithm())));
    }
    if message.headers.map().is_none_or(|headers| headers.len() != 1) {
        return Err(Refusal::new(Code::BadEncoding, "the protected header names more than the algorithm"));
    }
    if message.unprotected.map().is_none_or(|headers| !headers.is_empty()) {
        return Err(Refusal::new(Code::NitroUnprotected, "nobody signs it"));
    }
    let document = Document::decode(message.payload)?;
    let leaf = chain::verify(&document, root, now)?;
    if !message.is_signed_by(&leaf.key()?, Scheme::EcdsaSha384) {
        return Err(Refusal::new(Code::BadSignature, "the document is not signed by its leaf"));
    }
    let seconds = document.timestamp / 1000;
    if seconds > now.saturating_add(CLOCK_SKEW_SECONDS) || leaf.valid_at(seconds).is_err() {
        return Err(Refusal::new(Code::NitroTimestamp, format!("made at {seconds}, now is {now}")));
    }
    Ok(claims(evidence, &document))
}

fn claims(evidence: &[u8], document: &Document<'_>) -> Claims {
    let bound = document.user_data.or(document.public_key).unwrap_or_default();
    let mut claims = Claims::new(Kind::Nitro, crypto::sha256(evidence), bound);
    for (index, value) in &document.pcrs {
        claims.measure(&format!("pcr{index}"), value);
    }
    let is_zero = |wanted: u64| {
        document.pcrs.iter().any(|(index, value)| *index == wanted && value.iter().all(|byte| *byte == 0))
    };
    claims.debug = (0..3).all(is_zero);
    claims.tell("module-id", document.module_id);
    claims.tell("timestamp", document.timestamp);
    let optional = [("nonce", document.nonce), ("public-key", document.public_key), ("user-data", document.user_data)];
    for (name, value) in optional {
        if let Some(value) = value {
            claims.tell(name, value);
        }
    }
    claims
}

/// What a service asks of this kind beyond the common policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// The document must carry a public key (for instance because somebody encrypts to it).
    pub require_public_key: bool,
    /// The document must carry this nonce. Nodes of ours need none: their user data covers one.
    pub nonce: Option<Bytes>,
}

/// The part of the policy that only this kind has.
pub(crate) fn policy(claims: &Claims, policy: &Policy) -> Result<(), Refusal> {
    if claims.debug {
        return Err(Refusal::new(Code::NitroZeroPcrs, "PCR0, PCR1 and PCR2"));
    }
    if policy.require_public_key && !claims.details.contains_key("public-key") {
        return Err(Refusal::new(Code::NitroPublicKey, "the policy requires one"));
    }
    if let Some(nonce) = &policy.nonce
        && claims.bytes("nonce").ok() != Some(nonce.as_ref())
    {
        return Err(Refusal::new(Code::Nonce, format!("{nonce} was asked for")));
    }
    Ok(())
}
