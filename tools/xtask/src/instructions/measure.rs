//! Runs the benchmarks under Callgrind and reads what they counted.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

use super::compare::Counts;
use crate::command::Tool;
use crate::metadata::Metadata;

/// What gungraun writes of one benchmark; only what is read here.
#[derive(Deserialize)]
struct Summary {
    function_name: String,
    id: Option<String>,
    profiles: Vec<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    total: Total,
}

#[derive(Deserialize)]
struct Total {
    metrics: Metrics,
}

#[derive(Deserialize)]
struct Metrics {
    #[serde(rename = "Ir")]
    instructions: Metric,
}

#[derive(Deserialize)]
struct Metric {
    values: Values,
}

#[derive(Deserialize)]
struct Values {
    new: u64,
}

/// Instructions of each stage for one transaction.
pub fn measure(metadata: &Metadata, runner: &Path) -> anyhow::Result<Counts> {
    let results = metadata.scratch("instructions");
    // Compared with nothing: what an earlier run left would be read as the other half of a comparison.
    if results.exists() {
        fs::remove_dir_all(&results).with_context(|| format!("cannot remove {}", results.display()))?;
    }
    // The benchmarks look for the runner as a shell would.
    let mut path = vec![runner.parent().unwrap_or(runner).to_owned()];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    // The whole workspace, so that dependencies are built with the same features as for its tests, and once.
    let mut bench = Tool::cargo(&["bench", "--workspace", "--bench", "instructions", "--"]);
    bench = bench.args(&["--parallel=auto", "--nosummary=true"]).env("PATH", env::join_paths(path)?);
    bench = bench.env("GUNGRAUN_HOME", &results).env("GUNGRAUN_SAVE_SUMMARY", "json").env("GUNGRAUN_COLOR", "never");
    bench.output()?;
    let mut files = Vec::new();
    summaries(&results, &mut files)?;
    files
        .iter()
        .map(|file| read(&fs::read_to_string(file)?).with_context(|| format!("{} says", file.display())))
        .collect()
}

fn summaries(dir: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("there is nothing in {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            summaries(&path, files)?;
        } else if path.ends_with("summary.json") {
            files.push(path);
        }
    }
    Ok(())
}

/// A stage and what it takes for one transaction: the case's name says how many there were.
fn read(summary: &str) -> anyhow::Result<(String, u64)> {
    let Summary { function_name, id, profiles } =
        serde_json::from_str(summary).context("something else than what gungraun wrote so far")?;
    let of = id.as_deref().and_then(|id| id.strip_prefix("of_")?.parse().ok()).filter(|of| *of > 0);
    let of: u64 = of.context("a case's name that does not say how many transactions it takes, as of_500 does")?;
    let [Profile { data }] = &profiles[..] else { anyhow::bail!("not one profile") };
    let all = data.total.metrics.instructions.values.new;
    Ok((function_name, (all + of / 2) / of))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_summary_is_read_for_one_transaction() {
        let summary = |id: &str| {
            format!(
                r#"{{"function_name":"seal","id":"{id}","version":"7","profiles":[{{"tool":"Callgrind","data":
                   {{"parts":[],"total":{{"metrics":{{"Ir":{{"values":{{"new":2750}}}}}},"regressions":[]}}}}}}]}}"#
            )
        };
        assert_eq!(read(&summary("of_500")).unwrap(), ("seal".to_owned(), 6));
        assert!(read(&summary("of_0")).is_err());
        assert!(read(&summary("large")).is_err());
        assert!(read("{}").is_err());
    }
}
