//! A request that a member signed: COSE_Sign1, read strictly and verified over its bytes as they came.
//!
//! ```text
//!   18([ protected: bstr { 1: alg, 4: kid, "ccf.gov.msg.type": text, "ccf.gov.msg.created_at": uint,
//!                          "ccf.gov.msg.proposal_id": text? },
//!        unprotected: map, payload: bstr, signature: bstr ])
//! ```
//!
//! The tools that sign differ in the order of the headers, so the order is free; a header that stands twice, a critical
//! header, another tag or a byte more is refused. Unprotected headers are not looked at.

use std::fmt;

use base::Digest;
use crypto::ForeignCertificate;
use crypto::foreign_key::{Curve, Hash, Scheme};
use kv::Tx;
use minicbor::Decoder;
use minicbor::data::{Tag, Type};

use crate::state::members;
use crate::{GovernanceTables, MemberId, Refusal};

/// A body of a request; CCF's own bound.
pub const ENVELOPE_BYTES_MAX: usize = 1 << 20;

/// Protected headers. Ours have about 200 bytes.
const PROTECTED_BYTES_MAX: usize = 4 << 10;
const HEADERS_MAX: u64 = 32;

const TAG_SIGN1: u64 = 18;
const LABEL_ALG: i64 = 1;
const LABEL_CRIT: i64 = 2;
const LABEL_KID: i64 = 4;
const TYPE: &str = "ccf.gov.msg.type";
const CREATED_AT: &str = "ccf.gov.msg.created_at";
const PROPOSAL_ID: &str = "ccf.gov.msg.proposal_id";

/// What a signed request asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Proposal,
    Withdrawal,
    Ballot,
    StateDigest,
    Ack,
    RecoveryShare,
}

impl Kind {
    /// The value of the header.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Proposal => "proposal",
            Self::Withdrawal => "withdrawal",
            Self::Ballot => "ballot",
            Self::StateDigest => "state_digest",
            Self::Ack => "ack",
            Self::RecoveryShare => "recovery_share",
        }
    }

    /// Whether only an active member may ask for it.
    fn wants_active(self) -> bool {
        !matches!(self, Self::StateDigest | Self::Ack)
    }

    /// Of the value of the header.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let all = [Self::Proposal, Self::Withdrawal, Self::Ballot, Self::StateDigest, Self::Ack, Self::RecoveryShare];
        all.into_iter().find(|kind| kind.text() == text)
    }

    /// Whether it is about a proposal, which a header names.
    #[must_use]
    pub fn names_proposal(self) -> bool {
        matches!(self, Self::Withdrawal | Self::Ballot)
    }
}

/// A request whose signature, signer and kind were checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed<'a> {
    pub kind: Kind,
    pub signer: MemberId,
    /// Seconds since 1970, by the signer's clock.
    pub created_at: u64,
    /// Of ballots and withdrawals.
    pub proposal_id: Option<&'a str>,
    pub payload: &'a [u8],
    /// SHA-256 of the signature.
    pub signature: Digest,
    /// What tells a request from another one: SHA-256 of the signed bytes and of `r`, the first half of the signature. The second
    /// half has two values that verify, and anybody can make one out of the other.
    pub once: Digest,
    /// The whole request.
    pub envelope: &'a [u8],
}

impl fmt::Debug for Signed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.kind.text(), self.signer)
    }
}

/// What a request asks for, as it says itself.
#[must_use]
pub fn kind(envelope: &[u8]) -> Option<Kind> {
    Kind::of(Headers::read(Parts::read(envelope)?.protected)?.kind)
}

/// Reads a request and verifies that a member signed it who may, and that it is of the kind that the path wants.
pub fn verify<'a>(
    tables: &GovernanceTables,
    tx: &Tx<'_>,
    kind: Kind,
    envelope: &'a [u8],
) -> Result<Signed<'a>, Refusal> {
    let refused = Refusal::InvalidAuthenticationInfo;
    let parts = Parts::read(envelope).ok_or(refused("the request is not a COSE_Sign1 as it is wanted"))?;
    let headers = Headers::read(parts.protected).ok_or(refused("a protected header is missing or malformed"))?;
    if headers.kind != kind.text() {
        return Err(refused("the message is of another type than the path wants"));
    }
    let proposal_id = if kind.names_proposal() {
        Some(headers.proposal_id.ok_or(refused("the header ccf.gov.msg.proposal_id is missing"))?)
    } else {
        None
    };
    let unknown = refused("the signer is not a member");
    // Ids in tables are lower case, and a key id is looked up as it is.
    let signer = MemberId::parse(headers.kid).filter(|id| id.to_string() == headers.kid).ok_or(unknown.clone())?;
    let certificate = members::certificate(tables, tx, &signer)?.ok_or(unknown)?;
    let scheme =
        scheme(headers.algorithm, &certificate).ok_or(refused("the algorithm is not one of the member's key"))?;
    let signed = signed_bytes(parts.protected, parts.payload);
    let verified = certificate.key().verify(scheme, &signed, parts.signature);
    verified.map_err(|_| refused("the signature does not verify"))?;
    let info = members::info(tables, tx, &signer)?.ok_or(refused("the signer is not a member"))?;
    if kind.wants_active() && info.status != members::Status::Active {
        return Err(refused("the signer is not an active member"));
    }
    Ok(Signed {
        kind,
        signer,
        created_at: headers.created_at,
        proposal_id,
        payload: parts.payload,
        signature: crypto::sha256(parts.signature),
        once: crypto::sha256(&[&signed, &parts.signature[..parts.signature.len() / 2]].concat()),
        envelope,
    })
}

/// How a member signs, by its key and the algorithm that it names.
fn scheme(algorithm: i64, certificate: &ForeignCertificate) -> Option<Scheme> {
    // The second number of each is the newer name, which says the curve too.
    let hash = match (algorithm, certificate.key().curve()?) {
        (-7 | -9, Curve::P256) => Hash::Sha256,
        (-35 | -51, Curve::P384) => Hash::Sha384,
        (-36 | -52, Curve::P521) => Hash::Sha512,
        _ => return None,
    };
    Some(Scheme::EcdsaFixed(hash))
}

/// The `Sig_structure` of RFC 9052, section 4.4.
#[must_use]
pub fn signed_bytes(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(protected.len() + payload.len() + 32);
    minicbor::Encoder::new(&mut bytes)
        .array(4)
        .and_then(|e| e.str("Signature1"))
        .and_then(|e| e.bytes(protected))
        .and_then(|e| e.bytes(&[]))
        .and_then(|e| e.bytes(payload))
        .expect("writing to memory does not fail");
    bytes
}

struct Parts<'a> {
    protected: &'a [u8],
    payload: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(envelope: &'a [u8]) -> Option<Self> {
        if envelope.len() > ENVELOPE_BYTES_MAX {
            return None;
        }
        let mut d = Decoder::new(envelope);
        if d.tag().ok()? != Tag::new(TAG_SIGN1) || d.array().ok()? != Some(4) {
            return None;
        }
        let protected = d.bytes().ok()?;
        if protected.len() > PROTECTED_BYTES_MAX || d.datatype().ok()? != Type::Map {
            return None;
        }
        d.skip().ok()?;
        let parts = Self { protected, payload: d.bytes().ok()?, signature: d.bytes().ok()? };
        (d.position() == envelope.len()).then_some(parts)
    }
}

/// Protected headers as they stand. That they are read says nothing of who wrote them.
pub struct Headers<'a> {
    pub algorithm: i64,
    pub kid: &'a str,
    /// A [`Kind`], if it is one that is known.
    pub kind: &'a str,
    pub created_at: u64,
    pub proposal_id: Option<&'a str>,
}

impl<'a> Headers<'a> {
    /// `None`: one that is wanted is missing, one stands twice, or it is no map of headers.
    #[must_use]
    pub fn read(protected: &'a [u8]) -> Option<Self> {
        let mut d = Decoder::new(protected);
        let count = d.map().ok()?.filter(|count| *count <= HEADERS_MAX)?;
        let (mut numbers, mut names) = (Vec::new(), Vec::new());
        let (mut algorithm, mut kid, mut kind, mut created_at, mut proposal_id) = (None, None, None, None, None);
        for _ in 0..count {
            if d.datatype().ok()? == Type::String {
                let name = d.str().ok()?;
                match name {
                    TYPE => kind = Some(d.str().ok()?),
                    CREATED_AT => created_at = Some(d.u64().ok()?),
                    PROPOSAL_ID => proposal_id = Some(d.str().ok()?),
                    _ => d.skip().ok()?,
                }
                names.push(name);
            } else {
                let label = d.i64().ok()?;
                match label {
                    LABEL_ALG => algorithm = Some(d.i64().ok()?),
                    LABEL_KID => kid = Some(std::str::from_utf8(d.bytes().ok()?).ok()?),
                    // Whoever signs may ask that a header be understood or the message refused; none is known here.
                    LABEL_CRIT => return None,
                    _ => d.skip().ok()?,
                }
                numbers.push(label);
            }
        }
        let whole = d.position() == protected.len() && all_differ(&mut numbers) && all_differ(&mut names);
        if !whole {
            return None;
        }
        Some(Self { algorithm: algorithm?, kid: kid?, kind: kind?, created_at: created_at?, proposal_id })
    }
}

fn all_differ<T: Ord>(labels: &mut [T]) -> bool {
    labels.sort_unstable();
    labels.windows(2).all(|pair| pair[0] != pair[1])
}
