//! What cargo knows of the workspace: its crates, and what each uses.
//!
//! Which crates there are comes from `cargo metadata`. What uses what comes from `cargo tree`, because metadata also lists optional
//! dependencies that some feature mentions and nothing builds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Context;
use serde::Deserialize;

use crate::command::Tool;

#[derive(Deserialize)]
pub struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
}

/// What each crate of the whole tree uses to be built, tests left out. By name: versions do not matter here.
pub type Uses = BTreeMap<String, BTreeSet<String>>;

impl Metadata {
    pub fn read() -> anyhow::Result<Self> {
        let json = Tool::cargo(&["metadata", "--format-version", "1", "--no-deps"]).output()?;
        serde_json::from_slice(&json).context("cargo metadata prints other JSON than it did")
    }

    /// A program of this workspace, in release mode.
    pub fn binary(&self, name: &str) -> PathBuf {
        self.target_directory.join("release").join(name)
    }

    /// Where tests may leave things.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.target_directory.join("tests").join(name)
    }

    /// A Python environment that a test makes for itself.
    pub fn python_environment(&self, name: &str) -> PathBuf {
        self.target_directory.join(format!("venv-{name}"))
    }

    /// The workspace's crates, and where each is.
    pub fn members(&self) -> BTreeMap<&str, PathBuf> {
        self.packages.iter().map(|package| (package.name.as_str(), package.manifest_path.with_file_name(""))).collect()
    }
}

pub fn uses() -> anyhow::Result<Uses> {
    let args = ["tree", "--workspace", "--edges", "normal,build", "--prefix", "depth", "--format", " {p}"];
    read_tree(&String::from_utf8(Tool::cargo(&args).output()?)?).context("cargo tree prints something else than it did")
}

/// Lines like `2 serde v1.0.229 (*)`: how deep, and what. What stands one deeper is used by it.
fn read_tree(text: &str) -> Option<Uses> {
    let mut uses = Uses::new();
    let mut way: Vec<&str> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let mut words = line.split(' ');
        let depth: usize = words.next()?.parse().ok()?;
        let name = words.next()?;
        way.truncate(depth);
        if let Some(user) = way.last() {
            uses.entry((*user).to_owned()).or_default().insert(name.to_owned());
        }
        way.push(name);
    }
    Some(uses)
}

/// Everything that a crate reaches, itself left out, and one way there.
pub fn reached<'a>(uses: &'a Uses, from: &'a str) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut ways = BTreeMap::from([(from, vec![from])]);
    let mut next = vec![from];
    while let Some(at) = next.pop() {
        let way = ways[at].clone();
        for to in uses.get(at).into_iter().flatten() {
            if !ways.contains_key(to.as_str()) {
                ways.insert(to, way.iter().copied().chain([to.as_str()]).collect());
                next.push(to);
            }
        }
    }
    ways.remove(from);
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_tells_what_uses_what_and_how_it_gets_there() {
        let uses = read_tree("0 a v1 (/a)\n1 b v1\n2 c v1\n1 c v1 (*)\n\n0 d v1\n1 a v1 (/a) (*)\n").unwrap();
        assert_eq!(uses["a"], BTreeSet::from(["b".to_owned(), "c".to_owned()]));
        assert_eq!(reached(&uses, "d")["b"], ["d", "a", "b"]);
        assert!(!reached(&uses, "a").contains_key("d"));
        assert_eq!(read_tree("x y"), None);
    }
}
