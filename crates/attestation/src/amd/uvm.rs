//! The word of whoever built the guest's firmware and kernel: this measurement is that release.
//!
//! A COSE message whose issuer is a DID of method x509: it names the root of the certificate chain that comes with the
//! message, and a purpose that the leaf must have. So a policy trusts a text, and no certificate has to be handed round.
//! Leaves live for a year and their endorsements longer; a leaf must have been valid when it signed.
//!
//! Since release 104 the message is a hash envelope whose payload is the measurement itself, as CCF reads it too.

use base::Digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use x509_parser::oid_registry::Oid;

use crate::formats::cbor::Value;
use crate::formats::cose::{self, Sign1};
use crate::formats::signature::Scheme;
use crate::formats::x509::Certificate;
use crate::{Code, Refusal, json, limits};

const ENDORSEMENT_BYTES: usize = 64 << 10;
const MEASUREMENT_BYTES: usize = 48;

const HEADER_CWT: i64 = 15;
const HEADER_X5CHAIN: i64 = 33;
const HEADER_PAYLOAD_HASH: i64 = 258;
const CWT_ISSUER: i64 = 1;
const CWT_SUBJECT: i64 = 2;
const CWT_ISSUED_AT: i64 = 6;
const TAG_EPOCH: u64 = 1;
const SHA384: i64 = -43;

/// A verified endorsement; whether its issuer is trusted is the policy's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endorsement {
    pub issuer: String,
    pub feed: String,
    pub svn: u64,
    pub measurement: Vec<u8>,
    /// Seconds since 1970, by the signer's clock.
    pub issued_at: Option<u64>,
}

/// By what a manifest names all releases that one issuer vouches for: measurement "uvm" of an SEV-SNP guest.
pub fn uvm_identity(issuer: &str, feed: &str) -> [u8; 32] {
    crypto::sha256(format!("{issuer}\n{feed}").as_bytes()).0
}

impl Endorsement {
    /// Verifies a message up to the root that its issuer names.
    pub fn verify(message: &[u8]) -> Result<Self, Refusal> {
        if message.is_empty() {
            return Err(Refusal::new(Code::Empty, "UVM endorsement"));
        }
        let message = Sign1::decode(message, ENDORSEMENT_BYTES)?;
        if !message.tagged {
            return Err(malformed("no tag 18"));
        }
        let scheme = match message.algorithm() {
            Some(cose::PS384) => Scheme::PssSha384,
            Some(cose::ES384) => Scheme::EcdsaSha384,
            Some(cose::ES256) => Scheme::EcdsaSha256,
            other => return Err(Refusal::new(Code::WrongAlgorithm, format!("UVM endorsement with {other:?}"))),
        };
        let endorsement = Self::read(&message)?;
        let did = Did::parse(&endorsement.issuer)
            .ok_or_else(|| Refusal::new(Code::UvmIssuer, format!("\"{}\"", endorsement.issuer)))?;
        let chain = message.headers.at(HEADER_X5CHAIN).and_then(Value::array).unwrap_or_default();
        if chain.len() < 2 {
            return Err(Refusal::new(Code::ChainIncomplete, "the UVM endorsement carries no chain"));
        }
        if chain.len() > limits::CHAIN_CERTIFICATES {
            return Err(Refusal::new(Code::OversizedLength, "too many certificates"));
        }
        let chain = chain
            .iter()
            .map(|der| Certificate::parse(der.bytes().ok_or_else(|| malformed("a certificate is not bytes"))?))
            .collect::<Result<Vec<_>, _>>()?;
        let leaf = did.leaf(&chain, endorsement.issued_at)?;
        if !message.is_signed_by(&leaf.key()?, scheme) {
            return Err(Refusal::new(Code::BadSignature, "the UVM endorsement is not signed by its leaf"));
        }
        Ok(endorsement)
    }

    /// Both ways in which endorsements were ever written.
    fn read(message: &Sign1<'_>) -> Result<Self, Refusal> {
        let headers = &message.headers;
        let (issuer, feed, issued_at, svn) = match headers.at(HEADER_CWT) {
            Some(cwt) => (cwt.at(CWT_ISSUER), cwt.at(CWT_SUBJECT), cwt.at(CWT_ISSUED_AT), cwt.named("svn")),
            None => (headers.named("iss"), headers.named("feed"), headers.named("signingtime"), None),
        };
        let text = |value: Option<&Value<'_>>| value.and_then(Value::text).map(str::to_owned);
        let (issuer, feed) = text(issuer).zip(text(feed)).ok_or_else(|| malformed("no issuer or no feed"))?;
        let issued_at = issued_at.map(|time| seconds(time).ok_or_else(|| malformed("its time"))).transpose()?;
        let stated = svn.map(|svn| svn.unsigned().ok_or_else(|| malformed("its svn"))).transpose()?;
        let (svn, measurement) = match headers.at(HEADER_PAYLOAD_HASH) {
            Some(algorithm) if algorithm.integer() == Some(SHA384) => (stated, message.payload.to_vec()),
            Some(_) => return Err(malformed("the payload's hash is not SHA-384")),
            None => of_json(message.payload, stated)?,
        };
        let svn = svn.ok_or_else(|| malformed("no svn"))?;
        if measurement.len() != MEASUREMENT_BYTES {
            return Err(malformed("a measurement does not have 48 bytes"));
        }
        Ok(Self { issuer, feed, svn, measurement, issued_at })
    }
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "x-ms-sevsnpvm-guestsvn")]
    svn: Option<Svn>,
    #[serde(rename = "x-ms-sevsnpvm-launchmeasurement")]
    measurement: String,
}

/// Both forms are in use.
#[derive(Deserialize)]
#[serde(untagged)]
enum Svn {
    Text(String),
    Number(u64),
}

/// The svn stands in the payload, in the headers, or in both and then twice the same.
fn of_json(payload: &[u8], stated: Option<u64>) -> Result<(Option<u64>, Vec<u8>), Refusal> {
    let payload: Payload = json::parse(payload, ENDORSEMENT_BYTES, "UVM endorsement")?;
    let svn = match payload.svn {
        None => None,
        Some(Svn::Number(svn)) => Some(svn),
        Some(Svn::Text(svn)) => Some(svn.parse().map_err(|_| malformed("its svn is no number"))?),
    };
    if let (Some(one), Some(other)) = (svn, stated)
        && one != other
    {
        return Err(malformed("it states two svns"));
    }
    let measurement = const_hex::decode(payload.measurement).map_err(|_| malformed("a measurement in hexadecimal"))?;
    Ok((svn.or(stated), measurement))
}

/// Bare or tagged as a time.
fn seconds(time: &Value<'_>) -> Option<u64> {
    match time {
        Value::Tag(TAG_EPOCH, time) => time.unsigned(),
        time => time.unsigned(),
    }
}

/// `did:x509:0:sha256:<root>::eku:<purpose>`
struct Did<'a> {
    root: Digest,
    purpose: &'a str,
}

impl<'a> Did<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (root, purpose) = text.strip_prefix("did:x509:0:sha256:")?.split_once("::eku:")?;
        let root = URL_SAFE_NO_PAD.decode(root).ok()?.try_into().ok()?;
        Some(Self { root: Digest(root), purpose })
    }

    /// The leaf of a chain that ends in this DID's root; leaf first.
    fn leaf<'c, 'd>(
        &self,
        chain: &'c [Certificate<'d>],
        signed_at: Option<u64>,
    ) -> Result<&'c Certificate<'d>, Refusal> {
        let [leaf, .., root] = chain else {
            return Err(Refusal::new(Code::ChainIncomplete, "the UVM endorsement carries no chain"));
        };
        if crypto::sha256(root.der) != self.root {
            return Err(Refusal::new(Code::UvmRoot, format!("\"{}\"", root.common_name())));
        }
        for (subject, issuer) in chain.iter().zip(&chain[1..]) {
            if subject.issuer() != issuer.subject() || !issuer.may_certify() {
                let text = format!("\"{}\" does not issue \"{}\"", issuer.common_name(), subject.common_name());
                return Err(Refusal::new(Code::ChainOrder, text));
            }
            let scheme = subject.scheme().ok_or_else(|| {
                Refusal::new(Code::WrongAlgorithm, format!("certificate \"{}\"", subject.common_name()))
            })?;
            if !subject.is_signed_by(&issuer.key()?, scheme) {
                return Err(Refusal::new(Code::BadSignature, format!("certificate \"{}\"", subject.common_name())));
            }
        }
        if let Some(signed_at) = signed_at {
            chain.iter().try_for_each(|certificate| certificate.valid_at(signed_at))?;
        }
        let purpose: Option<Vec<u64>> = self.purpose.split('.').map(|arc| arc.parse().ok()).collect();
        let purpose = purpose.and_then(|arcs| Oid::from(&arcs).ok());
        if !purpose.is_some_and(|purpose| leaf.has_key_purpose(&purpose)) {
            return Err(Refusal::new(Code::UvmEku, self.purpose));
        }
        Ok(leaf)
    }
}

fn malformed(text: &str) -> Refusal {
    Refusal::new(Code::BadEncoding, format!("UVM endorsement: {text}"))
}
