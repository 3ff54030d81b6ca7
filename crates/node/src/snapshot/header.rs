//! What a snapshot says in clear: of which ledger it is, and up to where.

use base::{Digest, TxId};
use crypto::SealingKey;
use ledger::{Head, LedgerKeys};

use super::SnapshotError;

const MAGIC: &[u8; 8] = b"cocosnap";
const FORMAT: u32 = 2;
const SALT_BYTES: usize = 32;
pub const HEADER_BYTES: usize = 8 + 4 + 8 + 8 + 32 + SALT_BYTES;

/// The beginning of a snapshot. The whole of it goes into the key, so that whoever changes it opens nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// The signature entry that the state ends at.
    pub txid: TxId,
    /// The root over all entries up to and with that one.
    pub root: Digest,
    /// Random. Two snapshots never have one key, even if a machine was set back in time between them.
    salt: [u8; SALT_BYTES],
}

impl Header {
    pub fn new(head: &Head) -> Result<Self, crypto::Error> {
        Ok(Self { txid: head.txid, root: root(head), salt: crypto::random()? })
    }

    /// Whether it was taken where `head` is.
    pub fn is_at(&self, head: &Head) -> bool {
        self.txid == head.txid && self.root == root(head)
    }

    pub fn write(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.txid.view.0.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.txid.seqno.0.to_le_bytes());
        bytes[28..60].copy_from_slice(&self.root.0);
        bytes[60..].copy_from_slice(&self.salt);
        bytes
    }

    pub fn read(bytes: &[u8; HEADER_BYTES]) -> Result<Self, SnapshotError> {
        let number = |at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(number)
        };
        if &bytes[..8] != MAGIC {
            return Err(SnapshotError::Format("it does not begin as one"));
        }
        if bytes[8..12] != FORMAT.to_le_bytes() {
            return Err(SnapshotError::Format("its version is not known"));
        }
        let (mut root, mut salt) = ([0; 32], [0; SALT_BYTES]);
        root.copy_from_slice(&bytes[28..60]);
        salt.copy_from_slice(&bytes[60..]);
        Ok(Self { txid: TxId::new(number(12), number(20)), root: Digest(root), salt })
    }

    /// The key of this snapshot alone.
    pub fn key(&self, keys: &LedgerKeys) -> Result<SealingKey, SnapshotError> {
        let key = keys.snapshot_key(self.txid.seqno, &self.write()).ok_or(SnapshotError::NoKey)?;
        Ok(key?)
    }
}

fn root(head: &Head) -> Digest {
    head.frontier().root()
}
