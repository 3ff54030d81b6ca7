//! The service's signature over a root, with a proof that something is under the root: a COSE receipt (RFC 9942).
//!
//! ```text
//! 18([ protected: bstr, { 396: { -1: [ bstr proof ] } }, nil, signature: bstr 96 ])
//! ```
//!
//! The proof stands in the header that nobody signs: it is right if it leads to the root that is signed. What is in it is of no
//! concern here. The reader takes one proof in one encoding.

use minicbor::Decoder;
use minicbor::data::Tag;

use super::{MALFORMED, TAG_SIGN1, Unexpected, encoded, envelope, open_envelope};
use crate::Error;

const LABEL_PROOFS: i64 = 396;
const LABEL_INCLUSION: i64 = -1;

/// Puts a proof into a message that has none.
pub fn with_inclusion(message: &[u8], proof: &[u8]) -> Result<Vec<u8>, Error> {
    let (protected, signature) = open_envelope(message)?;
    Ok(Parts { protected, proof, signature }.encoded())
}

/// The message without its proof, as it was signed; and the proof. Neither is verified.
pub fn split_inclusion(receipt: &[u8]) -> Result<(Vec<u8>, &[u8]), Error> {
    let parts = Parts::read(receipt)?;
    // Another encoding of the same would be a second receipt of the same.
    if parts.encoded() != receipt {
        return Err(MALFORMED);
    }
    Ok((envelope(parts.protected, parts.signature), parts.proof))
}

struct Parts<'a> {
    protected: &'a [u8],
    proof: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Parts<'a> {
    fn encoded(&self) -> Vec<u8> {
        encoded(|e| {
            e.tag(Tag::new(TAG_SIGN1))?.array(4)?.bytes(self.protected)?;
            e.map(1)?.i64(LABEL_PROOFS)?.map(1)?.i64(LABEL_INCLUSION)?.array(1)?.bytes(self.proof)?;
            e.null()?.bytes(self.signature)?;
            Ok(())
        })
    }

    fn read(receipt: &'a [u8]) -> Result<Self, Unexpected> {
        let mut d = Decoder::new(receipt);
        if d.tag()? != Tag::new(TAG_SIGN1) || d.array()? != Some(4) {
            return Err(Unexpected);
        }
        let protected = d.bytes()?;
        if d.map()? != Some(1) || d.i64()? != LABEL_PROOFS || d.map()? != Some(1) || d.i64()? != LABEL_INCLUSION {
            return Err(Unexpected);
        }
        if d.array()? != Some(1) {
            return Err(Unexpected);
        }
        let proof = d.bytes()?;
        d.null()?;
        Ok(Self { protected, proof, signature: d.bytes()? })
    }
}

#[cfg(test)]
mod tests {
    use base::TxId;
    use proptest::prelude::*;

    use super::*;
    use crate::cose::{SignedRoot, sign_root};
    use crate::{KeyPair, sha256};

    #[test]
    fn a_proof_goes_in_and_comes_out() {
        let key = KeyPair::generate().unwrap();
        let signed = SignedRoot { txid: TxId::new(2, 11), issued_at: 1 };
        let message = sign_root(&key, &sha256(b"root"), signed).unwrap();
        let receipt = with_inclusion(&message, b"proof").unwrap();
        assert_eq!(split_inclusion(&receipt), Ok((message.clone(), &b"proof"[..])));
        assert!(with_inclusion(&receipt, b"proof").is_err(), "it has one");
        assert!(split_inclusion(&message).is_err(), "it has none");
        assert!(split_inclusion(&[&receipt[..], b"\0"].concat()).is_err(), "something follows it");
        // The array of proofs, with its length in a byte of its own.
        let at = receipt.windows(6).position(|window| window == b"\x81\x45proo").unwrap();
        let longer = [&receipt[..at], b"\x98\x01", &receipt[at + 1..]].concat();
        assert!(split_inclusion(&longer).is_err(), "a second encoding");
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = split_inclusion(&bytes);
        }
    }
}
