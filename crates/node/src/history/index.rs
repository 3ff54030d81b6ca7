//! The index of history rows: keyed hash of table and key → seqno of the entry that wrote the row.

use std::path::Path;

use base::Seqno;
use crypto::MacKey;
use fjall::{Database, Keyspace, KeyspaceCreateOptions};
use kv::{Kind, Tables, WriteSet};

/// Enough that no two rows meet by chance.
const HASH_BYTES: usize = 16;
/// Where the index stands; shorter than a hash, so that it is none.
const INDEXED: &[u8] = b"indexed";
/// Bytes of index blocks kept in memory.
const CACHE_BYTES: u64 = 32 << 20;
/// Bytes of new rows kept in memory before they are written out.
const MEMTABLE_BYTES: u64 = 8 << 20;

/// The index on disk does not serve. It may be deleted while the node is down: it is built again from the ledger.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("the history index failed; stop the node, delete its folder `index` and start it again to rebuild it")]
    Store(#[from] fjall::Error),
    #[error("the history index is damaged; stop the node, delete its folder `index` and start it again to rebuild it")]
    Damaged,
}

pub struct Index {
    key: MacKey,
    database: Database,
    rows: Keyspace,
}

impl Index {
    pub fn open(dir: &Path, key: MacKey) -> Result<Self, IndexError> {
        let database = Database::builder(dir).cache_size(CACHE_BYTES).open()?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let rows = database.keyspace("rows", options)?;
        Ok(Self { key, database, rows })
    }

    /// Every history row up to here is in the index.
    pub fn indexed(&self) -> Result<Seqno, IndexError> {
        self.rows.get(INDEXED)?.map_or(Ok(Seqno(0)), |value| seqno(&value))
    }

    /// Which entry wrote a row.
    pub fn find(&self, table: &str, key: &[u8]) -> Result<Option<Seqno>, IndexError> {
        self.rows.get(self.hash(table, key))?.map(|value| seqno(&value)).transpose()
    }

    /// Adds the rows of consecutive entries, the last of which is `last`; all or nothing.
    pub fn add(&self, tables: &Tables, entries: &[(Seqno, WriteSet)], last: Seqno) -> Result<(), IndexError> {
        let mut batch = self.database.batch();
        for (seqno, writes) in entries {
            for section in &writes.sections {
                let table = tables.get(section.table);
                if table.kind == Kind::History {
                    for (key, _) in &section.puts {
                        batch.insert(&self.rows, self.hash(&table.name, key), seqno.0.to_le_bytes());
                    }
                }
            }
        }
        batch.insert(&self.rows, INDEXED, last.0.to_le_bytes());
        Ok(batch.commit()?)
    }

    fn hash(&self, table: &str, key: &[u8]) -> [u8; HASH_BYTES] {
        let mut row = Vec::with_capacity(table.len() + 1 + key.len());
        row.extend_from_slice(table.as_bytes());
        row.push(0);
        row.extend_from_slice(key);
        let mut hash = [0; HASH_BYTES];
        hash.copy_from_slice(&self.key.mac(&row)[..HASH_BYTES]);
        hash
    }
}

fn seqno(value: &[u8]) -> Result<Seqno, IndexError> {
    value.try_into().map(|bytes| Seqno(u64::from_le_bytes(bytes))).map_err(|_| IndexError::Damaged)
}
