//! A chunk: a file of consecutive entries. Byte layout and names: docs/formats/chunk.md.

use std::fmt;

use crate::Corrupt;
use crate::bytes::Reader;
use crate::entry::split;

/// Where entries begin: after the offset of the position table.
pub(crate) const FIRST_OFFSET: u32 = 8;

/// What a chunk's file name says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ChunkName {
    /// Still growing.
    Open { first: u64 },
    /// Whole, committed, never changed again.
    Committed { first: u64, last: u64 },
}

impl ChunkName {
    /// Reads a name as this crate writes it; `None` for any other file.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("ledger_")?;
        let parsed = match rest.strip_suffix(".committed") {
            Some(range) => {
                let (first, last) = range.split_once('-')?;
                Self::Committed { first: first.parse().ok()?, last: last.parse().ok()? }
            }
            None => Self::Open { first: rest.parse().ok()? },
        };
        let possible = match parsed {
            Self::Open { first } => (1..u64::MAX).contains(&first),
            Self::Committed { first, last } => 1 <= first && first <= last && last < u64::MAX,
        };
        (possible && parsed.to_string() == name).then_some(parsed)
    }

    pub(crate) fn first(self) -> u64 {
        match self {
            Self::Open { first } | Self::Committed { first, .. } => first,
        }
    }
}

impl fmt::Display for ChunkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { first } => write!(f, "ledger_{first}"),
            Self::Committed { first, last } => write!(f, "ledger_{first}-{last}.committed"),
        }
    }
}

/// The position table as bytes: the offset of every entry.
pub(crate) fn table_bytes(positions: &[u32]) -> Vec<u8> {
    positions.iter().flat_map(|position| position.to_le_bytes()).collect()
}

/// Reads a position table of `count` entries that end at `end`; `None` if it cannot be one.
pub(crate) fn read_table(bytes: &[u8], count: u64, end: u64) -> Option<Vec<u32>> {
    let (words, odd) = bytes.as_chunks::<4>();
    if !odd.is_empty() || words.len() as u64 != count {
        return None;
    }
    let positions: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
    let ascends = positions.first() == Some(&FIRST_OFFSET) && positions.is_sorted_by(|a, b| a < b);
    let inside = positions.last().is_some_and(|last| u64::from(*last) < end);
    (ascends && inside).then_some(positions)
}

/// The offset of the position table that a chunk's first eight bytes name; 0 if it has none.
pub(crate) fn table_offset(chunk: &[u8]) -> Result<u64, Corrupt> {
    Reader::new(chunk).u64()
}

/// Finds the offsets again by walking over the entries in `bytes`, which begin at offset 8.
pub(crate) fn walk(bytes: &[u8]) -> Result<Vec<u32>, Corrupt> {
    let mut positions = Vec::new();
    let mut offset = u64::from(FIRST_OFFSET);
    for entry in split(bytes) {
        positions.push(u32::try_from(offset).map_err(|_| Corrupt::Frame("it lies past 4 GiB"))?);
        offset += entry?.bytes.len() as u64;
    }
    Ok(positions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_as_they_are_written_are_read() {
        assert_eq!(ChunkName::parse("ledger_1"), Some(ChunkName::Open { first: 1 }));
        assert_eq!(ChunkName::parse("ledger_1-9.committed"), Some(ChunkName::Committed { first: 1, last: 9 }));
        for other in
            ["ledger_01", "ledger_+1", "ledger_1-9", "ledger_1-9.committed_prefix", "snapshot_1_2", "ledger_", ""]
        {
            assert_eq!(ChunkName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_table_must_fit_its_entries() {
        let bytes = table_bytes(&[8, 100, 230]);
        assert_eq!(read_table(&bytes, 3, 400), Some(vec![8, 100, 230]));
        assert_eq!(read_table(&bytes, 2, 400), None);
        assert_eq!(read_table(&bytes, 3, 230), None);
        assert_eq!(read_table(&bytes[..11], 3, 400), None);
        assert_eq!(read_table(&table_bytes(&[9, 100, 230]), 3, 400), None);
        assert_eq!(read_table(&table_bytes(&[8, 100, 100]), 3, 400), None);
    }
}
