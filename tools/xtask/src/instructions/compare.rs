//! What was expected, what was found, and what to think of it.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Instructions for one transaction, by stage.
pub type Counts = BTreeMap<String, u64>;

/// So many percent more is a failure; so many less is worth writing down.
const TOLERATED: u64 = 5;
/// One in so many is noise (a hash map's seed, where memory lies) and changes no line of the file.
const NOISE: u64 = 1_000;

const HEAD: &str = "\
# Instructions of each stage for one transaction (row, leaf), counted by Callgrind. README.md says what each stage is.
# `cargo xtask instructions` compares; `cargo xtask instructions --accept` writes.
";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Same,
    Gained,
    Worse,
    /// It is expected, and nothing was counted.
    Missing,
    /// It was counted, and nothing is expected.
    Unknown,
}

impl Verdict {
    /// A stage that nobody watches any more is as bad as one that takes longer.
    pub fn fails(self) -> bool {
        !matches!(self, Self::Same | Self::Gained)
    }

    fn words(self) -> &'static str {
        match self {
            Self::Same => "",
            Self::Gained => "gained: `cargo xtask instructions --accept` keeps it",
            Self::Worse => "FAILED: more than 5 % above",
            Self::Missing => "FAILED: expected, and not counted",
            Self::Unknown => "FAILED: counted, and not in benches/instructions.toml",
        }
    }
}

/// One stage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    pub stage: String,
    expected: Option<u64>,
    found: Option<u64>,
    pub verdict: Verdict,
}

pub fn compare(expected: &Counts, found: &Counts) -> Vec<Line> {
    let stages = expected.keys().chain(found.keys().filter(|stage| !expected.contains_key(*stage)));
    let mut lines: Vec<Line> = stages
        .map(|stage| {
            let (expected, found) = (expected.get(stage).copied(), found.get(stage).copied());
            Line { stage: stage.clone(), expected, found, verdict: judge(expected, found) }
        })
        .collect();
    lines.sort_by(|a, b| a.stage.cmp(&b.stage));
    lines
}

fn judge(expected: Option<u64>, found: Option<u64>) -> Verdict {
    match (expected, found) {
        (Some(expected), Some(found)) if found * 100 > expected * (100 + TOLERATED) => Verdict::Worse,
        (Some(expected), Some(found)) if found * 100 < expected * (100 - TOLERATED) => Verdict::Gained,
        (Some(_), Some(_)) => Verdict::Same,
        (Some(_), None) => Verdict::Missing,
        (None, _) => Verdict::Unknown,
    }
}

/// What is expected from now on of the stages that `asked` names: what was found, but for noise.
pub fn accept(expected: &Counts, found: &Counts, asked: impl Fn(&str) -> bool) -> Counts {
    let kept = expected.iter().filter(|(stage, _)| !asked(stage)).map(|(stage, count)| (stage.clone(), *count));
    let taken = found.iter().filter(|(stage, _)| asked(stage)).map(|(stage, count)| {
        let old = expected.get(stage).filter(|old| old.abs_diff(*count) * NOISE <= **old);
        (stage.clone(), *old.unwrap_or(count))
    });
    kept.chain(taken).collect()
}

/// The file: a line for each stage, by name.
pub fn write(counts: &Counts) -> String {
    counts.iter().fold(HEAD.to_owned(), |mut text, (stage, count)| {
        let _ = writeln!(text, "{stage} = {count}");
        text
    })
}

pub fn table(lines: &[Line]) -> Vec<String> {
    let number = |count: Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
    let rows = lines.iter().map(|line| {
        let change = match (line.expected, line.found) {
            (Some(expected), Some(found)) if expected > 0 => {
                format!("{:+.2} %", (found as f64 / expected as f64 - 1.0) * 100.0)
            }
            _ => "-".to_owned(),
        };
        let (expected, found) = (number(line.expected), number(line.found));
        format!("{:20} {expected:>10} {found:>10} {change:>10}  {}", line.stage, line.verdict.words())
            .trim_end()
            .to_owned()
    });
    std::iter::once(format!("{:20} {:>10} {:>10} {:>10}", "stage", "expected", "found", "change")).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, u64)]) -> Counts {
        of.iter().map(|(stage, count)| ((*stage).to_owned(), *count)).collect()
    }

    fn verdict(expected: &[(&str, u64)], found: &[(&str, u64)]) -> Verdict {
        let lines = compare(&counts(expected), &counts(found));
        assert_eq!(lines.len(), 1);
        lines[0].verdict
    }

    #[test]
    fn more_than_five_percent_more_fails_and_less_is_told() {
        let with = |found| verdict(&[("seal", 1_000)], &[("seal", found)]);
        assert_eq!((with(1_049), with(1_050)), (Verdict::Same, Verdict::Same));
        assert_eq!(with(1_051), Verdict::Worse);
        assert_eq!((with(951), with(949)), (Verdict::Same, Verdict::Gained));
        assert!(with(1_051).fails() && !with(949).fails() && !with(1_050).fails());
    }

    #[test]
    fn a_stage_that_is_gone_or_new_fails() {
        assert_eq!(verdict(&[("seal", 1_000)], &[]), Verdict::Missing);
        assert_eq!(verdict(&[], &[("seal", 1_000)]), Verdict::Unknown);
        assert!(Verdict::Missing.fails() && Verdict::Unknown.fails());
    }

    #[test]
    fn the_table_says_what_fails() {
        let lines = compare(&counts(&[("a", 100), ("c", 100)]), &counts(&[("a", 106), ("b", 7)]));
        let table = table(&lines);
        assert_eq!(table.len(), 4);
        assert!(table[1].starts_with("a ") && table[1].contains("+6.00 %") && table[1].contains("FAILED"));
        assert!(table[2].starts_with("b ") && table[2].contains("not in"));
        assert!(table[3].starts_with("c ") && table[3].contains("not counted"));
    }

    #[test]
    fn what_is_accepted_is_written_and_read_again() {
        let (expected, found) =
            (counts(&[("a", 10_000), ("b", 5), ("gone", 1)]), counts(&[("a", 10_009), ("b", 9), ("new", 3)]));
        let all = accept(&expected, &found, |_| true);
        // What differs by noise stays as it stood.
        assert_eq!(all, counts(&[("a", 10_000), ("b", 9), ("new", 3)]));
        assert_eq!(accept(&expected, &found, |stage| stage == "b"), counts(&[("a", 10_000), ("b", 9), ("gone", 1)]));
        assert_eq!(toml::from_str::<Counts>(&write(&all)).unwrap(), all);
        assert!(compare(&all, &found).iter().all(|line| !line.verdict.fails()));
    }
}
