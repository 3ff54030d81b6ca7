//! `cargo xtask compare`: Coco beside other systems. The comparison itself is `benches/peers`, in Python, as peers are installed and driven
//! the way outside clients are.

use std::env;

use crate::command::{Tool, repository};
use crate::metadata::Metadata;

/// Builds both programs, then becomes the comparison, so that Ctrl-C is its business.
pub fn compare(args: &[String]) -> anyhow::Result<bool> {
    Tool::cargo(&["build", "--release", "--package", "coco", "--package", "coco-node"]).must()?;
    let coco = Metadata::read()?.binary("coco");
    let script = repository().join("benches/peers/compare.py");
    Tool::new("python3").arg(script).arg("--coco").arg(coco).args(args).in_dir(&env::current_dir()?).become_it()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comparison_reads_measures_and_renders_as_it_should() {
        let tests = ["-m", "unittest", "discover", "--start-directory", "benches/peers", "--pattern", "tests.py"];
        assert!(Tool::new("python3").args(&tests).succeeds().unwrap());
    }
}
