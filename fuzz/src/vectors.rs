//! Recorded vectors: `$COCO_VECTORS`, or `../shared/vectors` beside the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder, if this machine has it.
pub fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("COCO_VECTORS").map(PathBuf::from);
    let path = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"));
    path.is_dir().then_some(path)
}

/// One file.
pub fn read(path: &str) -> Option<Vec<u8>> {
    fs::read(folder()?.join(path)).ok()
}

/// Every file below a folder that has at most so many bytes, in the order of their names.
pub fn files(below: &str, bytes_max: u64) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = folder().map(|folder| folder.join(below)).into_iter().collect();
    while let Some(path) = open.pop() {
        let Ok(entries) = fs::read_dir(&path) else { continue };
        for entry in entries.flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => open.push(entry.path()),
                Ok(metadata) if metadata.len() <= bytes_max => {
                    found.extend(fs::read(entry.path()).ok().map(|bytes| (entry.path(), bytes)));
                }
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// Those whose names end so.
pub fn ending(below: &str, ends: &[&str]) -> Vec<Vec<u8>> {
    let named = |path: &Path| ends.iter().any(|end| path.to_string_lossy().ends_with(end));
    files(below, 64 << 10).into_iter().filter(|(path, _)| named(path)).map(|(_, bytes)| bytes).collect()
}
