//! Code that the compiler cannot vouch for is in one file, and no lint makes room for more of it.
//!
//! Everywhere else the workspace's lints forbid it. The crate of that file can only deny it, since what is forbidden cannot be
//! expected for one module; so here is what its compiler does not look after: that no second module expects it, and that
//! this crate's lints are the workspace's otherwise.

use std::fs;
use std::path::Path;

use anyhow::Context;

/// The file, the one that declares it as a module, and the root of their crate.
const FILE: &str = "crates/attestation/src/gather/ioctl.rs";
const DECLARED_IN: &str = "crates/attestation/src/gather/mod.rs";
const CRATE: &str = "crates/attestation";
/// Written in pieces so that this file does not find itself.
const WORD: &str = concat!("uns", "afe");
const LINT: &str = concat!("uns", "afe_code");

/// What is in a Rust file that is not to be there.
pub fn of_file(name: &str, text: &str) -> Vec<String> {
    let code = || text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let mut found = Vec::new();
    if name != FILE && code().any(|line| words(line).any(|word| word == WORD)) {
        found.push(format!("{name} has {WORD} code, which is for {FILE} alone"));
    }
    // The only levels that ask for no reason here are "forbid", and "deny" in the one crate.
    let lowered = code().filter(|line| {
        let named = words(line).any(|word| word == LINT);
        let denied = name.starts_with(CRATE) && line.starts_with("#![deny(");
        named && !line.starts_with("#![forbid(") && !denied
    });
    let lowered = lowered.count();
    let expected = usize::from(name == DECLARED_IN);
    if lowered != expected {
        found.push(format!("{name} names the lint {LINT} {lowered} times, and should {expected}"));
    }
    found
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// Whether a crate's lints are the workspace's, but for that one level in that one crate.
pub fn has_our_lints(root: &Path, dir: &Path) -> anyhow::Result<bool> {
    let read = |path: &Path| -> anyhow::Result<toml::Table> {
        fs::read_to_string(path)?.parse().with_context(|| path.display().to_string())
    };
    let own = read(&dir.join("Cargo.toml"))?.remove("lints");
    if dir != root.join(CRATE) {
        return Ok(own.as_ref().and_then(|own| own.get("workspace")).and_then(toml::Value::as_bool) == Some(true));
    }
    let mut ours = read(&root.join("Cargo.toml"))?;
    let ours = ours.get_mut("workspace").and_then(toml::Value::as_table_mut).and_then(|ours| ours.remove("lints"));
    let denied = |mut lints: toml::Value| {
        if let Some(level) = lints.get_mut("rust").and_then(|rust| rust.get_mut(LINT)) {
            *level = "deny".into();
        }
        lints
    };
    Ok(ours.map(denied) == own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_outside_its_file() {
        let block = format!("    {WORD} {{ call() }}");
        assert_eq!(of_file(FILE, &block), Vec::<String>::new());
        assert_eq!(of_file("crates/kv/src/lib.rs", &block).len(), 1);
        assert_eq!(of_file("crates/kv/src/lib.rs", &format!("//! no {WORD} here")), Vec::<String>::new());
        assert_eq!(of_file("crates/kv/src/lib.rs", &format!("#![forbid({LINT})]")), Vec::<String>::new());
        assert_eq!(of_file("crates/kv/src/lib.rs", &format!("#![deny({LINT})]")).len(), 1);
    }

    #[test]
    fn one_module_expects_it_and_no_second_one() {
        let expected = format!("#[expect({LINT}, reason = \"\")]\nmod ioctl;\n");
        assert_eq!(of_file(DECLARED_IN, &expected), Vec::<String>::new());
        assert_eq!(of_file(DECLARED_IN, &expected.repeat(2)).len(), 1);
        assert_eq!(of_file(DECLARED_IN, "").len(), 1);
        assert_eq!(of_file("crates/attestation/src/lib.rs", &format!("#![allow({LINT})]")).len(), 1);
        assert_eq!(of_file("crates/attestation/src/lib.rs", &format!("#![deny({LINT})]")), Vec::<String>::new());
    }
}
