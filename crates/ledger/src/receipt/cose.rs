//! The COSE form: the service's signature as the ledger has it, with a proof of inclusion beside it.
//!
//! ```text
//! proof = { 1: [ bstr write set digest, tstr commit evidence, bstr claims ], 2: [ [ bool left, bstr ], … ] }
//! ```

use base::Digest;
use crypto::cose::{split_inclusion, with_inclusion};
use minicbor::{Decoder, Encoder};

use super::verify::PATH_MAX;
use super::{Leaf, Receipt};
use crate::tree::Step;

const LEAF: u32 = 1;
const PATH: u32 = 2;
const EVIDENCE_BYTES_MAX: usize = 1024;

impl Receipt {
    /// `None` for a signature: it has no leaf under the root that it signs itself.
    pub fn to_cose(&self) -> Option<Result<Vec<u8>, crypto::Error>> {
        let (leaf, path) = self.shown.as_ref()?;
        Some(with_inclusion(&self.cose, &proof(leaf, path)))
    }
}

/// The signed message, and what leads to the root that it signs.
pub(super) fn read(receipt: &[u8]) -> Option<(Vec<u8>, Leaf, Vec<Step>)> {
    let (message, bytes) = split_inclusion(receipt).ok()?;
    let (leaf, path) = read_proof(bytes).ok().flatten()?;
    // One receipt has one encoding.
    (proof(&leaf, &path) == bytes).then_some((message, leaf, path))
}

fn proof(leaf: &Leaf, path: &[Step]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256 + 36 * path.len());
    let mut e = Encoder::new(&mut bytes);
    let mut write = || -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        e.map(2)?.u32(LEAF)?.array(3)?.bytes(&leaf.write_set.0)?.str(&leaf.evidence)?.bytes(&leaf.claims.0)?;
        e.u32(PATH)?.array(path.len() as u64)?;
        for step in path {
            e.array(2)?.bool(step.left)?.bytes(&step.digest.0)?;
        }
        Ok(())
    };
    write().expect("writing to memory does not fail");
    bytes
}

fn read_proof(bytes: &[u8]) -> Result<Option<(Leaf, Vec<Step>)>, minicbor::decode::Error> {
    let mut d = Decoder::new(bytes);
    if d.map()? != Some(2) || d.u32()? != LEAF || d.array()? != Some(3) {
        return Ok(None);
    }
    let (write_set, evidence, claims) = (digest(&mut d)?, d.str()?, digest(&mut d)?);
    let (Some(write_set), Some(claims)) = (write_set, claims) else { return Ok(None) };
    if evidence.len() > EVIDENCE_BYTES_MAX || d.u32()? != PATH {
        return Ok(None);
    }
    let Some(steps) = d.array()?.filter(|steps| *steps <= PATH_MAX as u64) else { return Ok(None) };
    let mut path = Vec::new();
    for _ in 0..steps {
        if d.array()? != Some(2) {
            return Ok(None);
        }
        let left = d.bool()?;
        let Some(digest) = digest(&mut d)? else { return Ok(None) };
        path.push(Step { left, digest });
    }
    Ok(Some((Leaf { write_set, evidence: evidence.to_owned(), claims }, path)))
}

fn digest(d: &mut Decoder<'_>) -> Result<Option<Digest>, minicbor::decode::Error> {
    Ok(d.bytes()?.try_into().ok().map(Digest))
}
