//! An entry and the signature that covers it: all that a receipt is made of.

use base::Seqno;
use bytes::Bytes;

use super::{Files, FilesError, Place, corrupt};
use crate::entry::{RawEntry, split};
use crate::{Corrupt, Directory};

/// Entries are looked through in blocks of this size; a larger one is a block by itself.
const BLOCK_BYTES: u64 = 256 << 10;

/// Two raw entries.
#[derive(Clone, Debug)]
pub struct Covered {
    pub entry: Bytes,
    /// The first signature after it; the same entry if that is one itself.
    pub signature: Bytes,
}

impl<D: Directory> Files<D> {
    /// Reads an entry and looks for its signature, which is no further away than the end of its batch. Nothing but the frames of
    /// entries is checked.
    pub fn covered(&self, seqno: Seqno) -> Result<Covered, FilesError> {
        let entry = self.read(seqno)?;
        if RawEntry::parse(&entry).is_ok_and(|entry| entry.is_signature()) {
            return Ok(Covered { signature: entry.clone(), entry });
        }
        let mut next = seqno.next();
        loop {
            let (name, block) = self.block(next)?;
            let mut read = 0;
            for found in split(&block) {
                match found {
                    Ok(found) if found.is_signature() => {
                        let signature = block.slice_ref(found.bytes);
                        return Ok(Covered { entry, signature });
                    }
                    Ok(_) => read += 1,
                    // Cut off where the block ends: the next one begins with it.
                    Err(_) if read > 0 => break,
                    Err(source) => return Err(corrupt(&name, source)),
                }
            }
            if read == 0 {
                return Err(corrupt(&name, Corrupt::Unsigned));
            }
            next = Seqno(next.0 + read);
        }
    }

    /// At least one entry, and those after it in its chunk that begin in the same block.
    fn block(&self, first: Seqno) -> Result<(String, Bytes), FilesError> {
        let index = self.read_index();
        let Place { name, start, end, chunk_end } = self.locate(&index, first)?;
        let end = end.max(chunk_end.min(start + BLOCK_BYTES));
        let block = self.read_range(&name, start, end)?;
        Ok((name, block))
    }
}
