//! Ledger directories, compared with each other byte by byte.
//!
//! Chunks begin at the same entries on every node, since their borders follow from the entries. A closed chunk must be the same file
//! everywhere. The open one may be longer on one node than on another: the shorter must be the beginning of the longer, up to
//! its last signature.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use ledger::split;

/// Where entries begin in a chunk, after the offset of its position table.
const FIRST_OFFSET: usize = 8;

/// What the directories have in common.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Common {
    pub chunks: usize,
    pub bytes: u64,
    /// The seqno of the last signature that all have.
    pub last: u64,
}

/// A chunk on one node.
struct Chunk {
    name: String,
    path: PathBuf,
}

impl Chunk {
    fn closed(&self) -> bool {
        self.name.ends_with(".committed")
    }
}

/// Compares every directory with the first.
pub fn compare(directories: &[PathBuf]) -> Result<Common> {
    let (first, others) = directories.split_first().context("there is no ledger to compare")?;
    let reference = list(first)?;
    let mut common = Common { chunks: reference.len(), bytes: 0, last: u64::MAX };
    for other in others {
        let with = compare_two(&reference, &list(other)?)
            .with_context(|| format!("{} and {} differ", first.display(), other.display()))?;
        if with.last < common.last {
            common = with;
        }
    }
    Ok(common)
}

/// The chunks of a directory by the seqno of their first entries.
fn list(directory: &Path) -> Result<BTreeMap<u64, Chunk>> {
    let mut chunks: BTreeMap<u64, Chunk> = BTreeMap::new();
    for file in fs::read_dir(directory).with_context(|| format!("{} cannot be read", directory.display()))? {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let rest = name.strip_prefix("ledger_").unwrap_or_default();
        let first: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let first = first.parse().with_context(|| format!("{} is no ledger file", path.display()))?;
        if let Some(twice) = chunks.insert(first, Chunk { name, path }) {
            bail!("{} begins where another chunk begins", twice.path.display());
        }
    }
    let open = chunks.values().rev().skip(1).find(|chunk| !chunk.closed());
    match open {
        Some(open) => bail!("{} is open, and not the last", open.path.display()),
        None => Ok(chunks),
    }
}

fn compare_two(these: &BTreeMap<u64, Chunk>, those: &BTreeMap<u64, Chunk>) -> Result<Common> {
    let mut common = Common { chunks: 0, bytes: 0, last: 0 };
    for (first, this) in these {
        let Some(that) = those.get(first) else {
            // The other node has not come that far.
            ensure!(those.keys().all(|other| other < first), "chunk {} is on one node only", this.name);
            break;
        };
        let name = &this.name;
        let (this_bytes, that_bytes) = (fs::read(&this.path)?, fs::read(&that.path)?);
        let same = compare_entries(entries(&this_bytes, this.closed())?, entries(&that_bytes, that.closed())?);
        let (bytes, last) = same.with_context(|| format!("chunk {name}"))?;
        if this.closed() && that.closed() {
            ensure!(*name == that.name, "chunk {name} is {} on the other", that.name);
            ensure!(
                this_bytes == that_bytes,
                "chunk {name} differs at byte {}",
                first_difference(&this_bytes, &that_bytes)
            );
        }
        common.chunks += 1;
        common.bytes += bytes as u64;
        common.last = last.unwrap_or(common.last);
        if !(this.closed() && that.closed()) {
            break;
        }
    }
    Ok(common)
}

/// The entries of a chunk, without its position table.
fn entries(chunk: &[u8], closed: bool) -> Result<&[u8]> {
    let head = chunk.first_chunk::<FIRST_OFFSET>().context("the chunk has no head")?;
    let end = if closed { usize::try_from(u64::from_le_bytes(*head))? } else { chunk.len() };
    chunk.get(FIRST_OFFSET..end).context("the position table lies outside the chunk")
}

/// The shorter of two runs of entries must be the beginning of the longer, up to its last signature: length and seqno of that.
fn compare_entries(these: &[u8], those: &[u8]) -> Result<(usize, Option<u64>)> {
    let shorter = if these.len() <= those.len() { these } else { those };
    let mut read = 0;
    let mut signed = (0, None);
    for entry in split(shorter) {
        // What a crash tore off at the end is no entry, and proves nothing.
        let Ok(entry) = entry else { break };
        read += entry.bytes.len();
        if entry.is_signature() {
            signed = (read, Some(entry.txid.seqno.0));
        }
    }
    let (end, _) = signed;
    if these[..end] != those[..end] {
        let at = first_difference(&these[..end], &those[..end]);
        let mut before = 0;
        let entry = split(shorter).map_while(Result::ok).find(|entry| {
            before += entry.bytes.len();
            before > at
        });
        let which = entry.map_or_else(String::new, |entry| format!(", in entry {}", entry.txid));
        bail!("the entries differ at byte {}{which}", at + FIRST_OFFSET);
    }
    Ok(signed)
}

fn first_difference(these: &[u8], those: &[u8]) -> usize {
    these.iter().zip(those).position(|(this, that)| this != that).unwrap_or(these.len().min(those.len()))
}

#[cfg(test)]
mod tests;
