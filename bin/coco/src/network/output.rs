//! The end of a node's log, for a person who wants to know why it is gone.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::Value;

/// Enough to see the cause, not so much that it scrolls away.
const LINES: usize = 8;
const BYTES: u64 = 16 << 10;

/// The last lines of a log, from `since` (its length at some earlier time) on; JSON lines in a form for people.
pub fn last_lines(path: &Path, since: u64) -> Vec<String> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(since.max(length.saturating_sub(BYTES)).min(length)))?;
        let mut bytes = Vec::new();
        file.take(BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].iter().map(|line| readable(line)).collect()
}

fn readable(line: &str) -> String {
    let Ok(Value::Object(entry)) = serde_json::from_str(line) else { return line.to_owned() };
    let word = |key: &str| entry.get(key).and_then(Value::as_str);
    let fields = entry.get("fields").and_then(Value::as_object);
    let message = fields.and_then(|fields| fields.get("message")).and_then(Value::as_str).or_else(|| word("message"));
    let (Some(level), Some(message)) = (word("level"), message) else { return line.to_owned() };
    let mut text = format!("{level:5} {message}");
    for (name, value) in fields.into_iter().flatten().filter(|(name, _)| *name != "message") {
        match value {
            Value::String(value) => text.push_str(&format!(" {name}={value}")),
            value => text.push_str(&format!(" {name}={value}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_end_from_a_given_place_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.log");
        let old = "an old error\n";
        let new =
            "{\"level\":\"ERROR\",\"fields\":{\"message\":\"no space\",\"disk\":\"/\"},\"target\":\"x\"}\nplain\n";
        std::fs::write(&path, format!("{old}{new}")).unwrap();
        assert_eq!(last_lines(&path, old.len() as u64), ["ERROR no space disk=/", "plain"]);
        assert_eq!(last_lines(&path, 1 << 40), Vec::<String>::new());
        assert_eq!(last_lines(&dir.path().join("none"), 0), Vec::<String>::new());
    }
}
