//! The content of a snapshot: the tables of the state, and their rows in order.

use std::sync::Arc;

use base::Seqno;
use base::limits::{ENTRY_BYTES_MAX, KEY_BYTES_MAX, TABLE_NAME_BYTES_MAX};
use kv::{History, Kind, Restore, State, TableId, Tables};
use ledger::Directory;

use super::SnapshotError;
use super::parts::{Opener, Sealer};

/// A table follows, or the end.
const TABLE: u8 = 1;
const END: u8 = 0;
/// Version, length of the key, length of the value.
const ROW_BYTES: usize = 8 + 4 + 4;

/// The tables that a snapshot holds, by name: their order in a registry means nothing outside its process.
fn by_name(tables: &Tables) -> Vec<(&str, TableId)> {
    let state = tables.iter().filter(|(_, table)| table.kind == Kind::State);
    let mut named: Vec<_> = state.map(|(id, table)| (table.name.as_str(), id)).collect();
    named.sort_unstable();
    named
}

/// Writes every row of every state table.
pub fn write<D: Directory>(state: &State, out: &mut Sealer<'_, D>) -> Result<(), SnapshotError> {
    let too_long = |_| SnapshotError::Content("a row is too long");
    for (name, table) in by_name(state.tables()) {
        out.put(&[TABLE])?;
        out.put(&u16::try_from(name.len()).map_err(too_long)?.to_le_bytes())?;
        out.put(name.as_bytes())?;
        out.put(&(state.len(table) as u64).to_le_bytes())?;
        for (key, version, value) in state.versioned(table) {
            let mut row = [0; ROW_BYTES];
            row[..8].copy_from_slice(&version.0.to_le_bytes());
            row[8..12].copy_from_slice(&u32::try_from(key.len()).map_err(too_long)?.to_le_bytes());
            row[12..].copy_from_slice(&u32::try_from(value.len()).map_err(too_long)?.to_le_bytes());
            out.put(&row)?;
            out.put(key)?;
            out.put(value)?;
        }
    }
    out.put(&[END])
}

/// Reads them back: exactly the state tables of this node, rows in order, none younger than `seqno`.
pub fn read<D: Directory>(
    from: &mut Opener<'_, D>,
    seqno: Seqno,
    tables: Arc<Tables>,
    history: Arc<dyn History>,
) -> Result<State, SnapshotError> {
    let mut restore = Restore::new(tables.clone(), history);
    let mut reader = Reader { from, bytes: Vec::new() };
    for (expected, table) in by_name(&tables) {
        if reader.array()? != [TABLE] {
            return Err(SnapshotError::Missing(expected.to_owned()));
        }
        let length = usize::from(u16::from_le_bytes(reader.array()?));
        if length > TABLE_NAME_BYTES_MAX {
            return Err(SnapshotError::Content("a table's name is too long"));
        }
        let name = reader.take(length)?;
        if name != expected.as_bytes() {
            // Names ascend: one that comes before what is expected is not known here.
            return Err(match String::from_utf8_lossy(name).into_owned() {
                name if name.as_str() < expected => SnapshotError::Table(name),
                _ => SnapshotError::Missing(expected.to_owned()),
            });
        }
        let rows = u64::from_le_bytes(reader.array()?);
        reader.rows(rows, seqno, |key, version, value| restore.put(table, key, version, value))?;
    }
    match reader.array()? {
        [END] => Ok(restore.finish(seqno)),
        _ => {
            let length = usize::from(u16::from_le_bytes(reader.array()?));
            let name = reader.take(length.min(TABLE_NAME_BYTES_MAX))?;
            Err(SnapshotError::Table(String::from_utf8_lossy(name).into_owned()))
        }
    }
}

struct Reader<'r, 'd, D> {
    from: &'r mut Opener<'d, D>,
    bytes: Vec<u8>,
}

impl<D: Directory> Reader<'_, '_, D> {
    fn take(&mut self, count: usize) -> Result<&[u8], SnapshotError> {
        self.bytes.clear();
        self.from.take(count, &mut self.bytes)?;
        Ok(&self.bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn rows(
        &mut self,
        count: u64,
        seqno: Seqno,
        mut put: impl FnMut(&[u8], Seqno, &[u8]),
    ) -> Result<(), SnapshotError> {
        let mut before: Option<Vec<u8>> = None;
        for _ in 0..count {
            let version = Seqno(u64::from_le_bytes(self.array()?));
            let key_bytes = u32::from_le_bytes(self.array()?) as usize;
            let value_bytes = u32::from_le_bytes(self.array()?) as usize;
            if key_bytes > KEY_BYTES_MAX || value_bytes > ENTRY_BYTES_MAX {
                return Err(SnapshotError::Content("a row is longer than any entry"));
            }
            if version > seqno || version == Seqno(0) {
                return Err(SnapshotError::Content("a row was written by an entry that it cannot be of"));
            }
            let bytes = self.take(key_bytes + value_bytes)?;
            let (key, value) = bytes.split_at(key_bytes);
            if before.as_deref().is_some_and(|before| before >= key) {
                return Err(SnapshotError::Content("its rows are not in order"));
            }
            put(key, version, value);
            let before = before.get_or_insert_default();
            before.clear();
            before.extend_from_slice(key);
        }
        Ok(())
    }
}
