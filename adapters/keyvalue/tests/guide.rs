//! `docs/adding-an-adapter.md` quotes this adapter: what it quotes must stand in the source.

use std::fs;
use std::path::Path;

/// Lines without what surrounds them, so that a quotation may be indented as it likes.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).collect()
}

#[test]
fn what_the_guide_quotes_stands_in_the_source() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(here.join("../../docs/adding-an-adapter.md")).unwrap();
    let sources: Vec<String> =
        ["lib.rs", "work.rs", "rest.rs"].map(|name| fs::read_to_string(here.join("src").join(name)).unwrap()).into();
    let mut quoted = Vec::new();
    let mut open: Option<Vec<&str>> = None;
    for line in guide.lines() {
        match (&mut open, line) {
            (None, "```rust") => open = Some(Vec::new()),
            (Some(_), "```") => quoted.extend(open.take()),
            (Some(block), line) => block.push(line.trim()),
            (None, _) => {}
        }
    }
    assert!(open.is_none() && quoted.len() > 10, "{} quotations", quoted.len());
    for block in quoted {
        let stands = sources.iter().any(|source| lines(source).windows(block.len()).any(|window| window == block));
        assert!(stands, "this is quoted and does not stand in the source:\n{}", block.join("\n"));
    }
}
