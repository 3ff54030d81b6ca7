//! A request that a member signed: COSE_Sign1 over the payload, with what the request is about in its protected headers.
//!
//! The headers stand in the one order that deterministic CBOR knows: shorter names first.

use governance::Kind;
use governance::envelope::signed_bytes;
use minicbor::Encoder;
use minicbor::data::Tag;

use super::Signer;
use crate::failure::Failure;
use crypto::foreign_key::Curve;

const TAG_SIGN1: u64 = 18;
const LABEL_ALG: i64 = 1;
const LABEL_KID: i64 = 4;

/// What is signed beside the payload.
pub struct About<'a> {
    pub kind: Kind,
    /// Seconds since 1970.
    pub created_at: u64,
    /// Of ballots and withdrawals.
    pub proposal_id: Option<&'a str>,
}

/// The whole request.
pub fn seal(signer: &Signer, about: &About<'_>, payload: &[u8]) -> Result<Vec<u8>, Failure> {
    let protected = protected_header(signer, about);
    let signature = signer
        .key
        .sign(&signed_bytes(&protected, payload))
        .map_err(|e| Failure::from_error(format!("{} cannot sign", signer.name), &e))?;
    Ok(encoded(|e| {
        e.tag(Tag::new(TAG_SIGN1))?.array(4)?.bytes(&protected)?.map(0)?.bytes(payload)?.bytes(&signature)?;
        Ok(())
    }))
}

fn protected_header(signer: &Signer, about: &About<'_>) -> Vec<u8> {
    let algorithm = match signer.key.curve() {
        Curve::P256 => -7,
        Curve::P384 => -35,
        Curve::P521 => -36,
    };
    encoded(|e| {
        e.map(4 + u64::from(about.proposal_id.is_some()))?;
        e.i64(LABEL_ALG)?.i64(algorithm)?;
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
    use crypto::foreign_key::Scheme;
    use crypto::{KeyPair, SigningKey};
    use minicbor::Decoder;

    use super::*;

    #[test]
    fn a_request_is_signed_over_its_headers_and_its_payload() {
        let key = SigningKey::from_pem(&KeyPair::generate().unwrap().to_pkcs8_pem().unwrap()).unwrap();
        let signer = Signer { name: "ann".into(), id: "0a".repeat(32), key };
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
        let scheme = Scheme::EcdsaFixed(signer.key.hash());
        signer.key.public().verify(scheme, &signed_bytes(protected, payload), signature).unwrap();

        let mut d = Decoder::new(protected);
        assert_eq!(d.map().unwrap(), Some(5));
        assert_eq!((d.i64().unwrap(), d.i64().unwrap()), (1, -35));
        assert_eq!((d.i64().unwrap(), d.bytes().unwrap()), (4, signer.id.as_bytes()));
        assert_eq!((d.str().unwrap(), d.str().unwrap()), ("ccf.gov.msg.type", "ballot"));
        assert_eq!((d.str().unwrap(), d.u64().unwrap()), ("ccf.gov.msg.created_at", 1_700_000_000));
        assert_eq!((d.str().unwrap(), d.str().unwrap()), ("ccf.gov.msg.proposal_id", id.as_str()));
        assert_eq!(d.position(), protected.len());
    }
}
