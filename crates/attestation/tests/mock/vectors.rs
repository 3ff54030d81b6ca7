//! Recorded evidence, read from `../shared/vectors` beside the repository or from `$COCO_VECTORS`.

use std::path::PathBuf;

/// The samples' folder, or nothing and a loud word.
pub fn folder() -> Option<PathBuf> {
    let root = std::env::var_os("COCO_VECTORS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors")), PathBuf::from);
    let folder = root.join("attestation");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("SKIPPED: no attestation samples at {}; set COCO_VECTORS", folder.display());
    None
}

/// One sample. Only for tests that [`folder`] let through.
pub fn read(path: &str) -> Vec<u8> {
    let path = folder().expect("asked before").join(path);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Seconds since 1970 of a date of the proleptic Gregorian calendar at midnight.
pub const fn date(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    (days - 719_468) * 86_400
}
