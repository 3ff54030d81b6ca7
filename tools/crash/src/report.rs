//! What is printed: a line a cycle, a table at the end.

use std::fmt;
use std::time::Duration;

/// What is killed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Target {
    Primary,
    Backup,
    All,
}

impl Target {
    pub const IN_TURN: [Self; 3] = [Self::Primary, Self::Backup, Self::All];
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Primary => "primary",
            Self::Backup => "backup",
            Self::All => "all nodes",
        })
    }
}

/// One cycle's times, from the kill.
#[derive(Clone, Copy, Debug)]
pub struct Cycle {
    pub target: Target,
    /// Until a call that began after it was acknowledged.
    pub back: Duration,
    /// Until every node served again.
    pub whole: Duration,
}

/// The middle of all values; the lower one of two.
pub fn median(values: impl Iterator<Item = Duration>) -> Duration {
    let mut values: Vec<Duration> = values.collect();
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

pub fn table(cycles: &[Cycle]) -> String {
    let mut text =
        format!("{:<10}{:>7}{:>13}{:>13}{:>13}", "KILLED", "CYCLES", "BACK MEDIAN", "BACK MAX", "WHOLE MEDIAN");
    let mut row = |name: &dyn fmt::Display, cycles: Vec<&Cycle>| {
        let back = || cycles.iter().map(|cycle| cycle.back);
        let whole = median(cycles.iter().map(|cycle| cycle.whole));
        let (middle, most) = (median(back()), back().max().unwrap_or_default());
        text += &format!(
            "\n{name:<10}{:>7}{:>10} ms{:>10} ms{:>10} ms",
            cycles.len(),
            middle.as_millis(),
            most.as_millis(),
            whole.as_millis()
        );
    };
    for target in Target::IN_TURN {
        row(&target, cycles.iter().filter(|cycle| cycle.target == target).collect());
    }
    row(&"any", cycles.iter().collect());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        let of = |ms: &[u64]| median(ms.iter().copied().map(Duration::from_millis)).as_millis();
        assert_eq!([of(&[]), of(&[5]), of(&[9, 1]), of(&[9, 1, 5]), of(&[4, 3, 2, 1])], [0, 5, 1, 5, 2]);
    }

    #[test]
    fn a_table_has_a_row_for_each_target_and_one_for_all() {
        let ms = Duration::from_millis;
        let cycle = |target, back| Cycle { target, back: ms(back), whole: ms(700) };
        let text = table(&[cycle(Target::Primary, 300), cycle(Target::All, 500), cycle(Target::Primary, 400)]);
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1], ["primary", "2", "300", "ms", "400", "ms", "700", "ms"]);
        assert_eq!(rows[3][..3], ["all", "nodes", "1"]);
        assert_eq!(rows[4][..4], ["any", "3", "400", "ms"]);
    }
}
