//! What of benchmarks is about members: governance by itself, and beside a ledger's load.

use clap::{Args, ValueEnum};

use super::{BenchCommon, positive};

/// Let members propose and vote over HTTPS, each time with a request that one of them signs
///
/// Members whose keys are in the network's directory sign the state first, if they have not. A proposal sets a member's data to what
/// it is, and members vote on it until it is decided; an answer comes once that is committed and visible on the node that was asked.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coco bench governance                                        as fast as it goes, then half of that
  coco bench governance --load 50 --dir ./coco-network")]
pub struct BenchGovernance {
    #[command(flatten)]
    pub common: BenchCommon,
}

/// What members do while a ledger is measured.
#[derive(Args)]
pub struct BenchBeside {
    /// Take each measurement a second time, with so many requests of members a second beside it
    #[arg(long, value_name = "N", value_parser = positive, conflicts_with = "count")]
    pub governance_rate: Option<f64>,
    /// Take each measurement a second time, while members cast ballots that do harm, or would: as fast as they are answered, or at
    /// --governance-rate
    #[arg(long, value_name = "HOW", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "bounds")]
    #[arg(conflicts_with = "count")]
    pub governance_attack: Option<Attack>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Attack {
    /// Loops, memory, stack and log, up to what a script may have
    Bounds,
    /// Built-in functions that take longer than a script may, and cannot be stopped
    Strays,
}
