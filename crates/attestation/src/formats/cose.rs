//! `COSE_Sign1` (RFC 9052) as evidence uses it: an embedded payload, a protected header that is a non-empty map.
//!
//! The unprotected header is not signed, so nothing in it is believed; a kind that allows none refuses one.

use minicbor::Encoder;

use super::cbor::{self, Value};
use super::signature::{PublicKey, Scheme};
use crate::{Code, Refusal};

const TAG_SIGN1: u64 = 18;
const LABEL_ALGORITHM: i64 = 1;

pub(crate) const ES256: i64 = -7;
pub(crate) const ES384: i64 = -35;
pub(crate) const PS384: i64 = -38;

/// A message in its parts, nothing verified.
pub(crate) struct Sign1<'a> {
    pub(crate) tagged: bool,
    protected: &'a [u8],
    pub(crate) headers: Value<'a>,
    pub(crate) unprotected: Value<'a>,
    pub(crate) payload: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Sign1<'a> {
    pub(crate) fn decode(bytes: &'a [u8], bytes_max: usize) -> Result<Self, Refusal> {
        let (tagged, parts) = match cbor::decode(bytes, bytes_max)? {
            Value::Tag(TAG_SIGN1, parts) => (true, *parts),
            Value::Tag(tag, _) => return Err(malformed(format!("tag {tag} where COSE_Sign1 was expected"))),
            parts => (false, parts),
        };
        let Some([protected, unprotected @ Value::Map(_), payload, signature]) = parts.array() else {
            return Err(malformed("no array of four with an unprotected map"));
        };
        let (Some(protected), Some(payload), Some(signature)) = (protected.bytes(), payload.bytes(), signature.bytes())
        else {
            return Err(malformed("protected header, payload and signature are not byte strings"));
        };
        let headers = cbor::decode(protected, bytes_max)?;
        if headers.map().is_none_or(<[_]>::is_empty) {
            return Err(malformed("the protected header is not a map with an algorithm"));
        }
        Ok(Self { tagged, protected, headers, unprotected: unprotected.clone(), payload, signature })
    }

    pub(crate) fn algorithm(&self) -> Option<i64> {
        self.headers.at(LABEL_ALGORITHM)?.integer()
    }

    /// Whether `key` made the signature by `scheme`.
    pub(crate) fn is_signed_by(&self, key: &PublicKey<'_>, scheme: Scheme) -> bool {
        key.verifies(scheme, &self.signed_bytes(), self.signature)
    }

    /// The `Sig_structure` of RFC 9052 section 4.4.
    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.protected.len() + self.payload.len() + 32);
        let mut encoder = Encoder::new(&mut bytes);
        encoder
            .array(4)
            .and_then(|e| e.str("Signature1")?.bytes(self.protected)?.bytes(&[])?.bytes(self.payload))
            .expect("writing to memory does not fail");
        bytes
    }
}

fn malformed(text: impl Into<String>) -> Refusal {
    Refusal::new(Code::BadEncoding, format!("COSE_Sign1: {}", text.into()))
}
