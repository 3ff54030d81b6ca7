//! How many tests passed, read out of what test runners print.

use std::fmt;
use std::ops::AddAssign;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    pub passed: u64,
    pub failed: u64,
}

impl Count {
    /// One thing that holds or does not.
    pub fn one(holds: bool) -> Self {
        Self { passed: u64::from(holds), failed: u64::from(!holds) }
    }

    /// The sum of all lines `N passed, N failed` (or with `;` between, as Rust's test harness prints them).
    pub fn sum_of(text: &str) -> Self {
        text.lines().filter_map(of_line).fold(Self::default(), |mut sum, count| {
            sum += count;
            sum
        })
    }

    /// The last such line: that of a runner which sums up by itself.
    pub fn last_of(text: &str) -> Option<Self> {
        text.lines().rev().find_map(of_line)
    }

    /// A runner that failed without naming a failed test has failed all the same.
    pub fn and_succeeded(mut self, succeeded: bool) -> Self {
        if !succeeded && self.failed == 0 {
            self.failed = 1;
        }
        self
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

fn of_line(line: &str) -> Option<Count> {
    let words: Vec<&str> = line.split_whitespace().map(|word| word.trim_end_matches([',', ';'])).collect();
    let before = |name: &str| {
        let place = words.iter().position(|word| *word == name)?;
        words.get(place.checked_sub(1)?)?.parse().ok()
    };
    Some(Count { passed: before("passed")?, failed: before("failed")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_several_runners_are_read() {
        let rust =
            "test result: ok. 6 passed; 0 failed; 0 ignored\n...\ntest result: FAILED. 1 passed; 2 failed; 0 ignored";
        assert_eq!(Count::sum_of(rust), Count { passed: 7, failed: 2 });
        assert_eq!(Count::last_of("x: 3 passed, 1 failed, 0 skipped\n"), Some(Count { passed: 3, failed: 1 }));
        assert_eq!(Count::last_of("all passed"), None);
        assert_eq!(Count::default().and_succeeded(false).failed, 1);
    }
}
