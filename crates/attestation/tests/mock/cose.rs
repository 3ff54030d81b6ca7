//! COSE_Sign1 messages, right or wrong.

use minicbor::Encoder;
use minicbor::data::Tag;

/// The parts of a message but its signature.
pub struct Sign1<'a> {
    pub tagged: bool,
    pub protected: &'a [u8],
    /// As it stands in the message.
    pub unprotected: &'a [u8],
    pub payload: &'a [u8],
}

impl Sign1<'_> {
    pub fn signed(&self, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let Self { tagged, protected, unprotected, payload } = *self;
        let signed = cbor(|e| {
            e.array(4).unwrap().str("Signature1").unwrap().bytes(protected).unwrap().bytes(&[]).unwrap();
            e.bytes(payload).unwrap();
        });
        let signature = sign(&signed);
        cbor(|e| {
            if tagged {
                e.tag(Tag::new(18)).unwrap();
            }
            e.array(4).unwrap().bytes(protected).unwrap();
            e.writer_mut().extend_from_slice(unprotected);
            e.bytes(payload).unwrap().bytes(&signature).unwrap();
        })
    }
}

pub fn cbor(write: impl FnOnce(&mut Encoder<Vec<u8>>)) -> Vec<u8> {
    let mut encoder = Encoder::new(vec![]);
    write(&mut encoder);
    encoder.into_writer()
}
