//! Certificates that carry evidence (Interoperable RA-TLS, Confidential Computing Consortium).
//!
//! ```text
//! extension 2.23.133.5.4.9   CBOR: 60000 ([evidence, claims])            60000 Intel quote · 60001 TEE report · 60002 legacy SGX report
//! claims                     CBOR: {"pubkey-hash": hash, "nonce": …}      other names may occur
//! hash                       CBOR, again in a byte string: [1, SHA-256 of the certificate's SubjectPublicKeyInfo]
//! evidence's report data     SHA-256(claims), then zeros
//! ```
//!
//! The holder of the key proves itself by the TLS handshake; here is checked that the certificate is signed by its own key
//! and that the claims name that key. The evidence in it is then verified like any other, with [`RaTls::binding`].
//!
//! Not read: the older extensions of Intel's SDK, Gramine and dstack, which put a bare quote under identifiers of their own.

use x509_parser::asn1_rs::Oid;
use x509_parser::der_parser::oid;

use crate::formats::cbor::{self, Value};
use crate::formats::x509::Certificate;
use crate::{Binding, Code, Refusal, limits};

const EXTENSION: Oid<'static> = oid!(2.23.133.5.4.9);
const SHA256: u64 = 1;
/// A certificate with a quote in it, or two.
const CERTIFICATE_BYTES: usize = limits::CERTIFICATE_BYTES + 2 * limits::QUOTE_BYTES;

/// What stands under the tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    IntelQuote,
    TeeReport,
    LegacySgxReport,
}

/// A certificate's evidence, and the claims that it must vouch for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaTls<'a> {
    pub format: Format,
    pub evidence: &'a [u8],
    claims: &'a [u8],
    /// SHA-256 of the certificate's SubjectPublicKeyInfo.
    key: [u8; 32],
}

impl<'a> RaTls<'a> {
    /// Reads a self-signed certificate that holds at `now`.
    pub fn parse(der: &'a [u8], now: u64) -> Result<Self, Refusal> {
        let certificate = Certificate::parse_within(der, CERTIFICATE_BYTES)?;
        certificate.valid_at(now)?;
        let signed = certificate.scheme().map(|scheme| Ok(certificate.is_signed_by(&certificate.key()?, scheme)));
        if !signed.transpose()?.unwrap_or(false) {
            return Err(Refusal::new(Code::BadSignature, "the certificate is not signed by its own key"));
        }
        let Some(extension) = certificate.extension(&EXTENSION)? else {
            return Err(bad("the certificate carries no evidence"));
        };
        let (format, evidence, claims) = wrapper(extension)?;
        Ok(Self { format, evidence, claims, key: crypto::sha256(certificate.spki()).0 })
    }

    /// What the evidence must hold, if its claims name the certificate's key and, where one was sent, the nonce.
    pub fn binding(&self, nonce: Option<&[u8]>) -> Result<Binding, Refusal> {
        let claims = cbor::decode(self.claims, limits::QUOTE_BYTES)?;
        let hash = claims.named("pubkey-hash").and_then(Value::bytes).ok_or_else(|| bad("no \"pubkey-hash\""))?;
        let hash = cbor::decode(hash, limits::QUOTE_BYTES)?;
        let [algorithm, digest] = hash.array().unwrap_or_default() else {
            return Err(bad("\"pubkey-hash\" is not a pair"));
        };
        if algorithm.unsigned() != Some(SHA256) {
            return Err(Refusal::new(Code::WrongAlgorithm, "\"pubkey-hash\" is not a SHA-256"));
        }
        if digest.bytes() != Some(&self.key) {
            return Err(Refusal::new(Code::OtherNode, "the claims name another key than the certificate's"));
        }
        if nonce.is_some() && claims.named("nonce").and_then(Value::bytes) != nonce {
            return Err(Refusal::new(Code::Nonce, "the claims have another nonce, or none"));
        }
        Ok(Binding::Exact(crypto::sha256(self.claims).0.to_vec()))
    }
}

fn wrapper(extension: &[u8]) -> Result<(Format, &[u8], &[u8]), Refusal> {
    let Value::Tag(tag, content) = cbor::decode(extension, CERTIFICATE_BYTES)? else {
        return Err(bad("the extension is not tagged"));
    };
    let format = match tag {
        60000 => Format::IntelQuote,
        60001 => Format::TeeReport,
        60002 => Format::LegacySgxReport,
        _ => return Err(Refusal::new(Code::WrongVersion, format!("evidence under tag {tag}"))),
    };
    match content.array().unwrap_or_default() {
        [Value::Bytes(evidence), Value::Bytes(claims)] => Ok((format, evidence, claims)),
        _ => Err(bad("the extension is not a pair of evidence and claims")),
    }
}

fn bad(text: &str) -> Refusal {
    Refusal::new(Code::BadEncoding, text)
}
