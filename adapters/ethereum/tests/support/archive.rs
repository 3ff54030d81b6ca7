//! Reads the packed test vectors.

use std::io::Read;
use std::path::Path;

/// The JSON files of a `.tar.zst`, with their names.
pub fn json_files(path: &Path) -> Vec<(String, String)> {
    let file = std::fs::File::open(path).unwrap();
    let unpacked = ruzstd::decoding::StreamingDecoder::new(std::io::BufReader::new(file)).unwrap();
    let mut files = Vec::new();
    for entry in tar::Archive::new(unpacked).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".json") {
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            files.push((name, text));
        }
    }
    files
}
