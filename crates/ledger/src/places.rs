//! Places within the ledger files: where the ledger stood at an earlier signature, and how far that is from the end.

use base::Seqno;
use crypto::PublicKey;

use crate::entry::RawEntry;
use crate::files::{Files, FilesError, corrupt};
use crate::signature::{Head, Signature};
use crate::{Corrupt, Directory, LedgerKeys};

impl<D: Directory> Files<D> {
    /// Where the ledger stands after the entry `seqno`, which must be a signature. It is read from the entry itself, so
    /// nothing before it needs to be read. The entry must open, and if `service` is given it must have signed the root.
    pub fn head_at(&self, seqno: Seqno, keys: &LedgerKeys, service: Option<&PublicKey>) -> Result<Head, FilesError> {
        let bytes = self.read(seqno)?;
        let head = || -> Result<Head, Corrupt> {
            let entry = RawEntry::parse(&bytes)?;
            entry.open_private(keys)?;
            let head = Head::at(&entry)?;
            if let Some(key) = service {
                Signature::read(&entry)?.signatures.verify_service(key, &head.signed_root())?;
            }
            Ok(head)
        };
        head().map_err(|source| corrupt(&format!("(entry {seqno})"), source))
    }

    /// About how many bytes the ledger files have behind the entry `seqno`: as if closed chunks had no more than their size,
    /// and none had been ended before.
    #[must_use]
    pub fn bytes_behind(&self, seqno: Seqno) -> u64 {
        let index = self.read_index();
        let before = index.closed.partition_point(|(first, _)| *first <= seqno.0);
        let closed = (index.closed.len() - before) as u64 * self.chunk_bytes;
        let open = index.open.positions.get(seqno.0.saturating_sub(index.open.first - 1) as usize);
        closed + open.map_or(0, |from| u64::from(index.open.end - from))
    }
}
