//! What a script asks of the store and of the node, and what it is told: the whole border between the engine and the rest.
//!
//! The engine may run in another process, which is trusted no more than the script that it runs. So whoever answers
//! ([`super::host::Host`]) looks at rights and bounds itself, and these are plain values that can be sent.

use std::cell::RefCell;

use kv::Blob;
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use super::Step;
use super::bounds::Bounds;
use super::host::{Host, Refused};

/// A question, or something to be done.
#[derive(Encode, Decode, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Ask {
    /// The script is loaded and its function is called from here on: only now it has rights.
    #[n(0)]
    Loaded,
    #[n(1)]
    Get(#[n(0)] String, #[n(1)] ByteVec),
    /// Which entry wrote a row last.
    #[n(2)]
    Version(#[n(0)] String, #[n(1)] ByteVec),
    #[n(3)]
    Set(#[n(0)] String, #[n(1)] ByteVec, #[n(2)] ByteVec),
    #[n(4)]
    Delete(#[n(0)] String, #[n(1)] ByteVec),
    #[n(5)]
    Clear(#[n(0)] String),
    #[n(6)]
    Size(#[n(0)] String),
    /// Begins a walk through a table and gives its first rows.
    #[n(7)]
    Walk(#[n(0)] String),
    /// The next rows of a walk that is under way.
    #[n(8)]
    Further(#[n(0)] u32),
    #[n(9)]
    Leave(#[n(0)] u32),
    #[n(10)]
    Effect(#[n(0)] String),
    #[n(11)]
    OpenService {
        #[n(0)]
        previous: Option<String>,
        #[n(1)]
        next: String,
    },
    #[n(12)]
    LedgerSecretSeqno,
    #[n(13)]
    EndorseNode {
        #[n(0)]
        request: String,
        #[n(1)]
        valid_from: String,
        #[n(2)]
        days: u32,
    },
    #[n(14)]
    RenewCertificate {
        #[n(0)]
        valid_from: String,
        #[n(1)]
        days: u32,
    },
    #[n(15)]
    SetJwtKeys {
        #[n(0)]
        issuer: String,
        #[n(1)]
        keys: String,
    },
}

impl Ask {
    /// About how much is said: texts and bytes.
    fn bytes(&self) -> usize {
        match self {
            Self::Loaded | Self::Further(_) | Self::Leave(_) | Self::LedgerSecretSeqno => 0,
            Self::Clear(text) | Self::Size(text) | Self::Walk(text) | Self::Effect(text) => text.len(),
            Self::Get(table, key) | Self::Version(table, key) | Self::Delete(table, key) => table.len() + key.len(),
            Self::Set(table, key, value) => table.len() + key.len() + value.len(),
            Self::OpenService { previous, next } => previous.as_ref().map_or(0, String::len) + next.len(),
            Self::EndorseNode { request, valid_from, .. } => request.len() + valid_from.len(),
            Self::RenewCertificate { valid_from, .. } => valid_from.len(),
            Self::SetJwtKeys { issuer, keys } => issuer.len() + keys.len(),
        }
    }

    /// Refused in either process alike, so that a script comes to the same end in both.
    pub(crate) fn check(&self, bounds: &Bounds) -> Result<(), Refused> {
        if self.bytes() > bounds.ask_bytes() { Err("an argument is too long".to_owned()) } else { Ok(()) }
    }
}

/// An answer.
#[derive(Encode, Decode, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    #[n(0)]
    Done,
    #[n(1)]
    Flag(#[n(0)] bool),
    #[n(2)]
    Number(#[n(0)] Option<u64>),
    #[n(3)]
    Bytes(#[cbor(n(0), with = "blob")] Option<Blob>),
    #[n(4)]
    Text(#[n(0)] String),
    /// Keys and values in turn; the walk's number if there may be more.
    #[n(5)]
    Rows(#[cbor(n(0), with = "blobs")] Vec<Blob>, #[n(1)] Option<u32>),
}

/// Somebody who answers: the host, or a way to it.
pub(crate) trait Answers {
    fn ask(&self, ask: Ask) -> Result<Told, Refused>;
}

impl Answers for RefCell<Host> {
    fn ask(&self, ask: Ask) -> Result<Told, Refused> {
        self.borrow_mut().answer(ask)
    }
}

/// What the engine is given to run: a job without what it may ask for.
#[derive(Encode, Decode, Clone, Debug)]
pub(crate) struct Task {
    #[n(0)]
    pub(crate) call: super::Call,
    #[n(1)]
    pub(crate) bounds: Bounds,
    #[n(2)]
    pub(crate) time: u64,
    #[n(3)]
    pub(crate) seed: u64,
}

impl Task {
    pub(crate) fn step(&self) -> Step {
        self.call.step()
    }
}

mod blob {
    use kv::Blob;
    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{self, Encoder, Write};

    pub(super) fn encode<C, W: Write>(
        blob: &Option<Blob>,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        match blob {
            Some(blob) => e.bytes(blob)?.ok(),
            None => e.null()?.ok(),
        }
    }

    pub(super) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Option<Blob>, Error> {
        if d.datatype()? == minicbor::data::Type::Null {
            d.null()?;
            return Ok(None);
        }
        Ok(Some(Blob::from(d.bytes()?)))
    }
}

mod blobs {
    use kv::Blob;
    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{self, Encoder, Write};

    pub(super) fn encode<C, W: Write>(
        blobs: &[Blob],
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.array(blobs.len() as u64)?;
        blobs.iter().try_for_each(|blob| e.bytes(blob).map(drop))
    }

    pub(super) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Vec<Blob>, Error> {
        let count = d.array()?.ok_or_else(|| Error::message("rows of no known number"))?;
        (0..count).map(|_| d.bytes().map(Blob::from)).collect()
    }
}

/// A shared text.
pub(crate) mod shared {
    use std::sync::Arc;

    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{self, Encoder, Write};

    pub(crate) fn encode<C, W: Write>(
        text: &Arc<str>,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.str(text)?.ok()
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Arc<str>, Error> {
        d.str().map(Arc::from)
    }
}

/// The same where it may be absent.
pub(crate) mod maybe_shared {
    use std::sync::Arc;

    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{self, Encoder, Write};

    pub(crate) fn encode<C, W: Write>(
        text: &Option<Arc<str>>,
        e: &mut Encoder<W>,
        c: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.encode_with(text.as_deref(), c)?.ok()
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, c: &mut C) -> Result<Option<Arc<str>>, Error> {
        let text: Option<&str> = d.decode_with(c)?;
        Ok(text.map(Arc::from))
    }
}
