//! How many files are given away at a time, and what their digests are: a file that never changes is hashed once.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use adapter::{FileKind, Stored};
use base::Digest;
use crypto::Sha256;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Two nodes that begin at once, each with a file and one that it was too slow for.
const FILES_MAX: usize = 4;
/// Digests that are remembered; what is taken again, or in parts, is taken soon.
const DIGESTS_MAX: usize = 64;
/// What is hashed at once.
const PIECE_BYTES: u64 = 1 << 20;

#[derive(Clone)]
pub struct Downloads {
    places: Arc<Semaphore>,
    digests: Arc<Mutex<BTreeMap<(FileKind, String), Digest>>>,
}

impl Default for Downloads {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(FILES_MAX)), digests: Arc::default() }
    }
}

impl Downloads {
    /// `None`: so many are given away already.
    pub fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// SHA-256 of all of a file. Reads it, unless it was read lately.
    pub fn digest(&self, kind: FileKind, name: &str, file: &Stored) -> io::Result<Digest> {
        let key = (kind, name.to_owned());
        if let Some(known) = self.known().get(&key).filter(|_| file.fixed) {
            return Ok(*known);
        }
        let digest = hash(file)?;
        if file.fixed {
            let mut known = self.known();
            if known.len() >= DIGESTS_MAX {
                known.clear();
            }
            known.insert(key, digest);
        }
        Ok(digest)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<(FileKind, String), Digest>> {
        self.digests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(file: &Stored) -> io::Result<Digest> {
    let (mut hash, mut piece, mut from) = (Sha256::new(), Vec::new(), 0);
    while from < file.bytes {
        let length = (file.bytes - from).min(PIECE_BYTES);
        piece.resize(usize::try_from(length).unwrap_or_default(), 0);
        (file.read)(from, &mut piece)?;
        hash.update(&piece);
        from += length;
    }
    Ok(hash.finish())
}
