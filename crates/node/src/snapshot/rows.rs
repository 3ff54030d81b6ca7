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

/// What a version is read back onto.
pub struct Ground<'a> {
    pub tables: Arc<Tables>,
    pub history: Arc<dyn History>,
    /// Is shown the rows of hosted ledgers, and adds their tables.
    pub follow: &'a dyn Fn(&State),
}

/// Where a table stands among others: hosted ledgers have the first place, since their rows say which others there are.
fn place(name: &str) -> (bool, &str) {
    (name != adapter::LEDGERS, name)
}

/// The tables that a snapshot holds, in order; theirs in a registry means nothing outside its process. One without rows is in no
/// version, whether this process knows it or not.
fn in_order(state: &State) -> Vec<(&str, TableId)> {
    let tables = state.tables().iter().filter(|(id, table)| table.kind == Kind::State && !state.is_empty(*id));
    let mut named: Vec<_> = tables.map(|(id, table)| (table.name.as_str(), id)).collect();
    named.sort_unstable_by(|(a, _), (b, _)| place(a).cmp(&place(b)));
    named
}

/// Writes every row of every state table.
pub fn write<D: Directory>(state: &State, out: &mut Sealer<'_, D>) -> Result<(), SnapshotError> {
    let too_long = |_| SnapshotError::Content("a row is too long");
    for (name, table) in in_order(state) {
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

/// Reads them back: tables and rows in order, each once, none empty, no row younger than `seqno`.
pub fn read<D: Directory>(
    from: &mut Opener<'_, D>,
    seqno: Seqno,
    Ground { tables, history, follow }: Ground<'_>,
) -> Result<State, SnapshotError> {
    let mut restore = Restore::new(tables.clone(), history);
    let mut reader = Reader { from, bytes: Vec::new() };
    let mut before: Option<String> = None;
    loop {
        match reader.array()? {
            [TABLE] => {}
            [END] => return Ok(restore.finish(seqno)),
            _ => return Err(SnapshotError::Content("neither a table nor the end follows")),
        }
        let length = usize::from(u16::from_le_bytes(reader.array()?));
        if length > TABLE_NAME_BYTES_MAX {
            return Err(SnapshotError::Content("a table's name is too long"));
        }
        let name = String::from_utf8_lossy(reader.take(length)?).into_owned();
        if before.as_ref().is_some_and(|before| place(before) >= place(&name)) {
            return Err(SnapshotError::Content("its tables are not in order"));
        }
        let known = tables.find(&name).filter(|table| tables.get(*table).kind == Kind::State);
        let Some(table) = known else { return Err(SnapshotError::Table(name)) };
        let rows = u64::from_le_bytes(reader.array()?);
        if rows == 0 {
            return Err(SnapshotError::Content("a table has no rows"));
        }
        reader.rows(rows, seqno, |key, version, value| restore.put(table, key, version, value))?;
        if name == adapter::LEDGERS {
            follow(restore.so_far());
        }
        before = Some(name);
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
