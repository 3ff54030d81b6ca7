//! Opening a ledger directory: which chunks there are, and where the last whole signature stands.
//!
//! Closed chunks were synced before they got their name, so they are taken as they are; an audit looks inside them. The open
//! chunk is read from its first entry: each batch must follow the one before it and be covered by its signature's tree, or it
//! and all behind it is cut off.

use crate::check::check_prefix;
use crate::chunk::{self, ChunkName, FIRST_OFFSET};
use crate::entry::RawEntry;
use crate::files::{FilesError, Index, OpenChunk, Recovered, corrupt, ends_chunk, io_error};
use crate::signature::Head;
use crate::{Corrupt, Directory, LedgerKeys};

pub(crate) fn recover<D: Directory>(
    directory: &D,
    keys: Option<&LedgerKeys>,
) -> Result<(Index, Recovered), FilesError> {
    let (closed, open) = chunks(directory)?;
    let next = closed.last().map_or(1, |(_, last)| last + 1);
    let head = match closed.last() {
        Some((first, last)) => closed_head(directory, keys, *first, *last)?,
        None => Head::new(),
    };
    let mut index = Index { closed, open: OpenChunk::new(next) };
    let recovered = match open {
        Some(_) => recover_open(directory, keys, &mut index.open, head)?,
        None => Recovered { head, cut_bytes: 0 },
    };
    Ok((index, recovered))
}

/// First and last entry of each closed chunk.
type Closed = Vec<(u64, u64)>;

/// The chunks by their names, which must join without a gap.
fn chunks<D: Directory>(directory: &D) -> Result<(Closed, Option<u64>), FilesError> {
    let names = directory.list().map_err(|source| io_error("list", "directory", source))?;
    let mut chunks: Vec<ChunkName> = names.iter().filter_map(|name| ChunkName::parse(name)).collect();
    chunks.sort_unstable_by_key(|chunk| chunk.first());
    let mut closed: Closed = Vec::new();
    let mut open = None;
    for chunk in chunks {
        let next = closed.last().map_or(1, |(_, last)| last + 1);
        if open.is_some() || chunk.first() != next {
            return Err(FilesError::Gap(format!("{chunk} stands where entry {next} should begin a chunk")));
        }
        match chunk {
            ChunkName::Committed { first, last } => closed.push((first, last)),
            ChunkName::Open { first } => open = Some(first),
        }
    }
    Ok((closed, open))
}

/// The head at the end of a closed chunk, from its last entry.
fn closed_head<D: Directory>(
    directory: &D,
    keys: Option<&LedgerKeys>,
    first: u64,
    last: u64,
) -> Result<Head, FilesError> {
    let name = ChunkName::Committed { first, last }.to_string();
    let (positions, end) = closed_positions(directory, &name, last - first + 1)?;
    let start = positions.last().map_or(end, |start| u64::from(*start));
    let bytes = read_range(directory, &name, start, end)?;
    let head = RawEntry::parse(&bytes).and_then(|entry| Head::at(&entry)).map_err(|source| corrupt(&name, source))?;
    if !last_is_authentic(&bytes, keys) {
        return Err(corrupt(&name, Corrupt::Sealed));
    }
    if head.seqno().0 == last {
        Ok(head)
    } else {
        Err(corrupt(&name, Corrupt::Frame("its last entry has another number than its name says")))
    }
}

/// Reads the open chunk batch by batch and cuts it after the last whole one.
fn recover_open<D: Directory>(
    directory: &D,
    keys: Option<&LedgerKeys>,
    open: &mut OpenChunk,
    mut head: Head,
) -> Result<Recovered, FilesError> {
    let name = open.name();
    let failed = |doing| {
        let name = name.clone();
        move |source| io_error(doing, &name, source)
    };
    let len = directory.len(&name).map_err(failed("read"))?;
    let bytes = read_range(directory, &name, 0, len)?;
    let entries = bytes.get(FIRST_OFFSET as usize..).unwrap_or_default();
    let mut whole = 0;
    while let Ok(checked) = check_prefix(&head, &entries[whole..], None) {
        let start_of_last = checked.entries.last().map_or(0, |last| last.start);
        if !last_is_authentic(&entries[whole + start_of_last..], keys) {
            break;
        }
        for entry in &checked.entries {
            open.positions.push(position(whole + entry.start).map_err(|source| corrupt(&name, source))?);
        }
        open.ends = ends_chunk(&entries[whole..whole + checked.bytes()]);
        whole += checked.bytes();
        head = checked.head;
    }
    open.end = position(whole).map_err(|source| corrupt(&name, source))?;
    open.exists = true;
    let end = u64::from(open.end);
    if bytes.get(..FIRST_OFFSET as usize) != Some(&[0; FIRST_OFFSET as usize]) {
        directory.write(&name, 0, &[0; FIRST_OFFSET as usize]).map_err(failed("write"))?;
    }
    if len > end {
        directory.truncate(&name, end).map_err(failed("cut"))?;
    }
    // What was found may not have been durable when the process ended.
    directory.sync(&name).map_err(failed("sync"))?;
    directory.sync_names().map_err(failed("name"))?;
    Ok(Recovered { head, cut_bytes: len.saturating_sub(end) })
}

/// The tree of a signature covers the entries before it; its own tag can be checked only with the secret.
fn last_is_authentic(bytes: &[u8], keys: Option<&LedgerKeys>) -> bool {
    keys.is_none_or(|keys| RawEntry::parse(bytes).and_then(|entry| entry.open_private(keys)).is_ok())
}

fn position(offset: usize) -> Result<u32, Corrupt> {
    u32::try_from(offset + FIRST_OFFSET as usize).map_err(|_| Corrupt::Frame("it lies past 4 GiB"))
}

/// Offsets of a closed chunk's entries and where the last one ends: from its table, or by walking if that is broken.
pub(crate) fn closed_positions<D: Directory>(
    directory: &D,
    name: &str,
    count: u64,
) -> Result<(Vec<u32>, u64), FilesError> {
    let len = directory.len(name).map_err(|source| io_error("read", name, source))?;
    let table = read_range(directory, name, 0, u64::from(FIRST_OFFSET))
        .and_then(|header| chunk::table_offset(&header).map_err(|source| corrupt(name, source)))?;
    if let Some(bytes) = len.checked_sub(table).filter(|bytes| Some(*bytes) == count.checked_mul(4)) {
        let bytes = read_range(directory, name, len - bytes, len)?;
        if let Some(positions) = chunk::read_table(&bytes, count, table) {
            return Ok((positions, table));
        }
    }
    let end = len.saturating_sub(count.saturating_mul(4));
    let entries = read_range(directory, name, u64::from(FIRST_OFFSET), end)?;
    let positions = chunk::walk(&entries).map_err(|source| corrupt(name, source))?;
    if positions.len() as u64 == count {
        Ok((positions, end))
    } else {
        Err(corrupt(name, Corrupt::Frame("the chunk has another number of entries than its name says")))
    }
}

pub(crate) fn read_range<D: Directory>(directory: &D, name: &str, start: u64, end: u64) -> Result<Vec<u8>, FilesError> {
    let len = end
        .checked_sub(start)
        .filter(|_| end <= base::limits::CHUNK_BYTES_MAX)
        .and_then(|len| usize::try_from(len).ok())
        .ok_or_else(|| corrupt(name, Corrupt::Frame("its size is out of range")))?;
    let mut bytes = vec![0; len];
    directory.read(name, start, &mut bytes).map_err(|source| io_error("read", name, source))?;
    Ok(bytes)
}
