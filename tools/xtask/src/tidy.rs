//! Small habits that no lint looks after.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::repository;
use crate::metadata::Metadata;
use crate::unchecked;

/// A file that is longer hides a second idea.
const LINES_MAX: usize = 900;
/// Written in two pieces so that this file does not find itself.
const UNFINISHED: [&str; 4] =
    [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("TO", "DO"), concat!("FIX", "ME")];
/// Folders of other people's files and of what is built.
const NOT_OURS: [&str; 4] = ["target", "node_modules", ".git", "corpus"];

/// What is untidy, a sentence each.
pub fn untidy() -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let root = repository();
    let mut files = Vec::new();
    rust_files(&root, &mut files)?;
    for path in files {
        let name = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
        let text = fs::read_to_string(&path)?;
        found.extend(of_file(&name, &text));
        found.extend(unchecked::of_file(&name, &text));
    }
    for (name, dir) in Metadata::read()?.members() {
        found.extend(of_crate(&root, name, &dir)?);
    }
    found.extend(claims(&root)?);
    Ok(found)
}

/// The README's counts are the least that the suites accept.
fn claims(root: &Path) -> anyhow::Result<Vec<String>> {
    let readme = fs::read_to_string(root.join("README.md"))?;
    let recorded = fs::read_to_string(root.join("clients/rpc-compat/passing.txt"))?;
    let recorded = recorded.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count();
    let modules = fs::read_to_string(root.join("clients/web3py-module-tests/expected.json"))?;
    let modules: std::collections::BTreeMap<String, u64> = serde_json::from_str(&modules)?;
    let mut claimed = vec![format!("{recorded} of 160")];
    for (file, all) in [
        ("test_sync.py", "195 synchronous"),
        ("test_async.py", "178 asynchronous"),
        ("test_websocket.py", "23 over WebSocket"),
    ] {
        claimed.push(format!("{} of {all}", modules.get(file).copied().unwrap_or_default()));
    }
    claimed.retain(|claim| !readme.contains(claim));
    Ok(claimed
        .into_iter()
        .map(|claim| format!("README.md does not say {claim:?}, which is what the suites accept"))
        .collect())
}

fn of_file(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lines = text.lines().count();
    if lines > LINES_MAX {
        found.push(format!("{name} has {lines} lines, more than {LINES_MAX}"));
    }
    for word in UNFINISHED.iter().filter(|word| text.contains(**word)) {
        found.push(format!("{name} says {}", word.trim_end_matches('(')));
    }
    found
}

fn of_crate(root: &Path, name: &str, dir: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let roots: Vec<PathBuf> =
        ["src/lib.rs", "src/main.rs"].map(|root| dir.join(root)).into_iter().filter(|p| p.exists()).collect();
    for file in roots {
        if !fs::read_to_string(&file)?.starts_with("//! ") {
            found.push(format!("{name}: {} does not open with what it is", file.display()));
        }
    }
    if !unchecked::has_our_lints(root, dir)? {
        found.push(format!("{name} does not take the workspace's lints"));
    }
    Ok(found)
}

fn rust_files(dir: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            if !NOT_OURS.iter().any(|other| name == *other) && !name.to_string_lossy().starts_with(".venv") {
                rust_files(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_repository_is_tidy() {
        let found = super::untidy().unwrap();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    #[test]
    fn long_and_unfinished_files_are_found() {
        assert_eq!(super::of_file("a.rs", &"\n".repeat(901)), ["a.rs has 901 lines, more than 900"]);
        assert_eq!(super::of_file("b.rs", concat!("fn b() { todo", "!() }")), [concat!("b.rs says todo", "!")]);
    }
}
