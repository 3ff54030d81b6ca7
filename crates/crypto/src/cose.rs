//! The service's signature over a ledger root: COSE_Sign1 with the headers that CCF writes and its tools read.
//!
//! ```text
//! 18([ protected: bstr { 1: -35, 4: kid, 15: {1: issuer, 2: subject, 6: time}, 395: 2, "ccf.v1": {"txid": "2.11"} },
//!      {}, nil, signature: bstr 96 ])                              the payload, the root, is detached
//! ```
//!
//! The reader accepts one encoding of each message, so that no byte of it can change unnoticed.

mod inclusion;

use base::{Digest, TxId};
use minicbor::data::{Tag, Type};
use minicbor::{Decoder, Encoder};

use crate::key::FIXED_SIGNATURE_BYTES;
use crate::{Error, KeyPair, PublicKey};

pub use inclusion::{split_inclusion, with_inclusion};

/// Who signs and what, as a receipt's reader sees it.
pub const ISSUER: &str = "coco.service";
pub const SUBJECT: &str = "ledger.signature";

const TAG_SIGN1: u64 = 18;
const LABEL_ALG: i64 = 1;
const LABEL_KID: i64 = 4;
const LABEL_CWT: i64 = 15;
const LABEL_VDS: i64 = 395;
const LABEL_CCF: &str = "ccf.v1";
const ALG_ES384: i64 = -35;
const VDS_CCF_LEDGER_SHA256: i64 = 2;
const CWT_ISSUER: i64 = 1;
const CWT_SUBJECT: i64 = 2;
const CWT_ISSUED_AT: i64 = 6;

const MALFORMED: Error = Error::Malformed("COSE signature of a ledger root");

/// What the protected headers of a verified signature say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignedRoot {
    /// The signature transaction.
    pub txid: TxId,
    /// Seconds since 1970, by the signer's clock.
    pub issued_at: u64,
}

/// Signs `root` as that of the ledger before transaction `txid`.
pub fn sign_root(key: &KeyPair, root: &Digest, signed: SignedRoot) -> Result<Vec<u8>, Error> {
    let protected = protected_header(key.public(), signed);
    let signature = key.sign(&signed_bytes(&protected, root))?;
    Ok(envelope(&protected, &signature))
}

/// Verifies that `key` signed `root`, and reads what it said about it.
pub fn verify_root(key: &PublicKey, root: &Digest, message: &[u8]) -> Result<SignedRoot, Error> {
    let (protected, signature) = open_envelope(message)?;
    let (signed, kid) = read_protected(protected)?;
    if kid != key.fingerprint().to_string().as_bytes() || envelope(protected, signature) != message {
        return Err(MALFORMED);
    }
    key.verify(&signed_bytes(protected, root), signature)?;
    Ok(signed)
}

/// Reads the headers without verifying anything: for display only.
pub fn peek(message: &[u8]) -> Result<SignedRoot, Error> {
    let (protected, _) = open_envelope(message)?;
    let (signed, _) = read_protected(protected)?;
    Ok(signed)
}

fn protected_header(key: &PublicKey, signed: SignedRoot) -> Vec<u8> {
    let kid = key.fingerprint().to_string();
    let txid = signed.txid.to_string();
    encoded(|e| {
        e.map(5)?;
        e.i64(LABEL_ALG)?.i64(ALG_ES384)?;
        e.i64(LABEL_KID)?.bytes(kid.as_bytes())?;
        e.i64(LABEL_CWT)?.map(3)?;
        e.i64(CWT_ISSUER)?.str(ISSUER)?.i64(CWT_SUBJECT)?.str(SUBJECT)?.i64(CWT_ISSUED_AT)?.u64(signed.issued_at)?;
        e.i64(LABEL_VDS)?.i64(VDS_CCF_LEDGER_SHA256)?;
        e.str(LABEL_CCF)?.map(1)?.str("txid")?.str(&txid)?;
        Ok(())
    })
}

/// The `Sig_structure` of RFC 9052 section 4.4.
fn signed_bytes(protected: &[u8], root: &Digest) -> Vec<u8> {
    encoded(|e| {
        e.array(4)?.str("Signature1")?.bytes(protected)?.bytes(&[])?.bytes(&root.0)?;
        Ok(())
    })
}

fn envelope(protected: &[u8], signature: &[u8]) -> Vec<u8> {
    encoded(|e| {
        e.tag(Tag::new(TAG_SIGN1))?.array(4)?.bytes(protected)?.map(0)?.null()?.bytes(signature)?;
        Ok(())
    })
}

type Encoded = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

fn encoded(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Encoded) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(320);
    write(&mut Encoder::new(&mut bytes)).expect("writing to memory does not fail");
    bytes
}

/// Not what the reader expects; which part is of no use to anyone.
struct Unexpected;

impl From<minicbor::decode::Error> for Unexpected {
    fn from(_: minicbor::decode::Error) -> Self {
        Self
    }
}

impl From<Unexpected> for Error {
    fn from(_: Unexpected) -> Self {
        MALFORMED
    }
}

/// The protected header and the signature.
fn open_envelope(message: &[u8]) -> Result<(&[u8], &[u8]), Unexpected> {
    let mut d = Decoder::new(message);
    if d.tag()? != Tag::new(TAG_SIGN1) || d.array()? != Some(4) {
        return Err(Unexpected);
    }
    let protected = d.bytes()?;
    if d.map()? != Some(0) {
        return Err(Unexpected);
    }
    d.null()?;
    let signature = d.bytes()?;
    let whole = d.position() == message.len() && signature.len() == FIXED_SIGNATURE_BYTES;
    if whole { Ok((protected, signature)) } else { Err(Unexpected) }
}

/// What the headers say, and the key id; in any order, unknown ones skipped, those that matter required.
fn read_protected(protected: &[u8]) -> Result<(SignedRoot, &[u8]), Unexpected> {
    let mut d = Decoder::new(protected);
    let (mut alg, mut vds, mut kid, mut issued_at, mut txid) = (None, None, None, None, None);
    for _ in 0..d.map()?.unwrap_or(0) {
        if d.datatype()? == Type::String {
            match d.str()? {
                LABEL_CCF => txid = read_txid(&mut d)?,
                _ => d.skip()?,
            }
            continue;
        }
        match d.i64()? {
            LABEL_ALG => alg = Some(d.i64()?),
            LABEL_KID => kid = Some(d.bytes()?),
            LABEL_CWT => issued_at = read_issued_at(&mut d)?,
            LABEL_VDS => vds = Some(d.i64()?),
            _ => d.skip()?,
        }
    }
    let whole = d.position() == protected.len() && alg == Some(ALG_ES384) && vds == Some(VDS_CCF_LEDGER_SHA256);
    match (whole, txid, issued_at, kid) {
        (true, Some(txid), Some(issued_at), Some(kid)) => Ok((SignedRoot { txid, issued_at }, kid)),
        _ => Err(Unexpected),
    }
}

fn read_issued_at(d: &mut Decoder<'_>) -> Result<Option<u64>, Unexpected> {
    let mut issued_at = None;
    for _ in 0..d.map()?.unwrap_or(0) {
        match d.i64()? {
            CWT_ISSUED_AT => issued_at = Some(d.u64()?),
            _ => d.skip()?,
        }
    }
    Ok(issued_at)
}

fn read_txid(d: &mut Decoder<'_>) -> Result<Option<TxId>, Unexpected> {
    let mut txid = None;
    for _ in 0..d.map()?.unwrap_or(0) {
        match d.str()? {
            "txid" => txid = TxId::parse(d.str()?),
            _ => d.skip()?,
        }
    }
    Ok(txid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sha256;
    use proptest::prelude::*;

    #[test]
    fn every_flipped_bit_is_found() {
        let key = KeyPair::generate().unwrap();
        let root = sha256(b"root");
        let signed = SignedRoot { txid: TxId::new(2, 11), issued_at: 1_700_000_000 };
        let message = sign_root(&key, &root, signed).unwrap();
        assert_eq!(message[0], 0xd2);
        assert_eq!(verify_root(key.public(), &root, &message), Ok(signed));
        assert_eq!(peek(&message), Ok(signed));
        assert!(verify_root(key.public(), &sha256(b"other"), &message).is_err());
        assert!(verify_root(KeyPair::generate().unwrap().public(), &root, &message).is_err());
        for bit in 0..message.len() * 8 {
            let mut bad = message.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(verify_root(key.public(), &root, &bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_second_encoding_of_the_same_message_is_refused() {
        let key = KeyPair::generate().unwrap();
        let root = sha256(b"root");
        let message = sign_root(&key, &root, SignedRoot { txid: TxId::new(2, 1), issued_at: 1 }).unwrap();
        // The array of four, with its length in a byte of its own.
        let longer = [&message[..1], &[0x98, 4], &message[2..]].concat();
        assert!(verify_root(key.public(), &root, &longer).is_err());
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = peek(&bytes);
            let _ = read_protected(&bytes);
        }
    }
}
