//! What is printed.

use std::io::{self, BufRead, BufReader, Read, Write};

/// A line for the person who asked.
pub fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

pub fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints what comes as it comes, and returns it.
pub fn echo(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        let words = String::from_utf8_lossy(&line);
        let _ = write!(io::stdout(), "{words}");
        text.push_str(&words);
        line.clear();
    }
    Ok(text)
}
