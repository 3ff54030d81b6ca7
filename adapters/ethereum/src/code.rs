//! Analysed code, shared by everyone who executes.
//!
//! Code is named by its hash and never changes, so an entry is right for ever and for every version; the only question
//! is how much to keep.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use alloy_primitives::{B256, Bytes};
use kv::Blob;
use revm::bytecode::Bytecode;

use crate::ReadError;

/// Code kept analysed, in bytes: some thousand contracts of the largest size.
const CODE_BYTES_MAX: usize = 64 << 20;

#[derive(Default)]
pub(crate) struct CodeCache {
    kept: RwLock<Kept>,
}

#[derive(Default)]
struct Kept {
    codes: BTreeMap<B256, Bytecode>,
    bytes: usize,
}

impl CodeCache {
    /// The analysed code, from `load` if it is not here.
    pub(crate) fn get(
        &self,
        hash: B256,
        load: impl FnOnce() -> Result<Blob, ReadError>,
    ) -> Result<Bytecode, ReadError> {
        if let Some(code) = self.kept.read().unwrap_or_else(PoisonError::into_inner).codes.get(&hash) {
            return Ok(code.clone());
        }
        let raw = load()?;
        let code = Bytecode::new_raw_checked(Bytes::copy_from_slice(&raw))
            .map_err(|_| ReadError::Corrupt("code with a malformed delegation"))?;
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + raw.len() > CODE_BYTES_MAX {
            *kept = Kept::default();
        }
        if kept.codes.insert(hash, code.clone()).is_none() {
            kept.bytes += raw.len();
        }
        Ok(code)
    }
}
