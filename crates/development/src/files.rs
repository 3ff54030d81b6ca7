//! Reading and writing small files so that a crash leaves the old content or the new, and nothing between.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::Error;

/// No file of a network's directory that is read whole is larger; a genesis with very many accounts fits.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Who may read a file.
#[derive(Clone, Copy)]
pub(crate) enum Readers {
    Everyone,
    /// The owner alone: private keys and what seals them.
    Owner,
}

pub(crate) fn make_dir(path: &Path, readers: Readers) -> Result<(), Error> {
    let mode = match readers {
        Readers::Everyone => 0o755,
        Readers::Owner => 0o700,
    };
    fs::DirBuilder::new().recursive(true).mode(mode).create(path).map_err(|e| Error::io("make", path, e))
}

/// Writes beside the file, syncs, and renames over it.
pub(crate) fn write(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), Error> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mode = match readers {
        Readers::Everyone => 0o644,
        Readers::Owner => 0o600,
    };
    let written = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_parent(path)
    };
    written().map_err(|e| Error::io("write", path, e))
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if parent != Path::new("") => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| Error::io("read", path, e))?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|e| Error::io("read", path, e))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::content(path, format!("the file is larger than {} MiB", FILE_BYTES_MAX >> 20)));
    }
    Ok(bytes)
}

pub(crate) fn read_text(path: &Path) -> Result<String, Error> {
    String::from_utf8(read(path)?).map_err(|_| Error::content(path, "the file is not UTF-8 text"))
}
