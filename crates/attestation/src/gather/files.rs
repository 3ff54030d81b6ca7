//! Files that a kernel makes up: read whole or not at all, with a bound.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::Error;

pub(super) fn fail(path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::File { path: path.to_owned(), source }
}

pub(super) fn read(path: &Path, limit: usize) -> Result<Vec<u8>, Error> {
    let file = File::open(path).map_err(fail(path))?;
    let mut bytes = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(bound).read_to_end(&mut bytes).map_err(fail(path))?;
    if bytes.len() > limit {
        return Err(Error::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

/// Empty where there is no such file, or nothing in it.
pub(super) fn read_if_any(path: &Path, limit: usize) -> Result<Vec<u8>, Error> {
    match read(path, limit) {
        Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(vec![]),
        other => other,
    }
}

/// One line, without its end.
pub(super) fn line(path: &Path) -> Result<String, Error> {
    let bytes = read(path, 256)?;
    Ok(String::from_utf8_lossy(bytes.trim_ascii()).into_owned())
}

/// In one write, as these files want it.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(fail(path))
}
