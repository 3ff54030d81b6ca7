//! Encodings that several kinds of evidence share, each read strictly: one encoding for one meaning.

pub(crate) mod cbor;
pub(crate) mod cose;
pub(crate) mod event_log;
pub(crate) mod signature;
pub(crate) mod tpm;
pub(crate) mod x509;
