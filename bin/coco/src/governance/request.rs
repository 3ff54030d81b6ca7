//! A request that a member signed: COSE_Sign1 over the payload, with what the request is about in its protected headers.
//!
//! ```text
//!   kind, payload, signer, time ─▶ Request ─to_be_signed▶ (whoever has the key) ─signature▶ sealed ─▶ a service
//! ```
//!
//! The headers stand in the one order that deterministic CBOR knows: shorter names first.

use std::time::{SystemTime, UNIX_EPOCH};

use crypto::ForeignCertificate;
use crypto::foreign_key::Curve;
use governance::Kind;
use governance::envelope::{ENVELOPE_BYTES_MAX, signed_bytes};
use minicbor::Encoder;
use minicbor::data::Tag;

use super::Signer;
use crate::failure::Failure;

const TAG_SIGN1: u64 = 18;
const LABEL_ALG: i64 = 1;
const LABEL_KID: i64 = 4;
/// What is around headers and payload, the longest signature included.
const AROUND_BYTES_MAX: usize = 256;

/// What is signed beside the payload.
pub struct About<'a> {
    pub kind: Kind,
    /// Seconds since 1970.
    pub created_at: u64,
    /// Of ballots and withdrawals.
    pub proposal_id: Option<&'a str>,
}

impl<'a> About<'a> {
    pub fn now(kind: Kind, proposal_id: Option<&'a str>) -> Self {
        let created_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self { kind, created_at, proposal_id }
    }
}

/// All of a request but its signature.
pub struct Request {
    /// What the member is called.
    pub name: String,
    pub certificate: ForeignCertificate,
    pub protected: Vec<u8>,
    pub payload: Vec<u8>,
}

impl Request {
    pub fn new(signer: &Signer, about: &About<'_>, payload: &[u8]) -> Result<Self, Failure> {
        let request = Self {
            name: signer.name.clone(),
            certificate: signer.certificate().clone(),
            protected: protected_header(signer, about),
            payload: payload.to_vec(),
        };
        request.check_size()?;
        Ok(request)
    }

    pub fn check_size(&self) -> Result<(), Failure> {
        let bytes = self.protected.len() + self.payload.len() + AROUND_BYTES_MAX;
        if bytes <= ENVELOPE_BYTES_MAX {
            return Ok(());
        }
        let kib = bytes >> 10;
        Err(Failure::new(format!("the signed request has {kib} KiB, and a service takes 1024 at most"))
            .hint("split it, or shorten the scripts in it"))
    }

    /// What a signature is over: its digest is what a key signs.
    pub fn to_be_signed(&self) -> Vec<u8> {
        signed_bytes(&self.protected, &self.payload)
    }

    /// As it is sent.
    pub fn sealed(&self, signature: &[u8]) -> Vec<u8> {
        encoded(|e| {
            e.tag(Tag::new(TAG_SIGN1))?.array(4)?.bytes(&self.protected)?.map(0)?;
            e.bytes(&self.payload)?.bytes(signature)?;
            Ok(())
        })
    }
}

/// The whole request, by a key that is within reach.
pub fn seal(signer: &Signer, about: &About<'_>, payload: &[u8]) -> Result<Vec<u8>, Failure> {
    let request = Request::new(signer, about, payload)?;
    Ok(request.sealed(&signer.sign(&request.to_be_signed())?))
}

/// How COSE names what the key of a curve signs with: by number, and by name.
pub fn algorithm(curve: Curve) -> (i64, &'static str) {
    match curve {
        Curve::P256 => (-7, "ES256"),
        Curve::P384 => (-35, "ES384"),
        Curve::P521 => (-36, "ES512"),
    }
}

fn protected_header(signer: &Signer, about: &About<'_>) -> Vec<u8> {
    encoded(|e| {
        e.map(4 + u64::from(about.proposal_id.is_some()))?;
        e.i64(LABEL_ALG)?.i64(algorithm(signer.curve()).0)?;
        e.i64(LABEL_KID)?.bytes(signer.id.as_bytes())?;
        e.str("ccf.gov.msg.type")?.str(about.kind.text())?;
        e.str("ccf.gov.msg.created_at")?.u64(about.created_at)?;
        if let Some(id) = about.proposal_id {
            e.str("ccf.gov.msg.proposal_id")?.str(id)?;
        }
        Ok(())
    })
}

type Encoded = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

fn encoded(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Encoded) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    write(&mut Encoder::new(&mut bytes)).expect("writing to memory does not fail");
    bytes
}

#[cfg(test)]
mod tests {
    use crypto::KeyPair;
    use crypto::certificate::{Validity, member};
    use minicbor::Decoder;

    use super::super::signer::{Source, verify};
    use super::*;

    /// Someone whose key is in a file.
    fn signer(dir: &std::path::Path) -> Signer {
        let pair = KeyPair::generate().unwrap();
        let certificate = member(&pair, "ann", Validity { from: 0, until: 4_000_000_000 }).unwrap();
        let key = dir.join("ann_privk.pem");
        std::fs::write(&key, pair.to_pkcs8_pem().unwrap().as_bytes()).unwrap();
        let certificate = ForeignCertificate::from_pem(&certificate.to_pem()).unwrap();
        Signer::of(certificate, "ann", &Source::File(key)).unwrap()
    }

    #[test]
    fn a_request_is_signed_over_its_headers_and_its_payload() {
        let dir = tempfile::tempdir().unwrap();
        let signer = signer(dir.path());
        let id = "1b".repeat(32);
        let about = About { kind: Kind::Ballot, created_at: 1_700_000_000, proposal_id: Some(&id) };
        let request = seal(&signer, &about, b"payload").unwrap();

        let mut d = Decoder::new(&request);
        assert_eq!(d.tag().unwrap(), Tag::new(18));
        assert_eq!(d.array().unwrap(), Some(4));
        let protected = d.bytes().unwrap();
        assert_eq!(d.map().unwrap(), Some(0));
        let (payload, signature) = (d.bytes().unwrap(), d.bytes().unwrap());
        assert_eq!((payload, d.position()), (&b"payload"[..], request.len()));
        verify(signer.certificate(), signer.curve(), &signed_bytes(protected, payload), signature).unwrap();

        let mut d = Decoder::new(protected);
        assert_eq!(d.map().unwrap(), Some(5));
        assert_eq!((d.i64().unwrap(), d.i64().unwrap()), (1, -35));
        assert_eq!((d.i64().unwrap(), d.bytes().unwrap()), (4, signer.id.as_bytes()));
        assert_eq!((d.str().unwrap(), d.str().unwrap()), ("ccf.gov.msg.type", "ballot"));
        assert_eq!((d.str().unwrap(), d.u64().unwrap()), ("ccf.gov.msg.created_at", 1_700_000_000));
        assert_eq!((d.str().unwrap(), d.str().unwrap()), ("ccf.gov.msg.proposal_id", id.as_str()));
        assert_eq!(d.position(), protected.len());
    }

    #[test]
    fn a_request_that_no_service_takes_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let failure =
            Request::new(&signer(dir.path()), &About::now(Kind::Proposal, None), &vec![0; 1 << 20]).err().unwrap();
        assert!(failure.message.contains("1024 at most"), "{}", failure.message);
    }
}
